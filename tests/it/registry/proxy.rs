//! A proxy of the tests' own: it knows where hosts are that are nowhere.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that makes tunnels (`CONNECT`), and runs until it is dropped.
pub(super) struct Proxy {
    pub(super) address: String,
    heads: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Proxy {
    /// `hosts` are `HOST:PORT` as clients say it, and where that is. Others are refused, and so is everybody without the header
    /// `authorization`, if there is one.
    pub(super) fn start(hosts: &[(&str, &str)], authorization: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (heads, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let hosts: BTreeMap<String, String> = hosts.iter().map(|(host, place)| ((*host).to_owned(), (*place).to_owned())).collect();
        let wanted = authorization.map(|value| format!("proxy-authorization: {}", value.to_ascii_lowercase()));
        let served = Arc::new((hosts, wanted, Arc::clone(&heads), Arc::clone(&is_over)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if served.3.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), served) = (stream, Arc::clone(&served)) else { continue };
                thread::spawn(move || {
                    let (hosts, wanted, heads, _) = &*served;
                    tunnel(stream, hosts, wanted.as_deref(), heads)
                });
            }
        });
        Self { address, heads, is_over }
    }

    /// The heads of the requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Where clients wanted to go.
    pub(super) fn targets(&self) -> Vec<String> {
        self.heads().iter().filter_map(|head| head.split(' ').nth(1).map(str::to_owned)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(&self.address);
    }
}

fn tunnel(
    mut client: TcpStream,
    hosts: &BTreeMap<String, String>,
    wanted: Option<&str>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    // The client waits for the answer: nothing but the head is read here.
    let mut head = String::new();
    let mut reader = BufReader::new(client.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    heads.lock().unwrap().push(head.clone());
    if wanted.is_some_and(|wanted| !head.to_ascii_lowercase().contains(wanted)) {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    let target = head.strip_prefix("CONNECT ").and_then(|rest| hosts.get(rest.split(' ').next()?));
    let Some(target) = target else { return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") };
    let mut server = TcpStream::connect(target)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
    Ok(())
}
