//! `-w` with `--write-on`: of the packets only the handshakes of connections with findings.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Cursor, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tlscope::analyzer::{FlowReport, Options};
use tlscope::capture::live::Stream;
use tlscope::capture::{CaptureFile, Frame, PcapngBlocks, Source as _};
use tlscope::diagnose::{Policy, Severity, diagnose};
use tlscope::live::{Session, Sieve, Sink};

use super::net::*;
use crate::support::{Reported, capture, goldens, skip_even_on_ci};

/// A pcapng file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(PcapngBlocks, Vec<u8>)>>);

impl Sink for Memory {
    fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
        let (blocks, bytes) = &mut *self.0.lock().unwrap();
        if bytes.is_empty() {
            blocks.preamble(bytes);
        }
        blocks.frame(frame, bytes);
        Ok(())
    }

    fn name(&self) -> &str {
        "memory"
    }
}

/// The flows that are worth keeping, and what is said of each by itself: what it is compared with may not be kept.
fn worth(flows: &[FlowReport]) -> BTreeSet<String> {
    let told = flows.iter().filter_map(|f| {
        let mut facts = f.facts.clone();
        facts.siblings = Default::default();
        let d = diagnose(&facts, &Policy::default());
        let mut codes: Vec<_> = d.findings.iter().map(|f| (f.code, f.confidence)).collect();
        codes.sort();
        let worth = d.findings.iter().any(|f| f.severity >= Severity::Warning);
        worth.then(|| format!("{:?} {:?} {:?} {codes:?}", facts.ends, d.outcome, d.cause))
    });
    told.collect()
}

/// Time, interface and bytes of each frame.
fn frames(capture: Vec<u8>) -> Vec<(Option<i64>, Vec<u8>)> {
    let mut file = CaptureFile::from_reader(Cursor::new(capture), "x").unwrap();
    let mut all = Vec::new();
    while let Some(f) = file.next_frame().unwrap() {
        all.push((f.time.map(|t| t.0), f.data.to_vec()));
    }
    all
}

#[test]
fn what_is_kept_of_a_flow_gives_the_same_findings() {
    let mut flows = 0;
    for g in goldens() {
        let memory = Memory::default();
        let input = fs::read(capture(&g.name)).unwrap();
        let source = Box::new(Stream::start(Cursor::new(input.clone()), &g.name));
        let sieve = Sieve::new(Box::new(memory.clone()), Severity::Warning);
        let mut session = Session::new(source, Options::default(), vec![Box::new(sieve)]);
        let mut live = Vec::new();
        while session.turn(Duration::from_millis(1)).unwrap_or(false) {
            live.extend(session.take_flows());
        }
        let finished = session.finish(None);
        live.extend(finished.flows);
        assert_eq!(finished.left_out, [] as [String; 0], "{}", g.name);
        let kept = std::mem::take(&mut memory.0.lock().unwrap().1);
        let again = if kept.is_empty() { Vec::new() } else { Reported::of(Cursor::new(kept.clone()), &g.name).flows };
        let expected = worth(&live);
        assert_eq!(worth(&again), expected, "{}", g.name);
        flows += expected.len();
        // Nothing was made up; of a capture without a time, it is that of 1970.
        if !kept.is_empty() {
            let mut all = frames(input).into_iter();
            for (time, data) in frames(kept) {
                let found = all.any(|(t, d)| d == data && t.is_none_or(|t| Some(t) == time));
                assert!(found || live.len() > 1, "{}: a frame that was not captured, or in another order", g.name);
            }
        }
    }
    assert!(flows > 100, "{flows}");
}

