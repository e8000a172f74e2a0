//! A Debian mirror on loopback with configurable faults.

#![allow(dead_code, reason = "each test binary uses a part of this module")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

pub mod archive;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the mirror does instead of sending the file.
#[derive(Clone, Debug)]
pub enum Fault {
    Status(u16),
    /// Sends an HTML page with status 200.
    ErrorPage,
    /// Sends an HTML page with status 200, without Content-Length and Content-Type.
    ErrorPageOfUnknownLength,
    /// Closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// Stops sending after this many bytes of the body, and keeps the connection open.
    StallAfter(usize),
    /// Redirects to another URL.
    Redirect(String),
    /// Ignores the Range header and sends the whole file.
    IgnoreRange,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    faults: HashMap<String, VecDeque<Fault>>,
    requests: Vec<String>,
}

/// A mirror that runs until it is dropped.
pub struct Mirror {
    url: String,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Mirror {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let server = thread::spawn({
            let (state, stop) = (state.clone(), stop.clone());
            move || {
                thread::scope(|scope| {
                    for stream in listener.incoming() {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        // Tests disconnect early on purpose; ignore the error.
                        scope.spawn(|| stream.and_then(|stream| serve(stream, &state, &stop)));
                    }
                });
            }
        });
        Self {
            url,
            state,
            stop,
            server: Some(server),
        }
    }

    /// Returns the base URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Publishes a file; `path` starts with a slash.
    pub fn put(&self, path: &str, contents: impl Into<Vec<u8>>) {
        self.state
            .lock()
            .unwrap()
            .files
            .insert(path.into(), contents.into());
    }

    pub fn remove(&self, path: &str) {
        self.state.lock().unwrap().files.remove(path);
    }

    /// Queues faults for the next requests to `path`, one per request.
    pub fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state
            .lock()
            .unwrap()
            .faults
            .entry(path.into())
            .or_default()
            .extend(faults);
    }

    /// Returns the requests in order of arrival, as `GET /path` or `GET /path from 100`.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, stop: &AtomicBool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut from = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (file, fault) = {
        let mut state = state.lock().unwrap();
        let suffix = if from > 0 {
            format!(" from {from}")
        } else {
            String::new()
        };
        state.requests.push(format!("{method} {path}{suffix}"));
        let fault = state.faults.get_mut(path).and_then(VecDeque::pop_front);
        (state.files.get(path).cloned(), fault)
    };
    let page = "<html>We are being repaired</html>";
    match fault {
        Some(Fault::Status(status)) => {
            return write!(
                stream,
                "HTTP/1.1 {status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Some(Fault::Redirect(location)) => {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        Some(Fault::ErrorPage) => {
            let length = page.len();
            return write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
            );
        }
        Some(Fault::ErrorPageOfUnknownLength) => {
            return write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{page}");
        }
        _ => {}
    }
    let Some(file) = file else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let whole = from == 0 || from >= file.len() || matches!(fault, Some(Fault::IgnoreRange));
    let body = if whole { &file[..] } else { &file[from..] };
    let status = if whole {
        "200 OK"
    } else {
        "206 Partial Content"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    match fault {
        _ if method == "HEAD" => Ok(()),
        Some(Fault::CutAfter(bytes)) => stream.write_all(&body[..bytes]),
        Some(Fault::StallAfter(bytes)) => {
            stream.write_all(&body[..bytes])?;
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        }
        _ => stream.write_all(body),
    }
}
