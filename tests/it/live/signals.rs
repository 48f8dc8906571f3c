//! `tlscope run` and signals: they reach the command, nothing of it is left behind, and nothing that was captured is lost.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::net::*;
use crate::tui::{Screen, shown};

/// The command, whose own child stands in a file, when it has begun and its connection has ended.
const SCRIPT: &str = "curl -sk -o /dev/null https://127.0.0.1:4433/
sleep 600 & echo $! > child
echo begun >&2
wait
wait";

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a process does, as the kernel's letter for it, and its process group.
fn state(pid: &str) -> Option<(char, u32)> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
    let mut rest = stat.rsplit(')').next()?.split_whitespace();
    Some((rest.next()?.chars().next()?, rest.nth(1)?.parse().ok()?))
}

fn is_alive(pid: &str) -> bool {
    state(pid).is_some_and(|(letter, _)| letter != 'Z')
}

/// Signals for the process alone, as from a supervisor, or (with `-`) for its whole group, as when a terminal is closed,
/// which sends HUP twice: what ends it, and with what exit code.
#[test]
fn a_signal_ends_the_command_and_loses_nothing() {
    let Some(site) = Site::new() else { return };
    let (net, folder) = (&site.net, site.folder());
    let _server = serve(net, 0, folder, "*:4433", &[]);
    fs::create_dir(folder.join("tmp")).unwrap();
    let deaf = format!("trap '' TERM\n{SCRIPT}");
    // The third ends in order and says so itself.
    let orderly = format!("trap 'kill $!; exit 7' TERM\n{SCRIPT}");
    let relayed = format!("trap 'kill $!; exit 8' USR1\n{SCRIPT}");
    let cases: [(&[&str], &str, i32); 8] = [
        (&["TERM"], SCRIPT, 143),
        (&["HUP"], SCRIPT, 129),
        (&["TERM"], &orderly, 7),
        (&["TERM", "TERM"], &deaf, 137),
        // A shell's child in the background is deaf to INT.
        (&["INT", "TERM"], SCRIPT, 130),
        (&["-HUP", "-HUP"], SCRIPT, 129),
        (&["-QUIT"], SCRIPT, 131),
        (&["USR1"], &relayed, 8),
    ];
    for (signals, script, code) in cases {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-q", "-F", "json", "-o", "report.json", "-w", "kept.pcapng", "--", "sh", "-c"]);
        c.arg(script).current_dir(folder).env("TMPDIR", folder.join("tmp")).stdin(Stdio::null());
        c.process_group(0);
        let mut w = Running::start(&mut c, Stdio::null(), folder, "begun");
        for (n, s) in signals.iter().enumerate() {
            if let Some(s) = s.strip_prefix('-') {
                must(&format!("kill -{s} -- -{}", w.child.id()));
                continue;
            }
            if n > 0 {
                until("the first signal is noticed", || w.said().contains("passed on to the command"));
            }
            w.signal(s);
        }
        assert_eq!(w.wait().code(), Some(code), "{signals:?}: {}", w.said());
        let child = fs::read_to_string(folder.join("child")).unwrap();
        assert!(!is_alive(child.trim()), "{signals:?}: the command's child lives on");
        let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["summary"]["established"], 1, "{signals:?}: {report}");
        let kept = fs::read(folder.join("kept.pcapng")).unwrap();
        assert!(String::from_utf8_lossy(&kept).contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "), "{signals:?}");
        assert_eq!(essences(report["flows"].as_array().unwrap().iter()), file_flows(&folder.join("kept.pcapng")));
        for name in ["report.json", "kept.pcapng", "child"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0, "{signals:?}: temporary files");
    }
}

/// Nobody can pass on what kills; but keys are secret.
#[test]
fn keys_do_not_stay_behind() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    fs::create_dir(folder.join("tmp")).unwrap();
    let keys = || fs::read_dir(folder.join("tmp")).unwrap().count();
    let mut c = net.inside(0, PROGRAM);
    c.args(["run", "-i", "lo", "-q", "--", "sh", "-c", "echo begun >&2; read line"]).stdin(Stdio::piped());
    let mut w = Running::start(c.current_dir(folder).env("TMPDIR", folder.join("tmp")), Stdio::null(), folder, "begun");
    assert_eq!(keys(), 1);
    w.signal("KILL");
    w.wait();
    until("the keys are removed", || keys() == 0);
    until("what was captured is kept", || folder.join("tlscope-run.pcapng").exists());
}

#[test]
fn everything_stops_together_and_goes_on() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    for arguments in [
        ["run", "-i", "lo", "-q", "-w", "kept.pcapng", "--", "sh", "-c", "echo tried from inside >&2; read line"],
        ["live", "-i", "lo", "-v", "-w", "live.pcapng", "-o", "report", "-F", "text"],
    ] {
        let mut c = net.inside(0, PROGRAM);
        c.args(arguments).current_dir(folder).stdin(Stdio::piped()).process_group(0);
        let mut w = Running::start(&mut c, Stdio::null(), folder, BEGUN);
        let group = w.child.id();
        let states = || {
            let all = fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().into_string().ok());
            all.filter_map(|pid| state(&pid)).filter(|s| s.1 == group).map(|s| s.0).collect::<String>()
        };
        let before = states();
        assert!(before.len() > 1, "{before}");
        must(&format!("kill -TSTP -- -{group}"));
        until(&format!("{arguments:?}: all stop"), || states() == "T".repeat(before.len()));
        must(&format!("kill -CONT -- -{group}"));
        until("all go on", || !states().contains('T'));
        if arguments[0] == "run" {
            drop(w.child.stdin.take());
        } else {
            w.signal("TERM");
        }
        let code = w.wait().code();
        // The shell's `read` found the end.
        assert_eq!(code, Some(i32::from(arguments[0] == "run")), "{}", w.said());
    }
}

#[test]
fn a_key_of_the_terminal_reaches_the_command_once() {
    if !can_capture() {
        return;
    }
    let Some(s) = Screen::start(200, 30) else { return };
    let script = s.folder.path().join("command.sh");
    let text =
        "n=0; trap 'n=$((n+1)); echo got $n' INT; echo begun; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done; exit 5";
    fs::write(&script, text).unwrap();
    let kept = s.folder.path().join("kept.pcapng");
    s.run("", &format!("run -i lo -q -w {} -- sh {}", shown(&kept), shown(&script)));
    s.wait("begun");
    s.keys(&["C-c"]);
    let shows = s.ended(5);
    assert!(shows.contains("got 1") && !shows.contains("got 2") && !shows.contains("passed on"), "{shows}");
    assert!(kept.exists());
    // Without job control of its own around it, as a line that a person types.
    fs::remove_file(&kept).unwrap();
    s.line("clear");
    // A line that is typed before the screen is clear goes with it.
    s.wait_until("a clear screen", |t| !t.contains("ended="));
    s.line(&format!("{PROGRAM} run -i lo -q -w {} -- sh -c 'echo begun; sleep 600'", shown(&kept)));
    s.wait_until("it begins", |t| t.lines().any(|l| l.trim() == "begun"));
    s.keys(&["C-z"]);
    s.wait("Stopped");
    s.line("fg; echo ended=$?");
    s.wait_until("it goes on", |t| t.matches("sleep 600").count() >= 3);
    std::thread::sleep(Duration::from_millis(200));
    s.keys(&["C-c"]);
    s.ended(130);
    assert!(kept.exists());
}
