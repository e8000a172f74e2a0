//! Counts the messages by state: delivered, lost or waiting.
//!
//! librdkafka's thread calls this for every message. It takes no locks, and wakes a waiting task
//! only for the message that completes its wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::Notify;

/// Message counters since the start of the process.
#[derive(Debug)]
pub struct DeliveryTracker {
    started: Instant,
    taken: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    unconfirmed: AtomicU64,
    /// Messages of the three counters above that have been logged.
    settled: AtomicU64,
    /// Seconds from taking a message to the broker's acknowledgement.
    pub latency: Histogram,
    /// Time of the last progress: a message was settled, or was taken while none waited. In
    /// microseconds since the start.
    moved: AtomicU64,
    /// Number of settled messages at which to wake the waiting task.
    wake_at: AtomicU64,
    wake: Notify,
}

/// How an undelivered message was lost.
#[derive(Clone, Copy)]
pub enum Loss {
    /// The broker rejected it, delivery was given up, or it was never sent.
    Certain,
    /// It was sent but not acknowledged, so it may have arrived.
    Unconfirmed,
}

/// Time when a message was taken, passed through librdkafka as an opaque value: microseconds since
/// the start, truncated to the size of a pointer. With 32 bits it wraps around after 71 minutes,
/// and so do the differences.
pub type Taken = usize;

impl DeliveryTracker {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            taken: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unconfirmed: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            // Buckets from 0.5 ms to almost 9 minutes.
            latency: Histogram::new(exponential_buckets(0.0005, 2.0, 21)),
            moved: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
        }
    }

    /// Records a new message to send.
    pub fn take(&self) -> Taken {
        let now = self.now();
        if self.waiting() == 0 {
            self.moved.store(now, Ordering::Relaxed);
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        now as Taken
    }

    pub fn deliver(&self, taken: Taken) {
        let now = self.now();
        self.moved.store(now, Ordering::Relaxed);
        let micros = (now as Taken).wrapping_sub(taken);
        self.latency.observe(micros as f64 / 1e6);
        self.delivered.fetch_add(1, Ordering::SeqCst);
    }

    pub fn lose(&self, loss: Loss) {
        self.moved.store(self.now(), Ordering::Relaxed);
        match loss {
            Loss::Certain => self.failed.fetch_add(1, Ordering::SeqCst),
            Loss::Unconfirmed => self.unconfirmed.fetch_add(1, Ordering::SeqCst),
        };
    }

    /// Records that a delivered or lost message has been logged. Waiting tasks continue only then,
    /// so that the program does not exit before its last log line.
    // Sequentially consistent here and in `settled_at_least`, so that at least one of the two
    // threads sees the other's store.
    pub fn settle(&self) {
        let settled = self.settled.fetch_add(1, Ordering::SeqCst) + 1;
        if settled >= self.wake_at.load(Ordering::SeqCst) {
            self.wake_at.store(u64::MAX, Ordering::SeqCst);
            self.wake.notify_one();
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Reports whether messages are waiting and none was settled for this long.
    pub fn stalled_for(&self, time: Duration) -> bool {
        let moved = Duration::from_micros(self.moved.load(Ordering::Relaxed));
        self.waiting() > 0 && self.started.elapsed().saturating_sub(moved) >= time
    }

    /// Waits until `count` messages are settled, or until the time limit. Only one task may wait at
    /// a time.
    pub async fn settled_at_least(&self, count: u64, limit: Option<Duration>) {
        loop {
            self.wake_at.store(count, Ordering::SeqCst);
            if self.settled.load(Ordering::SeqCst) >= count {
                self.wake_at.store(u64::MAX, Ordering::SeqCst);
                return;
            }
            match limit {
                None => self.wake.notified().await,
                Some(limit) => {
                    let _ = tokio::time::timeout(limit, self.wake.notified()).await;
                    return;
                }
            }
        }
    }

    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }

    pub fn unconfirmed(&self) -> u64 {
        self.unconfirmed.load(Ordering::SeqCst)
    }

    /// Returns the number of messages that are lost or of unknown outcome.
    pub fn lost(&self) -> u64 {
        self.failed.load(Ordering::SeqCst) + self.unconfirmed()
    }

    /// Returns the number of messages that wait for an acknowledgement.
    pub fn waiting(&self) -> u64 {
        // Load in this order, so that messages settled in between cannot make the result negative.
        let ended = self.delivered() + self.lost();
        self.taken() - ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_message_as_waiting_delivered_or_lost() {
        let tracker = DeliveryTracker::new();
        let taken = [
            tracker.take(),
            tracker.take(),
            tracker.take(),
            tracker.take(),
        ];
        tracker.deliver(taken[0]);
        tracker.lose(Loss::Certain);
        tracker.lose(Loss::Unconfirmed);
        assert_eq!(tracker.taken(), 4);
        assert_eq!(tracker.delivered(), 1);
        assert_eq!(tracker.lost(), 2);
        assert_eq!(tracker.unconfirmed(), 1);
        assert_eq!(tracker.waiting(), 1);
    }

    #[test]
    fn stalls_only_while_messages_wait() {
        let (tracker, while_ago) = (DeliveryTracker::new(), Duration::from_millis(20));
        std::thread::sleep(while_ago);
        assert!(!tracker.stalled_for(while_ago));
        let taken = tracker.take();
        assert!(!tracker.stalled_for(while_ago));
        std::thread::sleep(while_ago);
        assert!(tracker.stalled_for(while_ago));
        tracker.take();
        tracker.deliver(taken);
        assert!(!tracker.stalled_for(while_ago));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn wakes_the_waiting_task_after_its_last_message() {
        let tracker = std::sync::Arc::new(DeliveryTracker::new());
        for _ in 0..1000 {
            tracker.take();
        }
        let other = tracker.clone();
        let settling = std::thread::spawn(move || {
            for _ in 0..1000 {
                other.deliver(0);
                other.settle();
            }
        });
        tracker.settled_at_least(500, None).await;
        tracker.settled_at_least(1000, None).await;
        assert_eq!(tracker.delivered(), 1000);
        settling.join().unwrap();
    }
}
