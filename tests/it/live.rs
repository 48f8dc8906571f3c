//! Live capture with real traffic: in network namespaces that the tests make, so that nothing else is on the wire. Needs root,
//! iproute2, tcpdump, openssl and curl.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{capture, skip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tlscope");

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a tool that must succeed.
fn must(command: &str) {
    let words: Vec<_> = command.split_whitespace().collect();
    let out = Command::new(words[0]).args(&words[1..]).output().unwrap_or_else(|e| panic!("{command}: {e}"));
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
}

/// False, said loudly, where live capture cannot be tested.
fn can_capture() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|l| l.starts_with("Uid:\t0\t"));
    let tools = ["ip", "tcpdump", "openssl", "curl"];
    let here = |t: &&str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|p| p.join(t).exists())
    };
    let missing: Vec<_> = tools.iter().filter(|t| !here(t)).collect();
    if !root || !missing.is_empty() {
        skip(&format!(
            "live capture is not tested: it needs root (it is: {root}) and {tools:?} (missing: {missing:?})"
        ));
        return false;
    }
    true
}

/// Two namespaces joined by a pair of interfaces, `near` and `far`.
struct Net {
    names: [String; 2],
}

impl Net {
    fn new() -> Self {
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
    fn inside(&self, which: usize, program: &str) -> Command {
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
struct Running {
    child: Child,
    err: PathBuf,
}

impl Running {
    /// Starts it and waits until its standard error holds `ready`.
    fn start(command: &mut Command, out: Stdio, folder: &Path, ready: &str) -> Self {
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

    fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    fn signal(&self, name: &str) {
        must(&format!("kill -{name} {}", self.child.id()));
    }

    fn wait(&mut self) -> ExitStatus {
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

/// What a live capture says when it has begun.
const BEGUN: &str = "tried from inside";

/// `tlscope live` in a namespace, its report going to a file.
fn watch(net: &Net, which: usize, arguments: &[&str], folder: &Path, report: &str) -> Running {
    let mut c = net.inside(which, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson"]).args(arguments);
    Running::start(&mut c, File::create(folder.join(report)).unwrap().into(), folder, BEGUN)
}

/// The lines of an NDJSON report.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// What must not depend on how packets were had: everything but frame numbers, times and order.
fn essence(flow: &Value) -> String {
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
fn essences<'a>(flows: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    flows.map(essence).collect()
}

fn live_flows(path: &Path) -> BTreeSet<String> {
    essences(lines(path).iter().filter(|l| l["type"] == "flow" && l["final"] == true))
}

fn file_flows(path: &Path) -> BTreeSet<String> {
    let out = Command::new(PROGRAM).args(["report", "-F", "json"]).arg(path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    essences(document["flows"].as_array().unwrap().iter())
}

/// Certificates: a CA, and a server of it.
fn certificates(folder: &Path) {
    let run = |args: &str| {
        let out = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(out.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&out.stderr));
    };
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.pem -days 2 \
         -subj /CN=server -addext subjectAltName=DNS:server.test,IP:127.0.0.1 -CA ca.pem -CAkey ca.key");
}

/// `openssl s_server` in the far namespace.
fn serve(net: &Net, which: usize, folder: &Path, at: &str, more: &[&str]) -> Running {
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
fn call(net: &Net, which: usize, folder: &Path, url: &str, more: &[&str]) {
    let mut c = net.inside(which, "curl");
    c.args(["-s", "-m", "10", "-o", "/dev/null", url]).args(more).current_dir(folder);
    c.status().unwrap();
}

/// The same traffic through a packet socket, through libpcap and through tcpdump: the same flows, each packet once.
fn all_see_the_same(interface: &str, server: usize, addresses: [&str; 2]) {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder);
    let _plain = serve(&net, server, folder, "*:4433", &[]);
    let _mutual = serve(&net, server, folder, "*:4434", &["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"]);
    let _old = serve(&net, server, folder, "*:4435", &["-tls1_2"]);

    let mut tcpdump = net.inside(0, "tcpdump");
    tcpdump
        .args(["-i", interface, "-Z", "root", "--immediate-mode", "-U", "-s", "0", "-w", "tcpdump.pcap"])
        .current_dir(folder);
    let mut tcpdump = Running::start(&mut tcpdump, Stdio::null(), folder, "listening on");
    let kept = folder.join("kept.pcapng");
    let kept_name = kept.to_str().unwrap();
    let mut watchers =
        vec![watch(&net, 0, &["-i", interface, "--through", "socket", "-w", kept_name], folder, "socket")];
    let libpcap = [PathBuf::from("/usr/lib"), "/lib".into()].iter().any(|p| {
        let found = Command::new("find").arg(p).args(["-name", "libpcap.so*"]).output().unwrap();
        !found.stdout.is_empty()
    });
    if libpcap {
        watchers.push(watch(&net, 0, &["-i", interface, "--through", "libpcap", "-f", "tcp"], folder, "libpcap"));
    } else {
        skip("libpcap is not installed: only the packet socket is tested");
    }

    for address in addresses {
        let at = |port: u16| format!("https://{address}:{port}/");
        call(&net, 0, folder, &at(4433), &["-k"]);
        call(&net, 0, folder, &at(4433), &[]);
        call(&net, 0, folder, &at(4434), &["-k"]);
        call(&net, 0, folder, &at(4434), &["-k", "--cert", "server.pem", "--key", "server.key"]);
        call(&net, 0, folder, &at(4435), &["-k"]);
        call(&net, 0, folder, &at(4435), &["-k", "--tlsv1.3"]);
        call(&net, 0, folder, &at(4436), &["-k"]);
    }
    // The last packets of the last connections.
    std::thread::sleep(Duration::from_millis(300));
    for w in &mut watchers {
        w.signal("INT");
        let status = w.wait();
        assert!(status.success(), "{status}: {}", w.said());
    }
    tcpdump.signal("INT");
    tcpdump.wait();

    let truth = file_flows(&folder.join("tcpdump.pcap"));
    assert_eq!(truth.len(), 14, "{truth:#?}");
    for cause in ["server-cert-unknown-ca", "client-cert-missing", "tcp-refused"] {
        assert!(truth.iter().any(|f| f.contains(cause)), "{cause}: {truth:#?}");
    }
    let same = |seen: BTreeSet<String>, by: &str| {
        assert!(seen == truth, "{by} saw {:#?}\nand not {:#?}", seen.difference(&truth), truth.difference(&seen));
    };
    same(live_flows(&folder.join("socket")), "the packet socket");
    same(file_flows(&kept), "whoever reads the kept packets");
    if libpcap {
        same(live_flows(&folder.join("libpcap")), "libpcap");
    }
}

#[test]
fn loopback_is_seen_as_tcpdump_sees_it() {
    if can_capture() {
        all_see_the_same("lo", 0, ["127.0.0.1", "[::1]"]);
    }
}

#[test]
fn a_pair_of_interfaces_is_seen_as_tcpdump_sees_it() {
    if can_capture() {
        all_see_the_same("near", 1, ["192.0.2.2", "[2001:db8::2]"]);
    }
}

#[test]
fn no_right_is_left_while_packets_are_read() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    for through in ["socket", "libpcap"] {
        let mut w = watch(&net, 0, &["-i", "any", "--through", through], folder.path(), "report");
        // After the sandbox was entered it says what still could be opened, if anything could.
        call(&net, 0, folder.path(), "https://127.0.0.1:4433/", &[]);
        let status = fs::read_to_string(format!("/proc/{}/status", w.child.id())).unwrap();
        let value = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim();
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(value(set).trim_start_matches('0'), "", "{set} in {status}");
        }
        assert!(value("Uid:").split_whitespace().all(|u| u != "0"), "{status}");
        assert_eq!((value("NoNewPrivs:"), value("Seccomp:")), ("1", "2"), "{status}");
        w.signal("TERM");
        assert!(w.wait().success());
        // What opens files, sockets and programs was tried from inside.
        let said = w.said();
        assert!(said.contains("tried from inside: a file, a socket, a program: all refused"), "{said}");
        let last = lines(&folder.path().join("report")).pop().unwrap();
        assert_eq!((&last["type"], &last["sources"][0]["format"]), (&json!("summary"), &json!("live")));
        assert_eq!(last["sources"][0]["complete"], true);
    }
}

#[test]
fn a_flow_is_told_while_it_is_open_and_when_it_ends() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder);
    let _server = serve(&net, 0, folder, "*:4433", &[]);
    let mut c = net.inside(0, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "-i", "lo"]);
    let mut w = Running::start(&mut c, Stdio::piped(), folder, BEGUN);
    let mut told =
        BufReader::new(w.child.stdout.take().unwrap()).lines().map(|l| serde_json::from_str(&l.unwrap()).unwrap());
    let mut client = net.inside(0, "openssl");
    client.args(["s_client", "-connect", "127.0.0.1:4433", "-quiet"]).stdin(Stdio::piped());
    let mut client = Running::start(&mut client, Stdio::null(), folder, "verify");
    let first: Value = told.next().unwrap();
    let what = |v: &Value| (v["outcome"].clone(), v["final"].clone());
    assert_eq!(what(&first), (json!("established"), json!(false)), "{first}");
    drop(client.child.stdin.take());
    let _ = client.child.kill();
    let second: Value = told.next().unwrap();
    assert_eq!(what(&second), (json!("established"), json!(true)), "{second}");
    assert_eq!(first["uid"], second["uid"]);
    w.signal("HUP");
    let last: Value = told.next().unwrap();
    assert_eq!((&last["flows"], &last["established"]), (&json!(1), &json!(1)), "each flow counts once");
    assert!(w.wait().success());
}

#[test]
fn what_ends_a_capture_is_said() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for through in ["socket", "libpcap"] {
        must(&format!("ip -n {} link add gone type veth peer name gone2", net.names[0]));
        must(&format!("ip -n {} link set gone up", net.names[0]));
        let mut w = watch(&net, 0, &["-i", "gone", "--through", through], folder, "report");
        must(&format!("ip -n {} link del gone", net.names[0]));
        assert_eq!(w.wait().code(), Some(3), "{}", w.said());
        assert!(w.said().contains("the capture on gone has ended"), "{}", w.said());
        let last = lines(&folder.join("report")).pop().unwrap();
        assert_eq!(last["sources"][0]["complete"], false);
    }
    // The disk is full.
    let mut w = watch(&net, 0, &["-i", "lo", "-w", "/dev/full"], folder, "report");
    call(&net, 0, folder, "https://127.0.0.1:4433/", &[]);
    assert_eq!(w.wait().code(), Some(3), "{}", w.said());
    assert!(w.said().contains("cannot write the packets to /dev/full"), "{}", w.said());
    // The reader of the pipe is gone.
    let mut c = net.inside(0, PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "-i", "lo"]);
    let mut w = Running::start(&mut c, Stdio::piped(), folder, BEGUN);
    drop(w.child.stdout.take());
    call(&net, 0, folder, "https://127.0.0.1:4433/", &[]);
    assert_eq!(w.wait().code(), Some(0), "{}", w.said());
}

