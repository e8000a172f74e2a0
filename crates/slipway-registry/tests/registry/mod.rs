//! A registry on loopback that keeps to the distribution-spec, but for where it is told to
//! misbehave. It speaks plain HTTP and keeps everything in memory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use slipway_oci::Digest;

/// What the registry does in place of the right thing.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Takes so many bytes of the body, keeps them if they are a blob's, and hangs up.
    CutRequest(usize),
    /// Does what it is asked for, and hangs up without an answer.
    NoAnswer,
    /// Hangs up after so many bytes of the answer's body.
    CutAnswer(usize),
    /// The right answer but for this header.
    Header(&'static str, String),
    /// An answer that never ends.
    Endless,
    /// An answer with this body, under the headers of the right one.
    Body(Vec<u8>),
    /// The right answer but for its status.
    Status(u16),
    /// The right answer without this header.
    Without(&'static str),
    /// The right answer, late.
    Late(Duration),
}

/// A habit of a hosted registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Refuses a body with a Content-Range that is larger than this, in bytes.
    LimitsChunks(usize),
    /// Refuses bodies that are larger than this, in bytes.
    LimitsBodies(usize),
    /// Takes nothing that continues an upload.
    KnowsNoChunks,
    /// Has forgotten an upload when it is to be ended.
    LosesUploads,
    /// Refuses OCI's manifests with this status and code.
    PredatesOci(u16, &'static str),
    /// Says the same Range of every upload.
    RepeatsRange(&'static str),
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Fault::Answer(status, Vec::new(), String::new())
    }
}

/// Who is let in.
#[derive(Clone)]
pub enum Guard {
    Nobody,
    /// The value of `Authorization` that is right.
    Basic(String),
    /// The same, without a word of what is wanted.
    Silent(String),
    /// The token that is right, and where it is given.
    Token {
        token: String,
        realm: String,
    },
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
pub struct State {
    /// Repository and digest → bytes.
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    /// Repository and tag or digest → media type and bytes.
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    uploads: BTreeMap<String, Vec<u8>>,
    begun: usize,
    /// Begin of `METHOD path` → faults for the requests to come, one each.
    faults: Vec<(String, VecDeque<Fault>)>,
    /// Answers to requests outside /v2/.
    pages: BTreeMap<String, String>,
    requests: Vec<Request>,
    guard: Option<Guard>,
    /// Mounts are refused, as registries do that do not know them.
    no_mounts: bool,
    habits: Vec<Habit>,
}

/// Runs until it is dropped.
pub struct Registry {
    host: String,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Registry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let server = thread::spawn({
            let (state, stop, host) = (state.clone(), stop.clone(), host.clone());
            move || {
                thread::scope(|scope| {
                    for stream in listener.incoming() {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        // A client that goes away in the middle is part of the tests.
                        let (state, stop, host) = (&state, &stop, &host);
                        scope.spawn(move || {
                            stream.and_then(|stream| serve(stream, host, state, stop))
                        });
                    }
                });
            }
        });
        Self {
            host,
            state,
            stop,
            server: Some(server),
        }
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// Faults for the next requests that begin so, such as `PUT /v2/app/blobs/`.
    pub fn fail(&self, begin: &str, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().collect();
        self.state().faults.push((begin.into(), faults));
    }

    pub fn guard(&self, guard: Guard) {
        self.state().guard = Some(guard);
    }

    pub fn adopt(&self, habit: Habit) {
        self.state().habits.push(habit);
    }

    pub fn refuse_mounts(&self) {
        self.state().no_mounts = true;
    }

    /// What is answered to `GET path…`, outside of the registry.
    pub fn page(&self, path: &str, text: impl Into<String>) {
        self.state().pages.insert(path.into(), text.into());
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was asked for since the last time, as `METHOD path`, without queries.
    pub fn requests(&self) -> Vec<String> {
        let line = |it: Request| {
            let path = it.path.split('?').next().unwrap_or_default();
            format!("{} {path}", it.method)
        };
        self.take().into_iter().map(line).collect()
    }

    /// The same in full.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    pub fn has_tag(&self, repository: &str, tag: &str) -> bool {
        let key = (repository.to_owned(), tag.to_owned());
        self.state().manifests.contains_key(&key)
    }

    pub fn blobs(&self, repository: &str) -> usize {
        let state = self.state();
        let own = state.blobs.keys().filter(|(it, _)| it == repository);
        own.count()
    }

    pub fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.host);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn header(self, name: &str, value: impl Into<String>) -> Self {
        let mut answer = self.without(name);
        answer.headers.push((name.into(), value.into()));
        answer
    }

    fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(it, _)| !it.eq_ignore_ascii_case(name));
        self
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"so it is"}}]}}"#);
        Answer::new(status).body(body)
    }
}

