//! A registry of the tests' own: it serves what a layout holds, and does what a test tells it to do wrong.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use layersift::oci::Digest;
use layersift::source::builder::ImageSet;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::support::Temp;

/// The repository that every server has.
pub(crate) const REPOSITORY: &str = "team/app";

/// What a client asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes of the body that are sent before the connection ends; the head tells of all of them.
    pub(crate) cut: Option<usize>,
    /// What `Content-Length` says, if it lies.
    pub(crate) length: Option<u64>,
    /// How fast it comes.
    pub(crate) pace: Pace,
}

/// How fast an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once.
    Whole,
    /// Nothing more comes after what is sent, and the connection stays open.
    Hangs,
    /// The head comes byte by byte, and has no end.
    TricklingHead,
    /// The body comes byte by byte.
    TricklingBody,
    /// The body has no length and no end.
    Endless,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: None, length: None, pace: Pace::Whole }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn to(location: &str) -> Self {
        Self::new(307, "").with("Location", location)
    }

    pub(crate) fn cut(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }

    pub(crate) fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }
}

/// What a registry holds: by path after `/v2/REPOSITORY/`, the media type and the bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) documents: BTreeMap<String, (String, Vec<u8>)>,
    /// Of the tag `1`.
    pub(crate) top: Option<Digest>,
}

impl Shelf {
    /// All that the layout of `images` holds; the tag `1` is its index, or the one manifest if there is only one.
    pub(crate) fn of(images: &ImageSet) -> Self {
        let temp = Temp::new();
        let layout = temp.path("layout");
        images.oci_layout(&layout).unwrap();
        let mut shelf = Self::default();
        for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            shelf.put(bytes);
        }
        let index = std::fs::read(layout.join("index.json")).unwrap();
        let parsed: Value = serde_json::from_slice(&index).unwrap();
        let manifests = parsed["manifests"].as_array().unwrap();
        let top = match &manifests[..] {
            [one] => one["digest"].as_str().unwrap().parse().unwrap(),
            _ => shelf.put(index),
        };
        shelf.tag("1", &top);
        shelf.top = Some(top);
        shelf
    }

    /// Adds bytes, under both endpoints.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::sha256(&bytes);
        let value: Option<Value> = serde_json::from_slice(&bytes).ok();
        let media_type = value.and_then(|value| value["mediaType"].as_str().map(str::to_owned));
        if let Some(media_type) = media_type {
            self.documents.insert(format!("manifests/{digest}"), (media_type, bytes.clone()));
        }
        self.documents.insert(format!("blobs/{digest}"), ("application/octet-stream".to_owned(), bytes));
        digest
    }

    pub(crate) fn tag(&mut self, tag: &str, digest: &Digest) {
        let document = self.documents[&format!("manifests/{digest}")].clone();
        self.documents.insert(format!("manifests/{tag}"), document);
    }

    /// The layers of the first image that the tag leads to, base first.
    pub(crate) fn layers(&self) -> Vec<Digest> {
        let mut document: Value = serde_json::from_slice(&self.documents["manifests/1"].1).unwrap();
        while let Some(first) = document["manifests"][0]["digest"].as_str() {
            document = serde_json::from_slice(&self.documents[&format!("manifests/{first}")].1).unwrap();
        }
        document["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().parse().unwrap()).collect()
    }

    /// What a registry without faults answers.
    fn answer(&self, request: &Request) -> Reply {
        if request.path == "/v2/" {
            return Reply::new(200, "{}");
        }
        let rest = request.path.strip_prefix(&format!("/v2/{REPOSITORY}/"));
        let Some((media_type, bytes)) = rest.and_then(|rest| self.documents.get(rest)) else {
            return Reply::new(404, r#"{"errors":[{"code":"NOT_FOUND"}]}"#).with("Content-Type", "application/json");
        };
        let from = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let reply = match from.filter(|_| request.is_blob()) {
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Reply::new(206, &bytes[from..]).with("Content-Range", range)
            }
            None => Reply::new(200, &bytes[..]),
        };
        reply.with("Content-Type", media_type)
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    /// Serves `shelf`; `plan` sees each request with the answer that is due, and gives the one that is sent.
    pub(crate) fn start(shelf: Shelf, plan: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::speaking(None, shelf, plan)
    }

    /// The same over TLS.
    pub(crate) fn start_tls(tls: Arc<ServerConfig>, shelf: Shelf, plan: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::speaking(Some(tls), shelf, plan)
    }

    fn speaking(tls: Option<Arc<ServerConfig>>, shelf: Shelf, plan: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (requests, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let served = Arc::new((shelf, plan, Arc::clone(&requests), Arc::clone(&is_over)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if served.3.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), served, tls) = (stream, Arc::clone(&served), tls.clone()) else { continue };
                thread::spawn(move || {
                    let (shelf, plan, requests, is_over) = &*served;
                    let answer = |request: Request| {
                        requests.lock().unwrap().push(request.clone());
                        plan(&request, shelf.answer(&request))
                    };
                    // A client that turns away is no matter of the server.
                    let _ = match tls {
                        None if is_http(&stream) => serve(stream, is_over, answer),
                        None => decline(stream),
                        Some(tls) => serve_tls(tls, stream, is_over, answer),
                    };
                });
            }
        });
        Self { address, requests, is_over }
    }

    /// What was asked for so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, applies: impl Fn(&Request) -> bool) -> usize {
        self.requests().iter().filter(|request| applies(request)).count()
    }

    /// What the user types to scan the image.
    pub(crate) fn image(&self) -> String {
        format!("registry:{}/{REPOSITORY}:1", self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(&self.address);
    }
}