#[test]
fn missing_rights_are_said_with_what_to_do() {
    if !can_capture() {
        return;
    }
    for through in ["socket", "libpcap"] {
        let mut c = Command::new("setpriv");
        c.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", PROGRAM]);
        let out = c.args(["live", "-i", "lo", "--through", through]).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        // The program may lie where nobody can start it.
        if said.contains("failed to execute") {
            return skip("the program cannot be started by another user here");
        }
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("sudo setcap cap_net_raw=ep \"") && said.contains("tlscope\""), "{said}");
    }
}

#[test]
fn a_stream_is_reported_while_it_is_written() {
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-", "-F", "ndjson"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = c.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all(&fs::read(capture("guide/5-client-cert-missing-12")).unwrap()).unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    // The pipe is still open: the flow is told because its time has come, not because the input ended.
    let first: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["cause"], "client-cert-missing", "{first}");
    drop(to);
    let rest: Vec<Value> = told.map(|l| serde_json::from_str(&l.unwrap()).unwrap()).collect();
    assert_eq!(rest.last().unwrap()["type"], "summary");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_growing_file_is_followed_until_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.pcapng");
    let whole = fs::read(capture("guide/5-client-cert-missing-12")).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-v", "-F", "ndjson", "--follow"]).arg(&path);
    let mut w = Running::start(&mut c, Stdio::piped(), folder.path(), BEGUN);
    File::options().append(true).open(&path).unwrap().write_all(&whole[whole.len() / 2..]).unwrap();
    let mut out = w.child.stdout.take().unwrap();
    let mut told = BufReader::new(out.by_ref()).lines();
    let first: Value = serde_json::from_str(&told.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["cause"], "client-cert-missing", "{first}");
    w.signal("TERM");
    let last: Value = serde_json::from_str(&told.last().unwrap().unwrap()).unwrap();
    assert_eq!(last["sources"][0]["complete"], true, "{last}");
    assert!(w.wait().success());
}

