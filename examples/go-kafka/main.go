// Sends the time, the process id and the user id to the Kafka topic info every 5 seconds.
// KAFKA_HOST names the broker. SIGTERM and SIGINT end it, after what was sent is delivered.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const (
	topic        = "info"
	flushTimeout = 10 * time.Second
)

func main() {
	interval := flag.Duration("interval", 5*time.Second, "time between messages")
	count := flag.Int("count", 0, "number of messages; 0 means without end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := report(ctx, *interval, *count); err != nil {
		log.Fatal(err)
	}
}

func report(ctx context.Context, interval time.Duration, count int) error {
	broker := cmp.Or(os.Getenv("KAFKA_HOST"), "localhost")
	if _, _, err := net.SplitHostPort(broker); err != nil {
		broker = net.JoinHostPort(broker, "9092")
	}
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": broker})
	if err != nil {
		return fmt.Errorf("cannot start the producer: %w", err)
	}
	defer producer.Close()
	delivered := make(chan int)
	go func() { delivered <- deliveries(producer.Events()) }()

	sent, err := send(ctx, producer, interval, count)
	if err != nil {
		return err
	}
	lost := producer.Flush(int(flushTimeout.Milliseconds()))
	// Close ends the events.
	producer.Close()
	log.Printf("sent %d messages, %d were delivered", sent, <-delivered)
	if lost > 0 {
		return errors.New("not all messages were delivered")
	}
	return nil
}

// deliveries counts the messages that reach the broker, until there are no more events.
func deliveries(events <-chan kafka.Event) int {
	count := 0
	for event := range events {
		switch event := event.(type) {
		case *kafka.Message:
			if event.TopicPartition.Error != nil {
				log.Printf("not delivered: %v", event.TopicPartition.Error)
				continue
			}
			log.Printf("delivered to %v", event.TopicPartition)
			count++
		case kafka.Error:
			log.Printf("librdkafka: %v", event)
		}
	}
	return count
}

// send produces a message at once and then after each interval. It returns how many it produced.
func send(ctx context.Context, producer *kafka.Producer, interval time.Duration, count int) (int, error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	name := topic
	for sent := 0; ; {
		now := time.Now()
		message := kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &name, Partition: kafka.PartitionAny},
			Value: fmt.Appendf(nil, "Time: %s, PID: %d, UID: %d",
				now.Format(time.RFC3339), os.Getpid(), os.Getuid()),
			Timestamp: now,
		}
		if err := producer.Produce(&message, nil); err != nil {
			return sent, fmt.Errorf("cannot send: %w", err)
		}
		sent++
		if sent == count {
			return sent, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return sent, nil
		}
	}
}
