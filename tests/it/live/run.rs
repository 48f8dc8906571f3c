//! `tlscope run`: a command, its connections and its keys.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::net::*;

#[test]
fn a_command_is_run_and_reported_with_its_keys() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _server = serve(net, 0, folder, "*:4433", &[]);
    fs::create_dir(folder.join("tmp")).unwrap();
    let run = |more: &[&str], command: &[&str]| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-F", "json", "-o", "report.json"]).args(more).arg("--").args(command);
        let out = c.current_dir(folder).env("TMPDIR", folder.join("tmp")).output().unwrap();
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
    assert_eq!(run(&[], &["/etc/passwd"]).0, Some(126));
    assert_eq!(run(&[], &["sh", "-c", "kill -9 $$"]).0, Some(137));
    // Its temporary files are gone.
    let left: Vec<_> = fs::read_dir(folder.join("tmp")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_command_keeps_its_environment_and_key_log() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _server = serve(net, 0, folder, "*:4433", &[]);
    let log = folder.join("keys.log");
    let older = "CLIENT_RANDOM 00 11\n";
    fs::write(&log, older).unwrap();
    let run = |trust: &str| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-F", "json", "-o", "report.json", "-w", "kept.pcapng", "--trust", trust, "--"]);
        c.args(["sh", "-c", "curl -sk -o /dev/null https://127.0.0.1:4433/; env > env; cat > typed"]);
        c.env("TERM", "vt220").env("ONE_MORE", "yes").env("SSLKEYLOGFILE", &log).stdin(Stdio::piped());
        let mut child = c.current_dir(folder).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"words").unwrap();
        let out = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned(), report)
    };
    let (code, said, report) = run("ca.pem");
    assert_eq!(code, Some(0), "{said}");
    let environment = fs::read_to_string(folder.join("env")).unwrap();
    for line in ["TERM=vt220".to_owned(), "ONE_MORE=yes".to_owned(), format!("SSLKEYLOGFILE={}", log.display())] {
        assert!(environment.lines().any(|l| l == line), "{line}: {environment}");
    }
    assert_eq!(fs::read_to_string(folder.join("typed")).unwrap(), "words");
    // The caller's log has the keys behind what it had; the file has those of the command only.
    let keys = fs::read_to_string(&log).unwrap();
    let new = keys.strip_prefix(older).unwrap();
    assert!(new.contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "), "{keys}");
    let kept = fs::read(folder.join("kept.pcapng")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains(new.trim_end()) && !kept.contains(older.trim_end()), "{said}");
    // TLS 1.3 hides the chain, so that the anchors have nothing to judge; that they were read is known by a wrong one.
    assert_eq!(report["summary"]["established"], 1);
    let mut c = net.inside(0, PROGRAM);
    let out = c.args(["run", "-i", "lo", "--trust", "no-such.pem", "--", "true"]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("--trust no-such.pem: cannot be read"), "{said}");
}

#[test]
fn chains_are_judged_by_the_anchors_that_were_given() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _server = serve(net, 0, folder, "*:4433", &["-tls1_2"]);
    let codes = |trust: &str| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-q", "-F", "json", "-o", "report.json", "--trust", trust, "--"]);
        let out = c.args(["curl", "-sk", "-o", "/dev/null", "https://127.0.0.1:4433/"]).current_dir(folder).output();
        let report = fs::read(folder.join("report.json")).unwrap_or_else(|e| panic!("{e}: {out:?}"));
        let report: Value = serde_json::from_slice(&report).unwrap();
        crate::support::codes(&report["flows"][0]).iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()
    };
    let judged = ["ca.pem", "mozilla"].map(|trust| codes(trust).iter().any(|c| c == "server-cert-unknown-ca"));
    assert_eq!(judged, [false, true]);
}
