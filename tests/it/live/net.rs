//! Namespaces with traffic of their own, programs that are ended with the test, and what a report must not depend on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{skip, skip_even_on_ci};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tlscope");

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a tool that must succeed.
pub fn must(command: &str) {
    let words: Vec<_> = command.split_whitespace().collect();
    let out = Command::new(words[0]).args(&words[1..]).output().unwrap_or_else(|e| panic!("{command}: {e}"));
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
}

/// False, said loudly, where live capture cannot be tested.
pub fn can_capture() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|l| l.starts_with("Uid:\t0\t"));
    let tools = ["ip", "tcpdump", "openssl", "curl"];
    let here = |t: &&str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|p| p.join(t).exists())
    };
    let missing: Vec<_> = tools.iter().filter(|t| !here(t)).collect();
    if !missing.is_empty() {
        skip(&format!("live capture is not tested: it needs {tools:?} (missing: {missing:?})"));
    } else if !root {
        skip_even_on_ci("live capture is not tested: it needs root");
    }
    root && missing.is_empty()
}

/// Filters are understood here.
pub fn has_libpcap() -> bool {
    ["/usr/lib", "/lib"].iter().any(|p| {
        let found = Command::new("find").args([p, "-name", "libpcap.so*"]).output().unwrap();
        !found.stdout.is_empty()
    })
}

/// Two namespaces joined by a pair of interfaces, `near` and `far`.
pub struct Net {
    pub names: [String; 2],
}

impl Net {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = format!("tlscope-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let net = Self { names: [format!("{n}-near"), format!("{n}-far")] };
        let [near, far] = &net.names;
        for name in &net.names {
            must(&format!("ip netns add {name}"));
            must(&format!("ip -n {name} link set lo up"));
        }
        must(&format!("ip -n {near} link add near type veth peer name far netns {far}"));
        for (ns, face, n) in [(near, "near", 1), (far, "far", 2)] {
            must(&format!("ip -n {ns} addr add 192.0.2.{n}/24 dev {face}"));
            must(&format!("ip -n {ns} addr add 2001:db8::{n}/64 dev {face} nodad"));
            must(&format!("ip -n {ns} link set {face} up"));
        }
        net
    }

    /// A command inside the near (0) or far (1) namespace.
    pub fn inside(&self, which: usize, program: &str) -> Command {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.names[which], program]).env_remove("SSLKEYLOGFILE").env_remove("SUDO_UID");
        c
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// A process that is ended with the test.
pub struct Running {
    pub child: Child,
    err: PathBuf,
}

impl Running {
    /// Starts it and waits until its standard error holds `ready`.
    pub fn start(command: &mut Command, out: Stdio, folder: &Path, ready: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let err = folder.join(format!("err-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        command.stdout(out).stderr(File::create(&err).unwrap());
        let child = command.spawn().unwrap();
        let mut it = Self { child, err };
        let end = Instant::now() + PATIENCE;
        while !it.said().contains(ready) {
            let ended = it.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{ready:?} was not said: {}", it.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        it
    }

    pub fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub fn signal(&self, name: &str) {
        must(&format!("kill -{name} {}", self.child.id()));
    }

    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A small disk, gone with the test.
pub struct Disk<'f>(&'f Path);

impl<'f> Disk<'f> {
    /// `None`, said loudly, where none can be mounted.
    pub fn mount(at: &'f Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at).output().unwrap();
        if !mounted.status.success() {
            skip_even_on_ci("a small disk cannot be mounted here: a full one is tested with /dev/full only");
            return None;
        }
        Some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

/// What the kernel says of a process in its `status`, such as `Uid:`.
pub fn status(pid: u32, what: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|l| l.strip_prefix(what)).unwrap_or_else(|| panic!("{what} in {status}")).trim().to_owned()
}

/// What a live capture says when it has begun.
pub const BEGUN: &str = "tried from inside";

/// `tlscope live` in a namespace, its report going to a file.
pub fn watch(net: &Net, which: usize, arguments: &[&str], folder: &Path, report: &str) -> Running {
    let mut c = net.inside(which, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson"]).args(arguments);
    Running::start(&mut c, File::create(folder.join(report)).unwrap().into(), folder, BEGUN)
}

/// The lines of an NDJSON report.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// What must not depend on how packets were had: everything but frame numbers, times and order.
pub fn essence(flow: &Value) -> String {
    let steps = |list: &Value, parts: [&str; 3]| -> Value {
        list.as_array().unwrap().iter().map(|m| parts.map(|p| m[p].clone())).map(|p| json!(p)).collect()
    };
    let auth = &flow["client_auth"];
    json!([
        flow["client"],
        flow["server"],
        flow["outcome"],
        flow["cause"],
        flow["version"],
        flow["cipher_suite"],
        flow["packets"],
        flow["bytes"],
        flow["ended_by"]["how"],
        [&auth["requested"], &auth["certificate"], &auth["confidence"]],
        steps(&flow["messages"], ["from", "type", "length"]),
        steps(&flow["findings"], ["code", "severity", "confidence"]),
        flow["gaps"],
    ])
    .to_string()
}

/// The final flows of a report, in no order.
pub fn essences<'a>(flows: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    flows.map(essence).collect()
}

pub fn live_flows(path: &Path) -> BTreeSet<String> {
    essences(lines(path).iter().filter(|l| l["type"] == "flow" && l["final"] == true))
}

pub fn file_flows(path: &Path) -> BTreeSet<String> {
    let out = Command::new(PROGRAM).args(["report", "-F", "json"]).arg(path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    essences(document["flows"].as_array().unwrap().iter())
}

/// Two hosts, and a folder.
pub struct Site {
    pub net: Net,
    folder: tempfile::TempDir,
}

impl Site {
    /// `None`, said loudly, where nothing can be captured.
    pub fn bare() -> Option<Self> {
        can_capture().then(|| Self { net: Net::new(), folder: tempfile::tempdir().unwrap() })
    }

    /// The same with certificates in the folder.
    pub fn new() -> Option<Self> {
        let site = Self::bare()?;
        certificates(site.folder());
        Some(site)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Certificates: a CA, and a server of it.
pub fn certificates(folder: &Path) {
    let run = |args: &str| {
        let out = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(out.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&out.stderr));
    };
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.pem -days 2 \
         -subj /CN=server -addext subjectAltName=DNS:server.test,IP:127.0.0.1 -CA ca.pem -CAkey ca.key");
}

/// `openssl s_server` in the far namespace.
pub fn serve(net: &Net, which: usize, folder: &Path, at: &str, more: &[&str]) -> Running {
    let mut c = net.inside(which, "openssl");
    c.args(["s_server", "-accept", at, "-cert", "server.pem", "-key", "server.key", "-www"]).args(more);
    c.current_dir(folder).stdin(Stdio::null());
    let server = Running::start(&mut c, Stdio::null(), folder, "");
    let port = at.rsplit(':').next().unwrap();
    let end = Instant::now() + PATIENCE;
    // Without connecting: a connection would be seen.
    loop {
        let out = net.inside(which, "ss").args(["-tlnH"]).output().unwrap();
        if String::from_utf8_lossy(&out.stdout).contains(&format!(":{port} ")) {
            return server;
        }
        assert!(Instant::now() < end, "the server does not listen: {}", server.said());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Calls a server with curl; its success does not matter.
pub fn call(net: &Net, which: usize, folder: &Path, url: &str, more: &[&str]) {
    let mut c = net.inside(which, "curl");
    c.args(["-s", "-m", "10", "-o", "/dev/null", url]).args(more).current_dir(folder);
    c.status().unwrap();
}