fn serve(stream: TcpStream, host: &str, state: &Mutex<State>, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(Patient { stream, stop });
    // Who begins to speak TLS is not understood.
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(());
    }
    loop {
        let Some(request) = head(&mut reader)? else {
            return Ok(());
        };
        let size = request.headers.get("content-length");
        let size: usize = size.map_or(0, |size| size.parse().unwrap());
        let fault = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let line = format!("{} {}", request.method, request.path);
            let mut faults = state.faults.iter_mut();
            faults
                .find(|(begin, left)| line.starts_with(begin.as_str()) && !left.is_empty())
                .and_then(|(_, left)| left.pop_front())
        };
        let cut = match fault {
            Some(Fault::CutRequest(bytes)) => bytes.min(size),
            _ => size,
        };
        let mut body = vec![0; cut];
        reader.read_exact(&mut body)?;
        if let Some(Fault::CutRequest(_)) = fault {
            let mut state = state.lock().unwrap();
            let id = request.path.split('?').next().unwrap_or_default();
            if let Some(upload) = state.uploads.get_mut(id) {
                upload.extend(body);
            }
            return Ok(());
        }
        let right = answer(&request, body, host, &mut state.lock().unwrap());
        let mut cut = usize::MAX;
        let answer = match fault {
            Some(Fault::Answer(status, headers, body)) => headers
                .into_iter()
                .fold(Answer::new(status), |it, (name, value)| {
                    it.header(name, value)
                })
                .body(body),
            Some(Fault::NoAnswer) => return Ok(()),
            Some(Fault::Header(name, value)) => right.header(name, value),
            Some(Fault::Status(status)) => Answer { status, ..right },
            Some(Fault::Without(name)) => right.without(name),
            Some(Fault::Late(time)) => {
                thread::sleep(time);
                right
            }
            Some(Fault::Body(body)) => {
                let length = body.len().to_string();
                right.header("Content-Length", length).body(body)
            }
            Some(Fault::CutAnswer(bytes)) => {
                cut = bytes;
                right
            }
            Some(Fault::Endless) => {
                write!(
                    writer,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                )?;
                while !stop.load(Ordering::SeqCst) {
                    writer.write_all(&[b' '; 65536])?;
                }
                return Ok(());
            }
            Some(Fault::CutRequest(_)) | None => right,
        };
        let mut head = format!("HTTP/1.1 {} It is so\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !answer
            .headers
            .iter()
            .any(|(name, _)| name == "Content-Length")
        {
            head += &format!("Content-Length: {}\r\n", answer.body.len());
        }
        writer.write_all(format!("{head}\r\n").as_bytes())?;
        if request.method != "HEAD" {
            writer.write_all(&answer.body[..cut.min(answer.body.len())])?;
        }
        if cut < answer.body.len() {
            return Ok(());
        }
    }
}

/// Waits for bytes until the registry is dropped.
struct Patient<'a> {
    stream: TcpStream,
    stop: &'a AtomicBool,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                        && !self.stop.load(Ordering::SeqCst) => {}
                other => return other,
            }
        }
    }
}

