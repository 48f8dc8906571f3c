//! The files that a live capture writes: by whom, with what rights, and what is said when they cannot be written.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::net::*;
use crate::support::capture;

/// Somebody who is not root.
const SOMEBODY: u32 = 65_534;

/// The process has no capability, gains none, and is held by seccomp; gives its user numbers.
pub fn nothing_is_left_to(pid: u32) -> String {
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(status(pid, set).trim_start_matches('0'), "", "{set}");
    }
    assert_eq!((status(pid, "NoNewPrivs:").as_str(), status(pid, "Seccomp:").as_str()), ("1", "2"));
    status(pid, "Uid:")
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    list.split_whitespace().map(|w| w.parse().unwrap()).collect()
}

/// The same as if called by sudo.
fn by_somebody(c: &mut Command) -> &mut Command {
    c.env("SUDO_UID", SOMEBODY.to_string()).env("SUDO_GID", SOMEBODY.to_string())
}

fn mode_and_owner(path: &Path) -> (u32, u32) {
    let m = fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (m.permissions().mode() & 0o777, m.uid())
}

#[test]
fn who_writes_files_has_no_right_but_that() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).unwrap();
    let folder_of = |name: &str, owner: u32| {
        let path = folder.join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    };
    let (own, theirs) = (folder_of("own", 0), folder_of("theirs", SOMEBODY));
    let rotated = |path: &Path| vec!["-w".into(), path.join("a.pcapng"), "--rotate-size".into(), "4K".into()];
    let start = |sudo: bool, arguments: &[PathBuf]| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["live", "-v", "-i", "lo", "-F", "ndjson"]).args(arguments);
        if sudo {
            by_somebody(&mut c);
        }
        Running::start(&mut c, Stdio::null(), folder, BEGUN)
    };
    for (sudo, path, uid) in [(false, &own, "0"), (true, &theirs, "65534")] {
        let mut w = start(sudo, &rotated(path));
        let scribes = children(w.child.id());
        assert_eq!(scribes.len(), 1);
        for pid in scribes {
            assert_eq!(nothing_is_left_to(pid).split_whitespace().collect::<Vec<_>>(), [uid; 4]);
        }
        assert!(w.said().contains(&format!("sandbox of the process that writes files: user {uid}, ")), "{}", w.said());
        assert!(!w.said().contains(": no"), "{}", w.said());
        // What is allowed it can do: several files.
        call(net, 0, folder, "https://127.0.0.1:4433/", &[]);
        for _ in 0..40 {
            call(net, 0, folder, "https://127.0.0.1:4433/", &[]);
        }
        w.signal("TERM");
        assert!(w.wait().success(), "{}", w.said());
        let files = crate::support::files(path, "pcapng");
        assert!(files.len() > 1, "{files:?}");
        files.iter().for_each(|f| assert_eq!(mode_and_owner(f), (0o600, uid.parse().unwrap())));
    }
    // Root that nobody called writes into a folder of another with the two capabilities that this takes.
    let mut w = start(false, &rotated(&theirs));
    let scribe = children(w.child.id())[0];
    assert_eq!(u64::from_str_radix(&status(scribe, "CapEff:"), 16).unwrap(), 1 << 1 | 1 << 3);
    assert_eq!(status(scribe, "CapPrm:"), status(scribe, "CapEff:"));
    w.signal("TERM");
    assert!(w.wait().success(), "{}", w.said());
    // Of `run` one process parses and has no right, one writes, and one can only end the command.
    let mut c = net.inside(0, PROGRAM);
    c.args(["run", "-v", "-i", "lo", "-w"]).arg(own.join("run.pcapng")).args([
        "--",
        "sh",
        "-c",
        "echo begun >&2; read x",
    ]);
    let mut w = Running::start(c.stdin(Stdio::piped()), Stdio::null(), folder, "process that leads");
    let leader = w.child.id();
    assert_eq!(u64::from_str_radix(&status(leader, "CapPrm:"), 16).unwrap(), 1 << 5);
    assert_eq!((status(leader, "NoNewPrivs:"), status(leader, "Seccomp:")), ("1".into(), "2".into()));
    assert!(w.said().contains("that leads: user 0, capabilities dropped: all but CAP_KILL, "), "{}", w.said());
    assert!(!w.said().contains("landlock: no"), "{}", w.said());
    // The one that has a child itself is the witness.
    let of_this = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == "tlscope";
    let (witness, scribe): (Vec<_>, Vec<_>) =
        children(leader).into_iter().filter(of_this).partition(|pid| !children(*pid).is_empty());
    assert_eq!((witness.len(), scribe.len()), (1, 1), "the keys have a scribe of their own");
    assert!(nothing_is_left_to(witness[0]).split_whitespace().all(|uid| uid == "65534"));
    let scribes: Vec<_> = children(witness[0]).into_iter().chain(scribe).collect();
    scribes.iter().for_each(|pid| drop(nothing_is_left_to(*pid)));
    assert_eq!(scribes.len(), 2);
    drop(w.child.stdin.take());
    assert_eq!(w.wait().code(), Some(1), "{}", w.said());
    // Who called sudo does not write where they could not, as with tcpdump; reports are no exception.
    for (arguments, what) in [(["-w", "a.pcapng"], "the packets to "), (["-o", "report"], "to ")] {
        let mut c = net.inside(0, PROGRAM);
        c.args(["live", "-i", "lo", "-F", "text", arguments[0]]).arg(own.join(arguments[1]));
        let out = by_somebody(&mut c).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(
            said.contains(&format!("cannot write {what}")) && said.contains("as user 65534, not as root"),
            "{said}"
        );
        assert!(!own.join(arguments[1]).exists());
    }
}

