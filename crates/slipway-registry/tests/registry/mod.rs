//! A registry on loopback that follows the distribution-spec, with configurable faults. It speaks
//! plain HTTP and keeps everything in memory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]
#![allow(dead_code, reason = "each test binary uses a part of this module")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use slipway_oci::Digest;

/// A deviation from the correct response.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Responds with this status, these headers and this body.
    ErrorResponse(u16, Vec<(&'static str, String)>, String),
    /// Reads this many bytes of the body, stores them if they belong to a blob, and closes the
    /// connection.
    CutRequest(usize),
    /// Processes the request and closes the connection without a response.
    NoAnswer,
    /// Closes the connection after this many bytes of the response body.
    CutAnswer(usize),
    /// Changes this header of the correct response.
    Header(&'static str, String),
    /// Sends an endless response.
    Endless,
    /// Sends this body with the headers of the correct response.
    Body(Vec<u8>),
    /// Changes the status of the correct response.
    Status(u16),
    /// Removes this header from the correct response.
    Without(&'static str),
    /// Delays the correct response.
    Late(Duration),
}

/// A permanent peculiarity, as found in hosted registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Refuses bodies with a Content-Range that are larger than this, in bytes.
    LimitsChunks(usize),
    /// Refuses bodies that are larger than this, in bytes.
    LimitsBodies(usize),
    /// Refuses requests that continue an upload.
    KnowsNoChunks,
    /// Loses uploads before they are completed.
    LosesUploads,
    /// Refuses OCI manifests with this status and code.
    PredatesOci(u16, &'static str),
    /// Reports the same Range for every upload.
    RepeatsRange(&'static str),
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Fault::ErrorResponse(status, Vec::new(), String::new())
    }
}

/// Required authentication.
#[derive(Clone)]
pub enum Guard {
    Nobody,
    /// The required value of `Authorization`.
    Basic(String),
    /// The required value of `Authorization`; responses have no challenge.
    Silent(String),
    /// The required token and the endpoint that issues it.
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
    /// Prefix of `METHOD path` → faults for the next requests, one per request.
    faults: Vec<(String, VecDeque<Fault>)>,
    /// Responses to requests outside /v2/.
    pages: BTreeMap<String, String>,
    requests: Vec<Request>,
    guard: Option<Guard>,
    /// Ignores mounts, like registries that do not support them.
    no_mounts: bool,
    quirks: Vec<Quirk>,
}

/// A registry that runs until it is dropped.
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
                        // Tests disconnect early on purpose; ignore the error.
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

    /// Queues faults for the next requests with this prefix, such as `PUT /v2/app/blobs/`.
    pub fn fail(&self, begin: &str, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().collect();
        self.state().faults.push((begin.into(), faults));
    }

    pub fn guard(&self, guard: Guard) {
        self.state().guard = Some(guard);
    }

    pub fn adopt(&self, quirk: Quirk) {
        self.state().quirks.push(quirk);
    }

    pub fn refuse_mounts(&self) {
        self.state().no_mounts = true;
    }

    /// Sets the response to `GET path…` outside the registry API.
    pub fn page(&self, path: &str, text: impl Into<String>) {
        self.state().pages.insert(path.into(), text.into());
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the requests since the last call as `METHOD path`, without queries.
    pub fn requests(&self) -> Vec<String> {
        let line = |it: Request| {
            let path = it.path.split('?').next().unwrap_or_default();
            format!("{} {path}", it.method)
        };
        self.take().into_iter().map(line).collect()
    }

    /// Returns the requests since the last call, with queries and headers.
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

struct ErrorResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl ErrorResponse {
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
        ErrorResponse::new(status).body(body)
    }
}

fn serve(stream: TcpStream, host: &str, state: &Mutex<State>, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(WaitingReader { stream, stop });
    // Close connections that start with a TLS handshake.
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
            Some(Fault::ErrorResponse(status, headers, body)) => headers
                .into_iter()
                .fold(ErrorResponse::new(status), |it, (name, value)| {
                    it.header(name, value)
                })
                .body(body),
            Some(Fault::NoAnswer) => return Ok(()),
            Some(Fault::Header(name, value)) => right.header(name, value),
            Some(Fault::Status(status)) => ErrorResponse { status, ..right },
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

/// A reader that waits for data until the registry is dropped.
struct WaitingReader<'a> {
    stream: TcpStream,
    stop: &'a AtomicBool,
}

impl Read for WaitingReader<'_> {
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

fn answer(request: &Request, body: Vec<u8>, host: &str, state: &mut State) -> ErrorResponse {
    let path = request.path.split('?').next().unwrap_or_default();
    if !path.starts_with("/v2/") {
        let page = state.pages.get(path);
        return page.map_or(ErrorResponse::new(404), |text| {
            ErrorResponse::new(200).body(text.as_str())
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
        let answer = ErrorResponse::error(401, "UNAUTHORIZED");
        return match challenge.is_empty() {
            true => answer,
            false => answer.header("WWW-Authenticate", challenge),
        };
    }
    let rest = &path["/v2/".len()..];
    if rest.is_empty() {
        return ErrorResponse::new(200).body("{}");
    }
    if let Some((repository, upload)) = rest.split_once("/blobs/uploads/") {
        return uploads(request, repository, upload, path, body, host, state);
    }
    if let Some((repository, digest)) = rest.split_once("/blobs/") {
        let key = (repository.to_owned(), digest.to_owned());
        let Some(blob) = state.blobs.get(&key) else {
            return ErrorResponse::error(404, "BLOB_UNKNOWN");
        };
        let range = request.headers.get("range");
        let from = range.and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        return match from {
            Some(from) => ErrorResponse::new(206).body(&blob[from..]),
            None => ErrorResponse::new(200)
                .body(&blob[..])
                .header("Content-Length", blob.len().to_string()),
        };
    }
    let Some((repository, name)) = rest.split_once("/manifests/") else {
        return ErrorResponse::error(404, "NAME_UNKNOWN");
    };
    let key = (repository.to_owned(), name.to_owned());
    if request.method == "PUT" {
        let digest = Digest::of(&body).to_string();
        for quirk in &state.quirks {
            if let Quirk::PredatesOci(status, code) = quirk {
                if request.headers["content-type"].contains(".oci.") {
                    return ErrorResponse::error(*status, code);
                }
            }
        }
        if let Some(missing) = missing(repository, &body, state) {
            return ErrorResponse::error(400, &format!("MANIFEST_BLOB_UNKNOWN {missing}"));
        }
        let manifest = (request.headers["content-type"].clone(), body);
        let by_digest = (repository.to_owned(), digest.clone());
        state.manifests.insert(by_digest, manifest.clone());
        state.manifests.insert(key, manifest);
        return ErrorResponse::new(201).header("Docker-Content-Digest", digest);
    }
    match state.manifests.get(&key) {
        Some((media_type, bytes)) => ErrorResponse::new(200)
            .header("Content-Type", media_type)
            .header("Docker-Content-Digest", Digest::of(bytes).to_string())
            .header("Content-Length", bytes.len().to_string())
            .body(&bytes[..]),
        None => ErrorResponse::error(404, "MANIFEST_UNKNOWN"),
    }
}

/// Returns the first object that a manifest refers to and that is missing: such a manifest must not
/// become visible.
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
) -> ErrorResponse {
    if request.method == "POST" {
        let mount = query(&request.path, "mount").zip(query(&request.path, "from"));
        if let Some((digest, from)) = mount.filter(|_| !state.no_mounts) {
            if let Some(blob) = state.blobs.get(&(from, digest.clone())).cloned() {
                state.blobs.insert((repository.to_owned(), digest), blob);
                return ErrorResponse::new(201);
            }
        }
        state.begun += 1;
        let location = format!("/v2/{repository}/blobs/uploads/{}", state.begun);
        state.uploads.insert(location.clone(), Vec::new());
        // Alternate between absolute URLs and paths.
        let location = match state.begun % 2 {
            0 => format!("http://{host}{location}?state=a/b"),
            _ => location,
        };
        return ErrorResponse::new(202).header("Location", location);
    }
    let _ = upload;
    let Some(bytes) = state.uploads.get_mut(path) else {
        return ErrorResponse::error(404, "BLOB_UPLOAD_UNKNOWN");
    };
    let range = |bytes: &[u8]| {
        let quirk = state.quirks.iter().find_map(|quirk| match quirk {
            Quirk::RepeatsRange(range) => Some((*range).to_owned()),
            _ => None,
        });
        quirk.unwrap_or(format!("0-{}", bytes.len().saturating_sub(1)))
    };
    let part = request.headers.get("content-range");
    for quirk in &state.quirks {
        match quirk {
            Quirk::LimitsChunks(limit) if part.is_some() && body.len() > *limit => {
                return ErrorResponse::error(416, "REQUESTED_RANGE_NOT_SATISFIABLE");
            }
            Quirk::LimitsBodies(limit) if body.len() > *limit => return ErrorResponse::new(413),
            Quirk::LosesUploads if request.method == "PUT" => {
                return ErrorResponse::error(404, "BLOB_UPLOAD_UNKNOWN");
            }
            Quirk::KnowsNoChunks if part.is_some() => {
                return ErrorResponse::error(404, "UNSUPPORTED");
            }
            _ => {}
        }
    }
    match request.method.as_str() {
        "GET" => ErrorResponse::new(204).header("Range", range(bytes)),
        "DELETE" => {
            state.uploads.remove(path);
            ErrorResponse::new(204)
        }
        "PATCH" => {
            let start = part.map_or("0", |part| part.split('-').next().unwrap_or_default());
            if start.parse() != Ok(bytes.len()) {
                return ErrorResponse::new(416);
            }
            bytes.extend(body);
            ErrorResponse::new(202)
                .header("Range", range(bytes))
                .header("Location", path)
        }
        "PUT" => {
            bytes.extend(body);
            let blob = bytes.clone();
            state.uploads.remove(path);
            let digest = Digest::of(&blob).to_string();
            if query(&request.path, "digest").as_deref() != Some(&digest) {
                return ErrorResponse::error(400, "DIGEST_INVALID");
            }
            state
                .blobs
                .insert((repository.to_owned(), digest.clone()), blob);
            ErrorResponse::new(201).header("Docker-Content-Digest", digest)
        }
        _ => ErrorResponse::new(405),
    }
}
