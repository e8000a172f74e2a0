//! What became of the messages: each that was taken is delivered, lost, or still waiting.
//!
//! librdkafka's thread counts here for every single message, so nothing here locks or wakes anyone
//! unless someone waits for just that message.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::Notify;

/// Counts from the start of the process.
#[derive(Debug)]
pub struct Ledger {
    started: Instant,
    taken: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    unconfirmed: AtomicU64,
    /// Seconds from when a message was taken to when the broker had confirmed it.
    pub latency: Histogram,
    /// When a message was settled last, or was taken while none waited: microseconds since the start.
    moved: AtomicU64,
    /// Wake who waits when so many are settled.
    wake_at: AtomicU64,
    wake: Notify,
}

/// How a message ended that was not delivered.
#[derive(Clone, Copy)]
pub enum Loss {
    /// Refused by the broker, given up, or never sent.
    Certain,
    /// It was sent, and the broker did not confirm it: it may have arrived.
    Unconfirmed,
}

/// When a message was taken, as a number that goes through librdkafka: microseconds since the start,
/// cut to the size of a pointer. In 32 bits that wraps after 71 minutes, and so do the differences.
pub type Taken = usize;

impl Ledger {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            taken: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unconfirmed: AtomicU64::new(0),
            // From half a millisecond to nearly 9 minutes.
            latency: Histogram::new(exponential_buckets(0.0005, 2.0, 21)),
            moved: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
        }
    }

    /// A message is there to be sent.
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
        self.settle(&self.delivered);
    }

    pub fn lose(&self, loss: Loss) {
        self.moved.store(self.now(), Ordering::Relaxed);
        match loss {
            Loss::Certain => self.settle(&self.failed),
            Loss::Unconfirmed => self.settle(&self.unconfirmed),
        }
    }

    // Sequentially consistent here and in `settled_at_least`: one of the two sees what the other did.
    fn settle(&self, count: &AtomicU64) {
        count.fetch_add(1, Ordering::SeqCst);
        if self.settled() >= self.wake_at.load(Ordering::SeqCst) {
            self.wake_at.store(u64::MAX, Ordering::SeqCst);
            self.wake.notify_one();
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Whether messages wait and none was settled for so long.
    pub fn stalled_for(&self, time: Duration) -> bool {
        let moved = Duration::from_micros(self.moved.load(Ordering::Relaxed));
        self.waiting() > 0 && self.started.elapsed().saturating_sub(moved) >= time
    }

    /// Waits until so many messages were delivered or lost, or for the time limit. There must be one
    /// who waits at a time.
    pub async fn settled_at_least(&self, count: u64, limit: Option<Duration>) {
        loop {
            self.wake_at.store(count, Ordering::SeqCst);
            if self.settled() >= count {
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

    /// Those that are known to be lost, and those of which nothing is known.
    pub fn lost(&self) -> u64 {
        self.failed.load(Ordering::SeqCst) + self.unconfirmed()
    }

    pub fn settled(&self) -> u64 {
        self.delivered() + self.lost()
    }

    /// Those that wait for a broker's word.
    pub fn waiting(&self) -> u64 {
        // In this order: what settles in between must not make it negative.
        let settled = self.settled();
        self.taken() - settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_waiting_delivered_or_lost() {
        let ledger = Ledger::new();
        let taken = [ledger.take(), ledger.take(), ledger.take(), ledger.take()];
        ledger.deliver(taken[0]);
        ledger.lose(Loss::Certain);
        ledger.lose(Loss::Unconfirmed);
        assert_eq!(ledger.taken(), 4);
        assert_eq!(ledger.delivered(), 1);
        assert_eq!(ledger.lost(), 2);
        assert_eq!(ledger.unconfirmed(), 1);
        assert_eq!(ledger.waiting(), 1);
    }

    #[test]
    fn only_what_waits_stalls() {
        let (ledger, while_ago) = (Ledger::new(), Duration::from_millis(20));
        std::thread::sleep(while_ago);
        assert!(!ledger.stalled_for(while_ago));
        let taken = ledger.take();
        assert!(!ledger.stalled_for(while_ago));
        std::thread::sleep(while_ago);
        assert!(ledger.stalled_for(while_ago));
        ledger.take();
        ledger.deliver(taken);
        assert!(!ledger.stalled_for(while_ago));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_is_woken_by_the_last_message_it_waits_for() {
        let ledger = std::sync::Arc::new(Ledger::new());
        for _ in 0..1000 {
            ledger.take();
        }
        let other = ledger.clone();
        let settling = std::thread::spawn(move || (0..1000).for_each(|_| other.deliver(0)));
        ledger.settled_at_least(500, None).await;
        ledger.settled_at_least(1000, None).await;
        assert_eq!(ledger.delivered(), 1000);
        settling.join().unwrap();
    }
}