/// `tlscope live -` with these options over these captures, as one stream.
fn stream(folder: &Path, captures: &[&str], options: &[&str]) -> (Option<i32>, String) {
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-", "-F", "ndjson", "-o", "report"]).args(options).current_dir(folder);
    let mut child = c.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    for name in captures {
        to.write_all(&fs::read(capture(name)).unwrap()).unwrap();
    }
    drop(to);
    let out = child.wait_with_output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// What a report of a file says: number of frames, and outcome and cause of each flow.
fn told(file: &Path) -> (u64, Vec<(String, String)>) {
    let out = Command::new(PROGRAM).args(["report", "-F", "json"]).arg(file).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    let text = |v: &Value| v.as_str().unwrap_or("none").to_owned();
    let flows = crate::support::flows(&document).iter().map(|f| (text(&f["outcome"]), text(&f["cause"]))).collect();
    (document["sources"][0]["frames"].as_u64().unwrap(), flows)
}

/// Others read it too: the number of its packets, as Wireshark's tools count.
fn packets_by_others(file: &Path) -> Option<u64> {
    let Ok(out) = Command::new("tshark").args(["-T", "fields", "-e", "frame.number", "-r"]).arg(file).output() else {
        skip_even_on_ci("tshark is not installed: whether others can read what is kept is not tested");
        return None;
    };
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && !said.contains("cut short"), "{}: {said}", file.display());
    Some(String::from_utf8_lossy(&out.stdout).lines().count() as u64)
}

const MISSING: (&str, &str) = ("failed", "client-cert-missing");
const UNKNOWN: (&str, &str) = ("failed", "server-cert-unknown-ca");

/// Two bad flows around two good ones.
const CAPTURES: &[&str] = &["guide/5-client-cert-missing-12", "good/mtls-13", "guide/2-unknown-ca-12", "good/mtls-12"];

fn owned(flows: &[(&str, &str)]) -> Vec<(String, String)> {
    flows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn only_handshakes_with_findings_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, said) = stream(folder, CAPTURES, &["-w", "bad.pcapng", "--write-on"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(lines(&folder.join("report")).last().unwrap()["flows"], 4);
    let (frames, flows) = told(&folder.join("bad.pcapng"));
    assert_eq!(flows, owned(&[MISSING, UNKNOWN]));
    if let Some(n) = packets_by_others(&folder.join("bad.pcapng")) {
        assert_eq!(n, frames);
    }
    // Without a finding there is a file, and nothing in it.
    assert_eq!(stream(folder, &["good/mtls-13"], &["-w", "none.pcapng", "--write-on", "error"]).0, Some(0));
    assert_eq!(told(&folder.join("none.pcapng")), (0, Vec::new()));
    packets_by_others(&folder.join("none.pcapng"));
    // All without the option; the option without a file is a mistake.
    assert_eq!(stream(folder, &["good/mtls-13"], &["-w", "all.pcapng"]).0, Some(0));
    assert_eq!(told(&folder.join("all.pcapng")).1, owned(&[("established", "none")]));
    assert_eq!(stream(folder, &[], &["--write-on", "error"]).0, Some(2));
}

#[test]
fn what_is_written_of_findings_is_rotated_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let all = CAPTURES.repeat(5);
    let row = |options: &[&str]| {
        for old in crate::support::files(folder, "pcapng") {
            fs::remove_file(old).unwrap();
        }
        let options = [&["-w", "bad.pcapng", "--write-on", "warning", "--rotate-size", "6K"], options].concat();
        assert_eq!(stream(folder, &all, &options), (Some(0), String::new()));
        crate::support::files(folder, "pcapng")
    };
    let whole = {
        assert_eq!(stream(folder, &all, &["-w", "one.pcap", "--write-on"]).0, Some(0));
        told(&folder.join("one.pcap"))
    };
    let files = row(&[]);
    assert!(files.len() > 3 && files[0].ends_with("bad-00001.pcapng"), "{files:?}");
    let mut frames = 0;
    for f in &files {
        assert!(fs::metadata(f).unwrap().len() <= 6 << 10, "{}", f.display());
        let n = told(f).0;
        assert!(packets_by_others(f).is_none_or(|others| others == n));
        frames += n;
    }
    assert_eq!((whole.1.len(), frames), (10, whole.0));
    assert_eq!(row(&["--rotate-keep", "2"]).len(), 2);
}

