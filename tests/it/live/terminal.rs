//! The UI over a live capture, in a real terminal.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::net::*;
use crate::support::capture;
use crate::tui::{Screen, missing, shown};

/// Writes one more capture to a file that is followed.
fn append(to: &Path, name: &str) {
    let bytes = fs::read(capture(name)).unwrap();
    File::options().append(true).create(true).open(to).unwrap().write_all(&bytes).unwrap();
}

#[test]
fn a_growing_capture_is_watched() {
    let Some(s) = Screen::start(120, 40) else { return };
    let growing = s.folder.path().join("growing.pcapng");
    let append = |name: &str| append(&growing, name);
    fs::write(&growing, "").unwrap();
    s.run("", &format!("live --follow {}", shown(&growing)));
    let empty = s.wait("no TLS connection so far");
    assert!(empty.contains("What to try:") && empty.contains(" live "), "{empty}");
    append("guide/5-client-cert-missing-12");
    let list = s.wait("Why: flow 1");
    assert!(list.contains("client-cert-missing") && list.contains("Flows (1)"), "{list}");
    // Frozen, nothing new shows; then all of it, and the selection has stayed.
    s.keys(&["Space"]);
    s.wait("frozen");
    append("good/mtls-13");
    let frozen = s.wait("frozen, 1 wait");
    assert!(frozen.contains("Flows (1)"), "{frozen}");
    s.keys(&["Space"]);
    let both = s.wait("Flows (2)");
    assert!(both.contains("Why: flow 1") && both.contains("1 failed"), "{both}");
    // The last line goes on with what comes, until the cursor is moved.
    s.keys(&["G"]);
    s.wait("live, following");
    append("good/mtls-12");
    s.wait("Why: flow 3");
    s.keys(&["k"]);
    s.wait("Why: flow 2");
    s.wait_until("not following", |t| t.contains(" live ") && !t.contains("following"));
    s.keys(&["g"]);
    s.wait("Why: flow 1");
    // What was captured can be opened while the capture goes on.
    s.keys(&["Enter"]);
    s.wait("CertificateRequest");
    s.tmux(&["resize-window", "-x", "80", "-y", "24"]);
    s.wait_until("80 columns", |t| t.lines().any(|l| l.starts_with('┌') && l.trim_end().chars().count() == 80));
    s.keys(&["Escape"]);
    s.wait("Flows (3)");
    s.keys(&["q"]);
    s.ended(0);
    s.is_restored();
}

#[test]
fn standard_input_can_be_looked_at() {
    let Some(s) = Screen::start(100, 30) else { return };
    s.run(&format!("cat {} | ", shown(&missing())), "-");
    s.wait("standard input");
    s.wait("Why: flow 1");
    // The flow is read again from what was piped in, and keys come from the terminal.
    s.keys(&["Enter"]);
    s.wait("fatal alert");
    s.keys(&["q"]);
    s.ended(0);
    s.is_restored();
}

#[test]
fn a_stream_is_looked_at_while_it_is_written() {
    let Some(s) = Screen::start(100, 30) else { return };
    // What was written so far has no end, and its writer waits: `tlscope -` is `tlscope live -`.
    for arguments in ["-", "live -"] {
        let go = s.folder.path().join("go");
        let (first, second) = (shown(&missing()), shown(&capture("good/mtls-13")));
        let wait = format!("until [ -e {} ]; do sleep 0.05; done", shown(&go));
        s.run(&format!("(cat {first}; {wait}; cat {second}) | "), arguments);
        let t = s.wait("Why: flow 1");
        assert!(t.contains(" live ") && t.contains("Flows (1)"), "{t}");
        File::create(&go).unwrap();
        s.wait("Flows (2)");
        s.keys(&["q"]);
        s.ended(0);
        s.is_restored();
        fs::remove_file(go).unwrap();
        s.line("clear");
        s.wait_until("a clear screen", |t| !t.contains("stty"));
    }
}