fn head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        headers: BTreeMap::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                let value = value.trim().to_owned();
                request.headers.insert(name.to_ascii_lowercase(), value);
            }
            None => return Ok(Some(request)),
        }
    }
}

fn query(path: &str, name: &str) -> Option<String> {
    let pairs = path.split_once('?')?.1.split('&');
    let value = pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?
        .1;
    Some(value.replace("%3A", ":").replace("%2F", "/"))
}

fn answer(request: &Request, body: Vec<u8>, host: &str, state: &mut State) -> Answer {
    let path = request.path.split('?').next().unwrap_or_default();
    if !path.starts_with("/v2/") {
        let page = state.pages.get(path);
        return page.map_or(Answer::new(404), |text| {
            Answer::new(200).body(text.as_str())
        });
    }
    let authorization = request.headers.get("authorization");
    let (right, challenge) = match &state.guard {
        None => (None, String::new()),
        Some(Guard::Nobody) => (Some("nobody".to_owned()), "Basic realm=\"all\"".to_owned()),
        Some(Guard::Basic(value)) => (Some(value.clone()), "Basic realm=\"all\"".to_owned()),
        Some(Guard::Silent(value)) => (Some(value.clone()), String::new()),
        Some(Guard::Token { token, realm }) => (
            Some(format!("Bearer {token}")),
            format!("Bearer realm=\"{realm}\",service=\"tests\""),
        ),
    };
    if right.is_some() && authorization != right.as_ref() {
        let answer = Answer::error(401, "UNAUTHORIZED");
        return match challenge.is_empty() {
            true => answer,
            false => answer.header("WWW-Authenticate", challenge),
        };
    }
    let rest = &path["/v2/".len()..];
    if rest.is_empty() {
        return Answer::new(200).body("{}");
    }
    if let Some((repository, upload)) = rest.split_once("/blobs/uploads/") {
        return uploads(request, repository, upload, path, body, host, state);
    }
    if let Some((repository, digest)) = rest.split_once("/blobs/") {
        let key = (repository.to_owned(), digest.to_owned());
        let Some(blob) = state.blobs.get(&key) else {
            return Answer::error(404, "BLOB_UNKNOWN");
        };
        let range = request.headers.get("range");
        let from = range.and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        return match from {
            Some(from) => Answer::new(206).body(&blob[from..]),
            None => Answer::new(200)
                .body(&blob[..])
                .header("Content-Length", blob.len().to_string()),
        };
    }
    let Some((repository, name)) = rest.split_once("/manifests/") else {
        return Answer::error(404, "NAME_UNKNOWN");
    };
    let key = (repository.to_owned(), name.to_owned());
    if request.method == "PUT" {
        let digest = Digest::of(&body).to_string();
        for habit in &state.habits {
            if let Habit::PredatesOci(status, code) = habit {
                if request.headers["content-type"].contains(".oci.") {
                    return Answer::error(*status, code);
                }
            }
        }
        if let Some(missing) = missing(repository, &body, state) {
            return Answer::error(400, &format!("MANIFEST_BLOB_UNKNOWN {missing}"));
        }
        let manifest = (request.headers["content-type"].clone(), body);
        let by_digest = (repository.to_owned(), digest.clone());
        state.manifests.insert(by_digest, manifest.clone());
        state.manifests.insert(key, manifest);
        return Answer::new(201).header("Docker-Content-Digest", digest);
    }
    match state.manifests.get(&key) {
        Some((media_type, bytes)) => Answer::new(200)
            .header("Content-Type", media_type)
            .header("Docker-Content-Digest", Digest::of(bytes).to_string())
            .header("Content-Length", bytes.len().to_string())
            .body(&bytes[..]),
        None => Answer::error(404, "MANIFEST_UNKNOWN"),
    }
}

