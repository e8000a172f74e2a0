//! Reads responses that arrive before the request body is fully sent.
//!
//! A server that rejects a request may respond and close the connection during the upload. The HTTP
//! library then reports only the failed write, and the response with the reason is lost. Here, a
//! failed write ends the upload and the response is read.

use ureq::Error;
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How long to wait for the response after a failed write. The server sent it before closing, so it
/// arrives soon.
const GRACE: Duration = Duration::from_secs(1);

/// Connector between TCP and TLS, so that the response can be decrypted after a failed write.
#[derive(Debug)]
pub struct EarlyAnswer;

impl<In: Transport> Connector<In> for EarlyAnswer {
    type Out = EarlyAnswerTransport<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| EarlyAnswerTransport {
            inner,
            broken: false,
            error: None,
        }))
    }
}

/// A transport that discards output after a failed write.
#[derive(Debug)]
pub struct EarlyAnswerTransport<T> {
    inner: T,
    broken: bool,
    /// The error of the failed write, until it is reported.
    error: Option<Error>,
}

impl<T: Transport> Transport for EarlyAnswerTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !self.broken {
            if let Err(error) = self.inner.transmit_output(amount, timeout) {
                self.broken = true;
                self.error = Some(error);
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(error) = self.error.take() else {
            return self.inner.await_input(timeout);
        };
        let after = timeout.after.min(GRACE);
        match self.inner.await_input(NextTimeout { after, ..timeout }) {
            Ok(true) => {
                self.error = Some(error);
                Ok(true)
            }
            Ok(false) | Err(_) => Err(error),
        }
    }

    fn is_open(&mut self) -> bool {
        !self.broken && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

    use std::io::{self, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use ureq::{Agent, SendBody};

    use crate::{Agents, Proxies};

    /// Larger than the socket buffers.
    const LARGE: u64 = 64 << 20;

    /// Sends a large request to a server that reads a little, writes `answer` and closes.
    fn send_to(answer: &'static str) -> Result<u16, ureq::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let agents = Agents::new(Proxies::default(), |proxy| {
            Agent::config_builder()
                .http_status_as_error(false)
                .proxy(proxy)
                .build()
        });
        let mut body = io::repeat(0).take(LARGE);
        let request = ureq::http::Request::put(&url)
            .header("Content-Length", LARGE)
            .body(SendBody::from_reader(&mut body))
            .unwrap();
        let agent = agents.route(&url).unwrap().agent;
        let answered = agent.run(request);
        server.join().unwrap();
        Ok(answered?.status().as_u16())
    }

    #[test]
    fn reads_a_response_sent_during_the_upload() {
        let answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(send_to(answer).unwrap(), 413);
    }

    #[test]
    fn a_connection_closed_without_a_response_is_an_error() {
        assert!(send_to("").is_err());
    }
}
