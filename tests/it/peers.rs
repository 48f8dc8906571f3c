//! Real programs as peers: OpenSSL and curl talk over loopback, a relay between them writes down what passes, and what is
//! reported is held against what they printed themselves.
#![allow(clippy::disallowed_methods, reason = "children and sockets are waited for by the real clock")]

use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, ErrorKind, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, Reported, flows};
use crate::wire::Seg;

/// Nothing here takes longer, or the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The name that clients call.
const NAME: &str = "tls-server.test";

// Keys and certificates.

/// What the peers are given: `root.pem`, `server.pem/.key`, `client-ca.pem`, `client.pem/.key`, `other-ca.pem`,
/// `other.pem/.key`, made for one test and gone with it.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
        let days = |p: &mut CertificateParams| {
            p.not_before = rcgen::date_time_ymd(2020, 1, 1);
            p.not_after = rcgen::date_time_ymd(2100, 1, 1);
        };
        let ca = |name: &str| {
            let mut p = CertificateParams::default();
            days(&mut p);
            p.distinguished_name = DistinguishedName::new();
            p.distinguished_name.push(DnType::OrganizationName, "Test Lab");
            p.distinguished_name.push(DnType::CommonName, name);
            p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate().unwrap();
            let pem = p.self_signed(&key).unwrap().pem();
            (pem, Issuer::new(p, key))
        };
        let leaf = |file: &str, name: &str, names: &[&str], usage, issuer: &Issuer<'_, KeyPair>| {
            let mut p = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
            days(&mut p);
            p.distinguished_name = DistinguishedName::new();
            p.distinguished_name.push(DnType::CommonName, name);
            p.use_authority_key_identifier_extension = true;
            p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            p.extended_key_usages = vec![usage];
            let key = KeyPair::generate().unwrap();
            put(&format!("{file}.pem"), p.signed_by(&key, issuer).unwrap().pem());
            put(&format!("{file}.key"), key.serialize_pem());
        };
        let (pem, root) = ca("Test root");
        put("root.pem", pem);
        leaf("server", NAME, &[NAME, "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth, &root);
        for (file, ca_name, name) in [("client", "Client CA", "a client"), ("other", "Other CA", "a stranger")] {
            let (pem, issuer) = ca(ca_name);
            put(&format!("{file}-ca.pem"), pem);
            leaf(file, name, &[], ExtendedKeyUsagePurpose::ClientAuth, &issuer);
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

// Programs.

/// A running program; ended with its test, whatever happens.
struct Program {
    child: Child,
    name: String,
    printed: [Arc<Mutex<String>>; 2],
    readers: Vec<JoinHandle<()>>,
}

impl Program {
    fn start(dir: &Path, words: &[&str], input: Option<&str>) -> Self {
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .current_dir(dir)
            .env("OPENSSL_CONF", "/dev/null") // a machine's own settings would change what is offered
            .env_remove("SSLKEYLOGFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", words[0]));
        if let Some(text) = input {
            let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        }
        let printed = [Arc::default(), Arc::default()];
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = pipes.into_iter().zip(&printed).map(|(pipe, text)| collect(pipe, Arc::clone(text))).collect();
        Self { child, name: words.join(" "), printed, readers }
    }

    /// What it printed so far: standard output, then standard error.
    fn printed(&self) -> String {
        self.printed.each_ref().map(|t| t.lock().unwrap().clone()).concat()
    }

    /// Waits for a line and gives what follows `start` on it.
    fn line(&mut self, start: &str) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(rest) = self.printed().lines().find_map(|l| l.strip_prefix(start)) {
                return rest.to_owned();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status}:\n{}", self.name, self.printed());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} never printed {start:?}:\n{}", self.name, self.printed());
    }

    /// Waits for its end; gives its exit code and everything it printed.
    fn wait(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.readers.drain(..).for_each(|r| r.join().unwrap());
                return (status.code(), self.printed());
            }
            assert!(began.elapsed() < PATIENCE, "{} does not end:\n{}", self.name, self.printed());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it; gives everything it printed.
    fn end(mut self) -> String {
        let _ = self.child.kill();
        self.wait().1
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: Box<dyn Read + Send>, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// OpenSSL 3 and a curl that uses it; `None` after a loud skip.
fn tools() -> Option<()> {
    for (words, want) in [(["openssl", "version"], "OpenSSL 3"), (["curl", "--version"], "OpenSSL/3")] {
        let said = Command::new(words[0]).arg(words[1]).output();
        let said = said.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        if !said.contains(want) {
            support::skip(&format!("peers: `{}` says no {want:?}, but {:?}", words.join(" "), said.lines().next()));
            return None;
        }
    }
    Some(())
}

// The relay.

/// Writes what passes as a capture file with TCP connections between documentation addresses.
struct Record {
    pcap: Vec<u8>,
    frames: u16,
    connections: Vec<[u32; 2]>,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

impl Record {
    fn new() -> Self {
        // pcap with nanoseconds, version 2.4, Ethernet (draft-ietf-opsawg-pcap, section 4).
        let mut pcap = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
        pcap.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
        Self { pcap, frames: 0, connections: Vec::new() }
    }

    fn open(&mut self) -> usize {
        let n = self.connections.len();
        self.connections.push([1000, 2000]);
        self.segment(n, true, SYN, &[]);
        self.segment(n, false, SYN | ACK, &[]);
        self.segment(n, true, ACK, &[]);
        n
    }

    fn data(&mut self, n: usize, from_client: bool, bytes: &[u8]) {
        for part in bytes.chunks(1400) {
            self.segment(n, from_client, ACK, part);
        }
        self.segment(n, !from_client, ACK, &[]);
    }

    fn segment(&mut self, n: usize, from_client: bool, flags: u8, payload: &[u8]) {
        let seqs = &mut self.connections[n];
        let own = usize::from(!from_client);
        let ack = if flags & ACK == 0 { 0 } else { seqs[1 - own] };
        let seg = Seg { from_client, seq: seqs[own], ack, flags, payload: payload.to_vec() };
        seqs[own] = seqs[own].wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        self.frames += 1;
        let mut frame = seg.frame(self.frames);
        let port = 40_000 + u16::try_from(n).unwrap();
        let at = if from_client { 34 } else { 36 }; // the client's port in the TCP header
        frame[at..at + 2].copy_from_slice(&port.to_be_bytes());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let length = frame.len() as u32;
        for word in [now.as_secs() as u32, now.subsec_nanos(), length, length] {
            self.pcap.extend(word.to_le_bytes());
        }
        self.pcap.extend(frame);
    }
}

/// Stands between client and server.
struct Relay {
    port: u16,
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

impl Relay {
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let record = Arc::new(Mutex::new(Record::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&record), Arc::clone(&stop));
        let accepting = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => {
                        client.set_nonblocking(false).unwrap();
                        let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                        let n = shared.lock().unwrap().open();
                        for (from_client, from, to) in [(true, &client, &server), (false, &server, &client)] {
                            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                            let record = Arc::clone(&shared);
                            threads.push(std::thread::spawn(move || pass(n, from_client, from, to, &record)));
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
                    Err(e) => panic!("{e}"),
                }
            }
            threads
        });
        Self { port, record, stop, accepting: Some(accepting) }
    }

    /// Waits until all connections are closed; gives the capture.
    fn finish(mut self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.accepting.take().unwrap().join().unwrap() {
            thread.join().unwrap();
        }
        std::mem::take(&mut self.record.lock().unwrap().pcap)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Passes one direction on; each piece is written down before it is passed, so that the order is the true one.
fn pass(n: usize, from_client: bool, mut from: TcpStream, mut to: TcpStream, record: &Mutex<Record>) {
    from.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                record.lock().unwrap().segment(n, from_client, FIN | ACK, &[]);
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(len) => {
                record.lock().unwrap().data(n, from_client, &buffer[..len]);
                if to.write_all(&buffer[..len]).is_err() {
                    return;
                }
            }
            Err(e) => {
                if e.kind() == ErrorKind::ConnectionReset {
                    record.lock().unwrap().segment(n, from_client, RST | ACK, &[]);
                }
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

// Scenarios.

/// What came of a scenario: the report, and what each program printed.
struct Scene {
    document: Value,
    server: String,
    clients: Vec<(Option<i32>, String)>,
}

/// Runs a server with these options and clients one after the other; `PORT` in a client's words is the relay's.
fn play(lab: &Lab, server: &[&str], clients: &[(&[&str], Option<&str>)]) -> Scene {
    let words = ["openssl s_server -accept 127.0.0.1:0 -cert server.pem -key server.key -www -msg"];
    let words: Vec<&str> = words[0].split(' ').chain(server.iter().copied()).collect();
    let mut server = Program::start(lab.path(), &words, None);
    let port = server.line("ACCEPT 127.0.0.1:").parse().unwrap();
    let relay = Relay::start(port);
    let mut said = Vec::new();
    for (words, input) in clients {
        let words: Vec<String> = words.iter().map(|w| w.replace("PORT", &relay.port.to_string())).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        said.push(Program::start(lab.path(), &words, *input).wait());
    }
    let capture = relay.finish();
    let server = server.end();
    let document = Reported::of(Cursor::new(capture), "relay").document();
    assert_eq!(document["sources"][0]["complete"], true);
    assert_eq!(flows(&document).len(), clients.len(), "one flow a client: {}", document["flows"]);
    Scene { document, server, clients: said }
}

/// curl through the relay, with options of its own.
fn curl<'a>(options: &'a [&'a str]) -> Vec<&'a str> {
    let fixed = ["curl", "--silent", "--show-error", "--verbose", "--max-time", "10", "--http1.1", "--connect-to"];
    let url = ["tls-server.test:443:127.0.0.1:PORT", "https://tls-server.test/"];
    fixed.into_iter().chain(url).chain(options.iter().copied()).collect()
}

/// `openssl s_client` through the relay, with options of its own.
fn s_client<'a>(options: &'a [&'a str]) -> Vec<&'a str> {
    let fixed = "openssl s_client -connect 127.0.0.1:PORT -CAfile root.pem -ign_eof";
    fixed.split(' ').chain(options.iter().copied()).collect()
}

/// What `s_client` is given to type.
const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";

impl Scene {
    fn flow(&self) -> &Value {
        flows(&self.document)[0]
    }

    /// Every one of these was printed by one of the programs.
    fn assert_printed(&self, words: &[&str]) {
        let all: String = self.clients.iter().map(|c| c.1.as_str()).chain([self.server.as_str()]).collect();
        for word in words {
            assert!(all.contains(word), "nobody printed {word:?}:\n{all}");
        }
    }

    /// Version and suite are what curl says it uses.
    fn assert_negotiated_as_curl_says(&self) {
        let said = &self.clients[0].1;
        let line = said.lines().find_map(|l| l.split_once("SSL connection using ")).expect("curl says what it uses").1;
        let (version, suite) = line.split_once(" / ").expect("version / suite");
        assert_eq!(self.flow()["version"]["name"].as_str().unwrap().replace("TLS ", "TLSv"), version);
        assert_eq!(self.flow()["cipher_suite"], registered(suite.split_whitespace().next().unwrap()));
    }

    /// What the flow shows in clear is what the server says it read and wrote: types and lengths, in order. Of the client's
    /// messages a server that gave up has not read all.
    fn assert_messages_as_the_server_says(&self) {
        assert_eq!(self.clients.len(), 1);
        let (mut sealed, mut changed) = (false, [false, false]);
        let mut said: Vec<(&str, String, u64)> = Vec::new();
        for line in self.server.lines() {
            let Some((arrow, rest)) = line.split_at_checked(4).filter(|(a, _)| matches!(*a, "<<< " | ">>> ")) else {
                continue;
            };
            let from = if arrow == "<<< " { "client" } else { "server" };
            let (version, rest) = rest.split_once(", ").unwrap();
            let (kind, rest) = rest.split_once(" [length ").unwrap();
            let (length, what) = rest.split_once(']').unwrap();
            let length = u64::from_str_radix(length, 16).unwrap();
            let side = usize::from(from == "server");
            match kind {
                "RecordHeader" => sealed = false,
                "InnerContent" => sealed = true,
                "ChangeCipherSpec" => changed[side] = version != "TLS 1.3",
                // One that is read is not printed; the Finished behind it is.
                "Handshake" if what.ends_with(" Finished") => changed[side] = version != "TLS 1.3",
                "Handshake" | "Alert" if sealed || changed[side] => {}
                "Handshake" => said.push((from, snake(what.trim_start_matches(", ")), length)),
                "Alert" => said.push((from, what.split(' ').next_back().unwrap().to_owned(), length)),
                other => panic!("{other}"),
            }
        }
        let flow = self.flow();
        let mut alerts = flow["alerts"].as_array().into_iter().flatten();
        let mut seen: Vec<(&str, String, u64)> = Vec::new();
        for m in flow["messages"].as_array().unwrap().iter().filter(|m| m["basis"] == "observed") {
            let from = m["from"].as_str().unwrap();
            match m["record"].as_str().unwrap() {
                "handshake" => {
                    // OpenSSL calls a HelloRetryRequest by its type, and counts the header.
                    let kind = m["type"].as_str().unwrap().replace("hello_retry_request", "server_hello");
                    seen.push((from, kind, m["length"].as_u64().unwrap() + 4));
                }
                "alert" => {
                    let alert = alerts.find(|a| a["basis"] == "observed").expect("a message and an alert");
                    seen.push((from, alert["description"]["name"].as_str().unwrap().to_owned(), 2));
                }
                _ => {}
            }
        }
        let of = |list: &[(&str, String, u64)], from| -> Vec<String> {
            list.iter().filter(|m| m.0 == from).map(|m| format!("{} {}", m.1, m.2)).collect()
        };
        assert_eq!(of(&seen, "server"), of(&said, "server"));
        let (mut sent, read) = (of(&seen, "client"), of(&said, "client"));
        if flow["outcome"] == "failed" {
            sent.truncate(read.len());
        }
        assert_eq!(sent, read);
        assert!(said.len() >= 2, "{said:?}");
    }

    /// The flow ended as it must, and the right code says why.
    fn assert_fails(&self, outcome: &str, causes: &[&str], alert: (&str, &str)) {
        let f = self.flow();
        assert_ne!(self.clients[0].0, Some(0), "the client says it worked");
        assert_eq!(f["outcome"], outcome);
        assert!(causes.iter().any(|c| f["cause"] == *c), "cause {} is none of {causes:?}", f["cause"]);
        let alerts = f["alerts"].as_array().unwrap();
        let found = alerts.iter().any(|a| a["from"] == alert.0 && a["description"]["name"] == alert.1);
        assert!(found, "{alert:?} is not among {}", f["alerts"]);
    }
}

/// `ServerHello` → `server_hello`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Id and registered name of a cipher suite that OpenSSL calls by its own name, by OpenSSL's own table.
fn registered(name: &str) -> Value {
    let o = Command::new("openssl").args(["ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL"]).output().unwrap();
    let table = String::from_utf8(o.stdout).unwrap();
    for line in table.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [id, "-", iana, "-", own, ..] = words[..]
            && (own == name || iana == name)
        {
            let id = id.replace(",0x", "").to_lowercase();
            return serde_json::json!({"id": id, "name": iana});
        }
    }
    panic!("OpenSSL does not list {name}:\n{table}");
}

/// A certificate as OpenSSL says it, in our spelling.
fn assert_certificate(seen: &Value, lab: &Lab, file: &str) {
    let o = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-serial", "-subject", "-issuer", "-nameopt", "RFC2253"])
        .args(["-startdate", "-enddate", "-dateopt", "iso_8601", "-in", file])
        .current_dir(lab.path())
        .output()
        .unwrap();
    let text = String::from_utf8(o.stdout).unwrap();
    let said = |key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {key} in {text}")).to_owned()
    };
    let hex = |s: String| s.replace(':', "").to_lowercase();
    assert_eq!(seen["sha256"], hex(said("sha256 Fingerprint")));
    assert_eq!(seen["serial"].as_str().unwrap().trim_start_matches('0'), hex(said("serial")).trim_start_matches('0'));
    assert_eq!(seen["subject"], said("subject"));
    assert_eq!(seen["issuer"], said("issuer"));
    assert_eq!(seen["not_before"].as_str().unwrap().replace('T', " "), said("notBefore"));
    assert_eq!(seen["not_after"].as_str().unwrap().replace('T', " "), said("notAfter"));
}

const MUTUAL: [&str; 5] = ["-Verify", "10", "-verify_return_error", "-CAfile", "client-ca.pem"];

#[test]
fn mutual_tls_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2", "--cert", "client.pem", "--key", "client.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    assert_eq!(s.clients[0].0, Some(0), "{}", s.clients[0].1);
    s.assert_negotiated_as_curl_says();
    s.assert_messages_as_the_server_says();
    s.assert_printed(&["SSL certificate verify ok"]);
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["cause"], Value::Null);
    assert_eq!(f["client_hello"]["server_name"], NAME);
    assert_eq!(f["client_auth"]["requested"], true);
    assert_eq!(f["client_auth"]["certificate"], "sent");
    assert_eq!(f["client_auth"]["verified_possession"], true);
    assert_eq!(f["client_auth"]["acceptable_cas"], serde_json::json!(["CN=Client CA,O=Test Lab"]));
    assert_certificate(&f["certificates"]["server"][0], &lab, "server.pem");
    assert_certificate(&f["certificates"]["client"][0], &lab, "client.pem");
    assert_eq!(s.document["summary"]["mutual_tls"], 1);
}

#[test]
fn mutual_tls_13() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3", "--cert", "client.pem", "--key", "client.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_3"]].concat(), &[(&client, None)]);
    assert_eq!(s.clients[0].0, Some(0), "{}", s.clients[0].1);
    s.assert_negotiated_as_curl_says();
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["cause"], Value::Null);
    // Without keys it may be known or not, but never be told wrongly.
    let auth = &f["client_auth"]["certificate"];
    assert!(auth == "sent" || auth == "unknown", "{}", f["client_auth"]);
    assert_ne!(f["client_auth"]["requested"], false);
    assert_ne!(f["client_auth"]["basis"], "observed");
}

#[test]
fn no_client_certificate_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    s.assert_printed(&["peer did not return a certificate", "alert handshake failure"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["client-cert-missing"], ("server", "handshake_failure"));
    assert_eq!(s.flow()["client_auth"]["certificate"], "empty");
    assert_eq!(s.flow()["findings"][0]["blame"], "client");
}

#[test]
fn client_certificate_of_the_wrong_ca_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2", "--cert", "other.pem", "--key", "other.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    s.assert_printed(&["alert unknown ca", "unable to get local issuer certificate"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails(
        "failed",
        &["client-cert-issuer-not-in-ca-list", "client-cert-unknown-ca"],
        ("server", "unknown_ca"),
    );
    assert_eq!(s.flow()["client_auth"]["certificate"], "sent");
    assert_certificate(&s.flow()["certificates"]["client"][0], &lab, "other.pem");
    assert_eq!(s.flow()["certificates"]["client"][0]["issuer"], "CN=Other CA,O=Test Lab");
}

#[test]
fn client_lacks_the_servers_ca() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    for (version, most) in [("-tls1_2", "1.2"), ("-tls1_3", "1.3")] {
        let options = ["--cacert", "other-ca.pem", "--tls-max", most];
        let client = curl(&options);
        let s = play(&lab, &[version], &[(&client, None)]);
        s.assert_printed(&["alert unknown ca", "unable to get local issuer certificate"]);
        s.assert_messages_as_the_server_says();
        s.assert_fails("failed", &["server-cert-unknown-ca"], ("client", "unknown_ca"));
        assert_eq!(s.flow()["version"]["name"], format!("TLS {most}"));
        // A leaf without an intermediate (or an encrypted chain): its issuer may be the server's to send.
        assert_eq!(s.flow()["findings"][0]["blame"], "either");
    }
}

#[test]
fn no_common_version() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2"]);
    let s = play(&lab, &["-tls1_3"], &[(&client, None)]);
    s.assert_printed(&["alert protocol version"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["version-mismatch"], ("server", "protocol_version"));
    assert_eq!(s.flow()["version"], Value::Null);
}

#[test]
fn no_common_cipher_suite() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"]);
    let s = play(&lab, &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], &[(&client, None)]);
    s.assert_printed(&["alert handshake failure", "no shared cipher"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["cipher-mismatch", "handshake-failure-ambiguous"], ("server", "handshake_failure"));
    assert_eq!(s.flow()["cipher_suite"], Value::Null);
}