/// What a manifest names that is not there: nobody may see a tag of such a one.
fn missing(repository: &str, manifest: &[u8], state: &State) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let digests = |list: Vec<serde_json::Value>| -> Vec<(String, String)> {
        let digest = |it: &serde_json::Value| it["digest"].as_str().map(str::to_owned);
        let digests = list.iter().filter_map(digest);
        digests.map(|it| (repository.to_owned(), it)).collect()
    };
    let mut blobs = list("layers");
    blobs.push(document["config"].clone());
    let blobs = digests(blobs);
    let manifests = digests(list("manifests"));
    let blob = blobs.into_iter().find(|key| !state.blobs.contains_key(key));
    let manifest = manifests
        .into_iter()
        .find(|key| !state.manifests.contains_key(key));
    blob.or(manifest).map(|(_, digest)| digest)
}

fn uploads(
    request: &Request,
    repository: &str,
    upload: &str,
    path: &str,
    body: Vec<u8>,
    host: &str,
    state: &mut State,
) -> Answer {
    if request.method == "POST" {
        let mount = query(&request.path, "mount").zip(query(&request.path, "from"));
        if let Some((digest, from)) = mount.filter(|_| !state.no_mounts) {
            if let Some(blob) = state.blobs.get(&(from, digest.clone())).cloned() {
                state.blobs.insert((repository.to_owned(), digest), blob);
                return Answer::new(201);
            }
        }
        state.begun += 1;
        let location = format!("/v2/{repository}/blobs/uploads/{}", state.begun);
        state.uploads.insert(location.clone(), Vec::new());
        // In full, and as a path alone, in turn.
        let location = match state.begun % 2 {
            0 => format!("http://{host}{location}?state=a/b"),
            _ => location,
        };
        return Answer::new(202).header("Location", location);
    }
    let _ = upload;
    let Some(bytes) = state.uploads.get_mut(path) else {
        return Answer::error(404, "BLOB_UPLOAD_UNKNOWN");
    };
    let range = |bytes: &[u8]| {
        let habit = state.habits.iter().find_map(|habit| match habit {
            Habit::RepeatsRange(range) => Some((*range).to_owned()),
            _ => None,
        });
        habit.unwrap_or(format!("0-{}", bytes.len().saturating_sub(1)))
    };
    let part = request.headers.get("content-range");
    for habit in &state.habits {
        match habit {
            Habit::LimitsChunks(limit) if part.is_some() && body.len() > *limit => {
                return Answer::error(416, "REQUESTED_RANGE_NOT_SATISFIABLE");
            }
            Habit::LimitsBodies(limit) if body.len() > *limit => return Answer::new(413),
            Habit::LosesUploads if request.method == "PUT" => {
                return Answer::error(404, "BLOB_UPLOAD_UNKNOWN");
            }
            Habit::KnowsNoChunks if part.is_some() => return Answer::error(404, "UNSUPPORTED"),
            _ => {}
        }
    }
    match request.method.as_str() {
        "GET" => Answer::new(204).header("Range", range(bytes)),
        "DELETE" => {
            state.uploads.remove(path);
            Answer::new(204)
        }
        "PATCH" => {
            let start = part.map_or("0", |part| part.split('-').next().unwrap_or_default());
            if start.parse() != Ok(bytes.len()) {
                return Answer::new(416);
            }
            bytes.extend(body);
            Answer::new(202)
                .header("Range", range(bytes))
                .header("Location", path)
        }
        "PUT" => {
            bytes.extend(body);
            let blob = bytes.clone();
            state.uploads.remove(path);
            let digest = Digest::of(&blob).to_string();
            if query(&request.path, "digest").as_deref() != Some(&digest) {
                return Answer::error(400, "DIGEST_INVALID");
            }
            state
                .blobs
                .insert((repository.to_owned(), digest.clone()), blob);
            Answer::new(201).header("Docker-Content-Digest", digest)
        }
        _ => Answer::new(405),
    }
}