#[test]
fn real_handshakes_that_fail_are_written_and_no_other() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _plain = serve(net, 1, folder, "*:4433", &[]);
    let _mutual = serve(net, 1, folder, "*:4434", &["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"]);
    let path = |name: &str| folder.join(name).display().to_string();
    let mut all = watch(net, 0, &["-i", "near", "-w", &path("all.pcapng")], folder, "all");
    for through in ["socket", "libpcap"] {
        let kept = path(&format!("{through}.pcapng"));
        let arguments = ["-i", "near", "--through", through, "-w", &kept, "--write-on", "error"];
        let mut w = watch(net, 0, &arguments, folder, through);
        let good = ["--cacert", "ca.pem", "--resolve", "server.test:4433:192.0.2.2"];
        for _ in 0..5 {
            call(net, 0, folder, "https://server.test:4433/", &good);
        }
        call(net, 0, folder, "https://192.0.2.2:4434/", &["-k"]);
        call(net, 0, folder, "https://[2001:db8::2]:4433/", &[]);
        call(net, 0, folder, "https://192.0.2.2:4435/", &["-k"]);
        std::thread::sleep(Duration::from_millis(300));
        w.signal("INT");
        assert!(w.wait().success(), "{}", w.said());
        let live = lines(&folder.join(through));
        let bad = |f: &&Value| f["findings"].as_array().unwrap().iter().any(|f| f["severity"] == "error");
        let live = live.iter().filter(|l| l["type"] == "flow" && l["final"] == true);
        let (expected, others): (Vec<_>, Vec<_>) = live.partition(bad);
        assert!(expected.len() == 3 && others.len() == 5, "{expected:?} {others:?}");
        assert_eq!(file_flows(Path::new(&kept)), essences(expected.into_iter()));
        packets_by_others(Path::new(&kept));
    }
    all.signal("INT");
    assert!(all.wait().success());
    // They have the packets as they were captured.
    let whole = frames(fs::read(folder.join("all.pcapng")).unwrap());
    let kept = frames(fs::read(folder.join("socket.pcapng")).unwrap());
    assert!(!kept.is_empty() && kept.iter().all(|(_, data)| whole.iter().any(|(_, d)| d == data)));
    // In `run` they stand behind the keys.
    let mut c = net.inside(0, PROGRAM);
    c.args(["run", "-i", "near", "-q", "-F", "json", "-w", "run.pcapng", "--write-on", "--", "sh", "-c"]);
    c.arg(
        "curl -s --cacert ca.pem --resolve server.test:4433:192.0.2.2 https://server.test:4433/ >/dev/null
           curl -sk https://192.0.2.2:4434/ || true",
    );
    let out = c.current_dir(folder).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let (_, flows) = told(&folder.join("run.pcapng"));
    assert_eq!(flows.iter().map(|f| f.1.as_str()).collect::<Vec<_>>(), ["client-cert-missing"]);
    let bytes = fs::read(folder.join("run.pcapng")).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
}

#[test]
fn a_full_disk_leaves_whole_packets() {
    if !can_capture() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_disk) = Disk::mount(&small) else { return };
    let (code, said) = stream(folder.path(), &CAPTURES.repeat(10), &["-w", "small/kept.pcapng"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot write the packets to small/kept.pcapng: No space left"), "{said}");
    let last = lines(&folder.path().join("report")).pop().unwrap();
    assert_eq!(last["sources"][0]["complete"], false, "{last}");
    // What was written can be read to its end.
    let (frames, _) = told(&small.join("kept.pcapng"));
    assert!(frames > 50 && packets_by_others(&small.join("kept.pcapng")).is_none_or(|n| n == frames), "{frames}");
}