#[test]
fn resumption_13() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let first = s_client(&["-tls1_3", "-sess_out", "session"]);
    let second = s_client(&["-tls1_3", "-sess_in", "session"]);
    let s = play(&lab, &["-tls1_3"], &[(&first, Some(REQUEST)), (&second, Some(REQUEST))]);
    s.assert_printed(&["New, TLSv1.3", "Reused, TLSv1.3"]);
    let all = flows(&s.document);
    for (flow, (_, said)) in all.iter().zip(&s.clients) {
        assert_eq!(flow["outcome"], "established");
        assert_eq!(flow["resumed"], said.contains("Reused, TLSv1.3"));
        assert_eq!(flow["client_hello"]["psk_offered"], said.contains("Reused, TLSv1.3"));
    }
}

#[test]
fn hello_retry_request() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = s_client(&["-tls1_3", "-groups", "X25519:P-256", "-servername", NAME, "-alpn", "h2,http/1.1"]);
    let s = play(&lab, &["-tls1_3", "-groups", "P-256", "-alpn", "http/1.1"], &[(&client, Some(REQUEST))]);
    s.assert_printed(&[
        "Server Temp Key: ECDH, prime256v1, 256 bits",
        "ALPN protocol: http/1.1",
        "Verify return code: 0 (ok)",
    ]);
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["hello_retry"], true);
    assert_eq!(f["key_exchange"]["group"]["name"], "secp256r1");
    assert_eq!(f["client_hello"]["server_name"], NAME);
    assert_eq!(f["client_hello"]["alpn"], serde_json::json!(["h2", "http/1.1"]));
    let names =
        |v: &Value| v.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&f["client_hello"]["groups"]), ["x25519", "secp256r1"]);
    assert_eq!(names(&f["client_hello"]["key_shares"]), ["x25519"], "of the first ClientHello");
}

#[test]
fn no_client_certificate_13_is_never_called_a_success_of_both() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_3"]].concat(), &[(&client, None)]);
    s.assert_printed(&["peer did not return a certificate", "alert certificate required"]);
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(s.document["summary"]["mutual_tls"], 0);
    let auth = &f["client_auth"]["certificate"];
    assert!(auth == "empty" || auth == "unknown", "{}", f["client_auth"]);
    let cause = f["cause"].as_str();
    assert!(matches!(cause, None | Some("client-cert-missing" | "client-cert-rejected")), "{cause:?}");
}
