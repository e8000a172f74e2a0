// Sends the time, the process id and the user id to the Kafka topic `info` every 5 seconds, through
// confluent-kafka-go. It is a typical Go program, to compare the reporter with. REPORT_INTERVAL and
// REPORT_COUNT set the load; without them it reports forever.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const flushTimeout = 10 * time.Second

type report struct {
	topic    string
	interval time.Duration
	// 0 means without end.
	count int
}

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	wanted, err := fromEnvironment()
	if err != nil {
		return err
	}
	config, err := producerConfig()
	if err != nil {
		return err
	}
	producer, err := kafka.NewProducer(config)
	if err != nil {
		return fmt.Errorf("cannot start the producer: %w", err)
	}
	defer producer.Close()

	outcome := make(chan deliveries)
	go func() { outcome <- readEvents(producer.Events(), wanted) }()
	if err := wanted.send(producer); err != nil {
		return err
	}
	select {
	case seen := <-outcome:
		log.Printf("delivered %d messages, failed %d", seen.delivered, seen.failed)
		if seen.failed > 0 {
			return errors.New("not all messages were delivered")
		}
	case <-time.After(flushTimeout):
		return fmt.Errorf("%d messages are not delivered after %v", producer.Len(), flushTimeout)
	}
	return nil
}

func fromEnvironment() (report, error) {
	interval, err := time.ParseDuration(cmp.Or(os.Getenv("REPORT_INTERVAL"), "5s"))
	if err != nil {
		return report{}, fmt.Errorf("REPORT_INTERVAL: %w", err)
	}
	count, err := strconv.Atoi(cmp.Or(os.Getenv("REPORT_COUNT"), "0"))
	if err != nil {
		return report{}, fmt.Errorf("REPORT_COUNT: %w", err)
	}
	return report{cmp.Or(os.Getenv("KAFKA_TOPIC"), "info"), interval, count}, nil
}

// KAFKA_PROPERTIES holds librdkafka's properties as `name=value` with commas between, so that both
// programs can be run with the same ones.
func producerConfig() (*kafka.ConfigMap, error) {
	broker := os.Getenv("KAFKA_HOST")
	if !strings.Contains(broker, ":") {
		broker += ":9092"
	}
	config := kafka.ConfigMap{"bootstrap.servers": broker}
	if properties := os.Getenv("KAFKA_PROPERTIES"); properties != "" {
		for property := range strings.SplitSeq(properties, ",") {
			if err := config.Set(property); err != nil {
				return nil, fmt.Errorf("KAFKA_PROPERTIES: %w", err)
			}
		}
	}
	return &config, nil
}

type deliveries struct{ delivered, failed int }

// readEvents counts delivery reports until there is one for each wanted message.
func readEvents(events <-chan kafka.Event, wanted report) deliveries {
	var seen deliveries
	for event := range events {
		switch event := event.(type) {
		case *kafka.Message:
			if err := event.TopicPartition.Error; err != nil {
				log.Printf("not delivered to %v: %v", event.TopicPartition, err)
				seen.failed++
			} else {
				if wanted.interval > 0 || seen.delivered == 0 {
					log.Printf("delivered to %v", event.TopicPartition)
				}
				seen.delivered++
			}
			if seen.delivered+seen.failed == wanted.count {
				return seen
			}
		case kafka.Error:
			log.Printf("librdkafka: %v", event)
		}
	}
	return seen
}

// send hands messages to the producer at once and then after each interval.
func (r report) send(producer *kafka.Producer) error {
	pid := os.Getpid()
	uid := "unknown"
	if current, err := user.Current(); err == nil {
		uid = current.Uid
	}
	for sent := 0; r.count == 0 || sent < r.count; sent++ {
		if sent > 0 && r.interval > 0 {
			time.Sleep(r.interval)
		}
		now := time.Now()
		message := kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &r.topic, Partition: kafka.PartitionAny},
			Value:          fmt.Appendf(nil, "Time: %s, PID: %d, UID: %s", now.Format(time.RFC3339), pid, uid),
			Timestamp:      now,
		}
		for {
			err := producer.Produce(&message, nil)
			if err == nil {
				break
			}
			var kafkaError kafka.Error
			if !errors.As(err, &kafkaError) || kafkaError.Code() != kafka.ErrQueueFull {
				return fmt.Errorf("cannot send: %w", err)
			}
			// Deliveries make room.
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}
