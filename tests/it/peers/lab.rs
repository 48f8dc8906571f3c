//! What real programs are given and how they are run: keys, certificates, processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

use super::{NAME, PATIENCE};
use crate::support;

/// What the peers are given: `root.pem`, `server.pem/.key`, `client-ca.pem`, `client.pem/.key`, `other-ca.pem`,
/// `other.pem/.key`, made for one test and gone with it.
pub(super) struct Lab(TempDir);

impl Lab {
    pub(super) fn new() -> Self {
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

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A running program; ended with its test, whatever happens.
pub(super) struct Program {
    child: Child,
    name: String,
    printed: [Arc<Mutex<String>>; 2],
    readers: Vec<JoinHandle<()>>,
}

impl Program {
    pub(super) fn start(dir: &Path, words: &[&str], input: Option<&str>) -> Self {
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
    pub(super) fn printed(&self) -> String {
        self.printed.each_ref().map(|t| t.lock().unwrap().clone()).concat()
    }

    /// Waits for a line and gives what follows `start` on it.
    pub(super) fn line(&mut self, start: &str) -> String {
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
    pub(super) fn wait(mut self) -> (Option<i32>, String) {
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
    pub(super) fn end(mut self) -> String {
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

pub(super) fn collect(pipe: Box<dyn Read + Send>, into: Arc<Mutex<String>>) -> JoinHandle<()> {
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
pub(super) fn tools() -> Option<()> {
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