/// What is not HTTP, such as a TLS greeting, is answered as servers do that speak plain HTTP.
fn is_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).is_ok_and(|read| read == 0 || first[0].is_ascii_uppercase())
}

fn decline(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
}

/// The same over TLS. A client that is turned away reads why before the connection ends.
fn serve_tls(
    tls: Arc<ServerConfig>,
    stream: TcpStream,
    is_over: &AtomicBool,
    answer: impl FnOnce(Request) -> Reply,
) -> std::io::Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let served = serve(&mut stream, is_over, answer);
    if served.is_err() {
        let _ = stream.sock.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
    }
    served
}

/// One request and its answer.
fn serve(mut stream: impl Read + Write, is_over: &AtomicBool, answer: impl FnOnce(Request) -> Reply) -> std::io::Result<()> {
    let Some(request) = read_request(&mut stream)? else { return Ok(()) };
    let reply = answer(request);
    let length = reply.length.unwrap_or(reply.body.len() as u64);
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", reply.status);
    if reply.pace != Pace::Endless {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len()).min(reply.body.len())];
    if reply.pace == Pace::TricklingHead {
        head.push_str("X-Slow: ");
        return trickle(&mut stream, head.bytes().chain(std::iter::repeat(b'x')), is_over);
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    match reply.pace {
        Pace::TricklingBody => trickle(&mut stream, body.iter().copied(), is_over)?,
        Pace::Endless => {
            while !is_over.load(Ordering::SeqCst) {
                stream.write_all(&[b' '; 64 << 10])?;
            }
        }
        _ => stream.write_all(body)?,
    }
    stream.flush()?;
    // The client gives up; until then nothing comes.
    while reply.pace == Pace::Hangs && !is_over.load(Ordering::SeqCst) && stream.read(&mut [0])? > 0 {}
    Ok(())
}

/// One byte after the other, as long as the client has patience.
fn trickle(stream: &mut impl Write, bytes: impl Iterator<Item = u8>, is_over: &AtomicBool) -> std::io::Result<()> {
    for byte in bytes.take_while(|_| !is_over.load(Ordering::SeqCst)) {
        stream.write_all(&[byte])?;
        stream.flush()?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// None if the client says nothing.
fn read_request(stream: &mut impl Read) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some((method, path)) = lines.first().and_then(|line| line.split_once(' ')) else { return Ok(None) };
    let path = path.rsplit_once(' ').map_or(path, |(path, _)| path);
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body }))
}