#[test]
fn what_is_no_stream_of_packets_is_said_before_the_screen_changes() {
    let Some(s) = Screen::start(100, 30) else { return };
    s.run("(sleep 0.5; echo this is no capture at all) | ", "-");
    let t = s.ended(3);
    assert!(t.contains("tlscope: cannot read standard input: it is text"), "{t}");
    s.line("clear");
    s.wait_until("a clear screen", |t| !t.contains("ended"));
    // Nobody writes.
    s.run("", "-");
    let t = s.ended(3);
    assert!(t.contains("standard input is a terminal"), "{t}");
    // Without a header nothing shows: the writer may ask for a password first.
    s.run("sleep 1 | ", "live -");
    let t = s.wait_until("the end", |t| t.matches("ended=3").count() >= 2);
    assert!(t.contains("cannot read standard input: it is empty"), "{t}");
    s.is_restored();
}

#[test]
fn a_signal_ends_a_live_capture_with_its_report_and_whole_files() {
    let Some(s) = Screen::start(100, 40) else { return };
    let (growing, kept) = (s.folder.path().join("growing.pcapng"), s.folder.path().join("kept.pcapng"));
    append(&growing, "guide/5-client-cert-missing-12");
    s.run("", &format!("live --follow {} -w {}", shown(&growing), shown(&kept)));
    s.wait("Why: flow 1");
    append(&growing, "good/mtls-13");
    s.wait("Flows (2)");
    let began = Instant::now();
    s.kill("TERM");
    let report = s.ended(143);
    assert!(began.elapsed() < PATIENCE, "{report}");
    for part in ["client-cert-missing", "2 flows: 1 established (1 mutual TLS), 1 failed", "pcapng  35 frames"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(!report.contains("INCOMPLETE"), "{report}");
    s.is_restored();
    assert_eq!(file_flows(&kept), file_flows(&growing));
}

#[test]
fn whoever_quits_is_told_what_was_kept() {
    let Some(s) = Screen::start(120, 30) else { return };
    let (growing, kept) = (s.folder.path().join("growing.pcapng"), s.folder.path().join("kept.pcapng"));
    append(&growing, "guide/5-client-cert-missing-12");
    s.run("", &format!("live --follow {} -w {}", shown(&growing), shown(&kept)));
    s.wait("Why: flow 1");
    // A name that is taken is said to be, and what is there stays.
    fs::write(s.folder.path().join("taken"), "older").unwrap();
    s.keys(&["w"]);
    s.wait("asks for the name");
    s.keys(&["Enter"]);
    s.wait("tlscope-flow-1.pcapng");
    s.keys(&["C-u"]);
    s.line(&shown(&s.folder.path().join("taken")));
    s.wait("there is a file of this name");
    s.keys(&["q"]);
    let t = s.ended(0);
    assert!(t.contains("tlscope: kept 16 packets in ") && t.contains("kept.pcapng"), "{t}");
    assert_eq!(file_flows(&kept), file_flows(&growing));
    s.is_restored();
}

#[test]
fn a_capture_that_fails_is_said_in_the_end_too() {
    let Some(s) = Screen::start(100, 30) else { return };
    let growing = s.folder.path().join("growing.pcapng");
    append(&growing, "guide/5-client-cert-missing-12");
    s.run("", &format!("live --follow {} -w /dev/full", shown(&growing)));
    s.wait("cannot write the packets to /dev/full");
    s.wait("Why: flow 1");
    std::thread::sleep(Duration::from_millis(100));
    s.keys(&["q"]);
    let t = s.ended(3);
    assert!(t.contains("tlscope: cannot write the packets to /dev/full"), "{t}");
    s.is_restored();
}

#[test]
fn two_signals_at_once_leave_a_terminal_in_order() {
    let Some(s) = Screen::start(100, 30) else { return };
    let growing = s.folder.path().join("growing.pcapng");
    append(&growing, "guide/5-client-cert-missing-12");
    s.run("", &format!("live --follow {}", shown(&growing)));
    s.wait("Why: flow 1");
    s.kill("TERM");
    // It may have ended already.
    let _ = std::process::Command::new("kill").args(["-TERM", &s.pid()]).output();
    s.ended(143);
    s.is_restored();
}

#[test]
fn a_capture_ends_when_its_time_is_over_and_can_still_be_looked_at() {
    let Some(s) = Screen::start(100, 30) else { return };
    let growing = s.folder.path().join("growing.pcapng");
    append(&growing, "guide/5-client-cert-missing-12");
    s.run("", &format!("live --for 1s --follow {}", shown(&growing)));
    s.wait_until("the end", |t| t.contains("Why: flow 1") && !t.contains(" live "));
    s.keys(&["Enter"]);
    s.wait("fatal alert");
    s.keys(&["q"]);
    s.ended(0);
}