#[test]
fn packets_are_their_owners_and_reports_too() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    chown(folder, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let kept = folder.join("kept.pcapng");
    // One that is there already is no door for others.
    fs::write(&kept, "old").unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    chown(&kept, Some(SOMEBODY), None).unwrap();
    for command in [["run", "-q"], ["live", "--for=1s"]] {
        let mut c = net.inside(0, PROGRAM);
        c.args(command).args(["-i", "lo", "-F", "ndjson", "-w", "kept.pcapng", "-o", "report"]);
        if command[0] == "run" {
            c.args(["--", "true"]);
        }
        let out = by_somebody(&mut c).current_dir(folder).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(mode_and_owner(&kept), (0o600, SOMEBODY), "{command:?}");
        assert_eq!(mode_and_owner(&folder.join("report")), (0o644, SOMEBODY), "{command:?}");
        assert!(fs::read(&kept).unwrap().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn what_cannot_be_written_is_named() {
    let Some(site) = Site::bare() else { return };
    let (net, folder) = (&site.net, site.folder());
    let run = |more: &[&str], command: &str| {
        let mut c = net.inside(0, PROGRAM);
        c.args(["run", "-i", "lo", "-q"]).args(more).args(["--", "sh", "-c", command]).current_dir(folder);
        let out = c.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    // Known before the command is started.
    for (arguments, words) in [
        (["-w", "nope/x.pcapng", "-o", "r.txt"], "cannot write the packets to nope/x.pcapng: No such file"),
        (["-w", "x.pcapng", "-o", "nope/r.txt"], "cannot write to nope/r.txt: No such file"),
    ] {
        let (code, said) = run(&arguments, "touch ran");
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(words) && !said.contains(".tlscope-") && said.lines().count() == 1, "{said}");
        assert!(fs::read_dir(folder).unwrap().next().is_none(), "something was written, or the command has run");
    }
    // The disk is full: the report is whole, and so is what there was room for.
    let small = folder.join("small");
    fs::create_dir(&small).unwrap();
    let Some(_disk) = Disk::mount(&small) else { return };
    let many = "for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do
        curl -s http://127.0.0.1:$((i * 100 + j))/ http://127.0.0.1:$i/ http://127.0.0.1:$j/ http://127.0.0.1:7/; done; done; exit 0";
    let (code, said) = run(&["-w", "small/x.pcapng", "-o", "r.json", "-F", "json"], many);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("cannot write the packets to small/x.pcapng: No space left") && said.contains("is kept"),
        "{said}"
    );
    let report: Value = serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap();
    let kept = Command::new(PROGRAM).args(["report", "-F", "json", "small/x.pcapng"]).current_dir(folder).output();
    let kept: Value = serde_json::from_slice(&kept.unwrap().stdout).unwrap();
    let frames = |v: &Value| v["sources"][0]["frames"].as_u64().unwrap();
    assert!((100..frames(&report)).contains(&frames(&kept)), "{} of {}", frames(&kept), frames(&report));
    assert_eq!(kept["sources"][0]["complete"], true, "the last block is whole");
    // So it is when the report cannot be written: the packets are whole.
    let (code, said) = run(&["-w", "x.pcapng", "-o", "/dev/full"], "curl -s http://127.0.0.1:7/; exit 0");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("cannot write to /dev/full") && folder.join("x.pcapng").exists(), "{said}");
}

#[test]
fn lines_can_be_read_while_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    fs::write(&report, "older\n").unwrap();
    let mut c = Command::new(PROGRAM);
    c.args(["live", "-", "-F", "ndjson", "-o"]).arg(&report).stdin(Stdio::piped());
    let mut child = c.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all(&fs::read(capture("guide/5-client-cert-missing-12")).unwrap()).unwrap();
    // The pipe is still open.
    let end = Instant::now() + PATIENCE;
    while !fs::read_to_string(&report).unwrap().ends_with("}\n") {
        assert!(Instant::now() < end, "nothing came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(lines(&report)[0]["cause"], "client-cert-missing");
    drop(to);
    assert!(child.wait().unwrap().success());
    assert_eq!(lines(&report).last().unwrap()["type"], "summary");
}

#[test]
fn packets_go_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let name = "guide/5-client-cert-missing-12";
    let run = |arguments: &[&str]| {
        let mut c = Command::new(PROGRAM);
        c.args(["live", "-", "-F", "json"]).args(arguments).current_dir(folder.path());
        c.stdin(fs::File::open(capture(name)).unwrap()).output().unwrap()
    };
    for path in ["-", "/dev/stdout"] {
        let out = run(&["-w", path, "-o", "report.json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        fs::write(folder.path().join("kept"), &out.stdout).unwrap();
        assert_eq!(file_flows(&folder.path().join("kept")), file_flows(&capture(name)));
        fs::remove_file(folder.path().join("kept")).unwrap();
        // The report has it alone.
        let out = run(&["-w", path]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("give a file for it with -o") && out.stdout.is_empty(), "{said}");
        assert_eq!(run(&["-w", path, "-o", "report.json", "--rotate-size", "4K"]).status.code(), Some(2));
    }
    assert_eq!(crate::support::files(folder.path(), "json").len(), 1, "no file of such a name");
    assert!(!folder.path().join("-").exists());
}

#[test]
fn nobody_reads_is_noticed_where_nothing_happens() {
    if !can_capture() {
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["-F", "ndjson", "-w", "kept.pcapng"], ["-w", "-", "-o", "report"]] {
        let mut c = net.inside(0, PROGRAM);
        c.args(["live", "-v", "-i", "lo"]).args(arguments).current_dir(folder.path());
        let mut w = Running::start(&mut c, Stdio::piped(), folder.path(), BEGUN);
        drop(w.child.stdout.take());
        assert_eq!(w.wait().code(), Some(0), "{}", w.said());
        assert!(!w.said().contains("cannot write"), "{}", w.said());
    }
    // What was kept, and the report on what went through the pipe, are whole.
    assert!(file_flows(&folder.path().join("kept.pcapng")).is_empty());
    assert!(fs::read_to_string(folder.path().join("report")).unwrap().contains("0 frames"));
}
