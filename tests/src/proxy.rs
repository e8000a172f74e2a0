//! A TCP proxy between the reporter and Kafka. It understands enough of Kafka's protocol to cut a
//! connection in the middle of a produce request, or before the response to one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Result;

/// What the proxy cuts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// The second half of the request.
    Request,
    /// The response to a request that the broker has handled.
    Answer,
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

struct Shared {
    broker: String,
    /// The produce requests to cut, counted from 1 over all connections.
    cuts: Vec<(usize, Cut)>,
    requests: AtomicUsize,
    /// The number of cuts made so far.
    cut: AtomicUsize,
    stop: AtomicBool,
}

/// The api_key of a produce request (kafka.apache.org/protocol.html).
const PRODUCE: [u8; 2] = [0, 0];

impl Proxy {
    /// Listens on `address` and forwards to `broker`, except for the cuts.
    pub fn start(address: &str, broker: &str, cuts: &[(usize, Cut)]) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let shared = Arc::new(Shared {
            broker: broker.into(),
            cuts: cuts.into(),
            requests: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let server = thread::spawn({
            let shared = shared.clone();
            move || {
                for client in listener.incoming() {
                    if shared.stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // A failed connection is an error that clients must handle.
                    let _ = client.and_then(|client| shared.clone().forward(client));
                }
            }
        });
        Ok(Self {
            address: address.into(),
            shared,
            server: Some(server),
        })
    }

    /// The number of cuts made so far.
    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Shared {
    /// Forwards both directions of a connection. If one ends, so does the other.
    fn forward(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let broker = TcpStream::connect(&self.broker)?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        // The correlation_id of the request whose response is dropped, or -1.
        let lost = Arc::new(AtomicI64::new(-1));
        thread::spawn({
            let (shared, lost) = (self.clone(), lost.clone());
            let (client, broker) = (client.try_clone()?, broker.try_clone()?);
            move || {
                let _ = shared.answers(&broker, &client, &lost);
                let _ = broker.shutdown(Shutdown::Both);
                // Not Shutdown::Both, which would close the connection in an orderly way.
                let _ = client.shutdown(Shutdown::Read);
            }
        });
        thread::spawn(move || {
            let _ = self.requests(&client, &broker, &lost);
            let _ = broker.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    fn requests(
        &self,
        mut client: &TcpStream,
        mut broker: &TcpStream,
        lost: &AtomicI64,
    ) -> io::Result<()> {
        loop {
            // size, api_key, api_version, correlation_id
            let mut head = [0; 12];
            client.read_exact(&mut head)?;
            let [a, b, c, d, key @ .., _, _, e, f, g, h] = head;
            let rest = u64::from(u32::from_be_bytes([a, b, c, d])).saturating_sub(8);
            let cut = if key == PRODUCE {
                self.next_cut()
            } else {
                None
            };
            if cut == Some(Cut::Answer) {
                lost.store(u32::from_be_bytes([e, f, g, h]).into(), Ordering::SeqCst);
            }
            broker.write_all(&head)?;
            if cut == Some(Cut::Request) {
                io::copy(&mut client.take(rest / 2), &mut broker)?;
                // Closing a connection with unread bytes sends a reset: tcp(7).
                client.peek(&mut [0])?;
                self.cut.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            io::copy(&mut client.take(rest), &mut broker)?;
        }
    }

    fn answers(
        &self,
        mut broker: &TcpStream,
        mut client: &TcpStream,
        lost: &AtomicI64,
    ) -> io::Result<()> {
        loop {
            // size, correlation_id
            let mut head = [0; 8];
            broker.read_exact(&mut head)?;
            let [a, b, c, d, id @ ..] = head;
            if lost.load(Ordering::SeqCst) == i64::from(u32::from_be_bytes(id)) {
                self.cut.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            let rest = u64::from(u32::from_be_bytes([a, b, c, d])).saturating_sub(4);
            client.write_all(&head)?;
            io::copy(&mut broker.take(rest), &mut client)?;
        }
    }

    fn next_cut(&self) -> Option<Cut> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let cut = self.cuts.iter().find(|(place, _)| *place == number);
        cut.map(|(_, cut)| *cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::free_address;

    /// The parts of a produce request that the proxy reads: correlation_id 7, and 100 more bytes.
    fn request() -> Vec<u8> {
        let head: [&[u8]; 4] = [&[0, 0, 0, 108], &PRODUCE, &[0, 11], &[0, 0, 0, 7]];
        [head.concat(), vec![1; 100]].concat()
    }

    fn connection(cut: Cut) -> (Proxy, TcpStream, TcpStream) {
        let broker = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = broker.local_addr().unwrap().to_string();
        let proxy = Proxy::start(&free_address().unwrap(), &address, &[(1, cut)]).unwrap();
        let client = TcpStream::connect(&proxy.address).unwrap();
        (proxy, client, broker.accept().unwrap().0)
    }

    #[test]
    fn a_cut_request_arrives_by_half_and_resets_the_connection() {
        let (proxy, mut client, mut broker) = connection(Cut::Request);
        client.write_all(&request()).unwrap();
        let mut arrived = Vec::new();
        broker.read_to_end(&mut arrived).unwrap();
        assert_eq!(arrived, request()[..62]);
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(proxy.cuts(), 1);
    }

    #[test]
    fn a_cut_response_is_lost_after_the_request_has_arrived() {
        let (proxy, mut client, mut broker) = connection(Cut::Answer);
        client.write_all(&request()).unwrap();
        let mut arrived = vec![0; 112];
        broker.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, request());
        // The response to an earlier request is forwarded.
        let answer = |id: u8| [0, 0, 0, 5, 0, 0, 0, id, 1];
        broker.write_all(&[answer(6), answer(7)].concat()).unwrap();
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).unwrap();
        assert_eq!(answers, answer(6));
        assert_eq!(proxy.cuts(), 1);
    }
}