#[test]
fn a_command_is_run_and_reported_with_its_keys() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder);
    let _server = serve(&net, 0, folder, "*:4433", &[]);
    let run = |more: &[&str], command: &[&str]| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-F", "json", "-o", "report.json"]).args(more).arg("--").args(command);
        let out = c.current_dir(folder).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let report = fs::read(folder.join("report.json")).unwrap_or_default();
        (out.status.code(), said, serde_json::from_slice::<Value>(&report).unwrap_or_default())
    };
    let url = "https://127.0.0.1:4433/";
    let (code, said, report) = run(&["-w", "good.pcapng"], &["curl", "-sk", "-o", "/dev/null", url]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(report["summary"]["established"], 1, "{report}");
    // The packets are the same flow, and its secrets stand before them.
    let kept = fs::read(folder.join("good.pcapng")).unwrap();
    let text = String::from_utf8_lossy(&kept);
    assert!(text.contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET ") && said.contains("its keys in good.pcapng"), "{said}");
    assert_eq!(essences(report["flows"].as_array().unwrap().iter()), file_flows(&folder.join("good.pcapng")));
    // The command's result comes first, then that of the report.
    let (code, said, report) = run(&["--fail-on", "error"], &["curl", "-s", "-o", "/dev/null", url]);
    assert_eq!((code, &report["flows"][0]["cause"]), (Some(60), &json!("server-cert-unknown-ca")), "{said}");
    let quiet = "curl -s -o /dev/null https://127.0.0.1:4433/ || true";
    let (code, said, _) = run(&["--fail-on", "error"], &["sh", "-c", quiet]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(run(&[], &["/nowhere/at-all"]).0, Some(127));
    assert_eq!(run(&[], &["sh", "-c", "kill -9 $$"]).0, Some(137));
    let left: Vec<_> =
        fs::read_dir(std::env::temp_dir()).unwrap().filter_map(|e| e.unwrap().file_name().into_string().ok()).collect();
    assert!(!left.iter().any(|n| n.starts_with("tlscope-keys-")), "{left:?}");
}

#[test]
fn unsafe_code_stays_in_its_place() {
    let src = crate::support::root().join("src");
    let mut lines = 0;
    for path in crate::support::files(&src, "rs") {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap();
        let mut depth = 0usize;
        for line in text.lines().map(str::trim).filter(|l| !l.starts_with("//")) {
            if depth == 0 && !line.contains("unsafe {") && !line.starts_with("unsafe impl") {
                continue;
            }
            assert!(name.starts_with("capture/live/sys/"), "{name}: {line}");
            lines += 1;
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
        }
    }
    assert!((20..200).contains(&lines), "{lines} lines of unsafe code");
}
