//! The program as it is typed: exit codes, outputs, helps.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tlscope::report;

use crate::support::{capture, drives_a_terminal, flows, golden, goldens, root};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tlscope");

/// The program, in the project's directory, without settings of the person who runs the test.
pub fn tlscope<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut c = Command::new(PROGRAM);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "SSLKEYLOGFILE", "COLUMNS"] {
        c.env_remove(name);
    }
    c.current_dir(root()).timeout(Duration::from_secs(60)).args(args);
    c
}

/// What a run gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn ran(c: &mut Command) -> Ran {
    let o = c.output().expect("the program runs");
    let text = |b: Vec<u8>| String::from_utf8(b).expect("output is UTF-8");
    Ran { code: o.status.code().expect("no signal"), out: text(o.stdout), err: text(o.stderr) }
}

pub fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    ran(&mut tlscope(args))
}

/// One sentence of the program, with what it must name.
pub fn assert_sentence(err: &str, names: &[&str]) {
    assert!(err.starts_with("tlscope: ") && err.ends_with('\n'), "{err:?}");
    for name in names {
        assert!(err.contains(name), "{err:?} does not name {name:?}");
    }
    assert_eq!(drives_a_terminal(err), None, "{err:?}");
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

pub fn path(name: &str) -> String {
    capture(name).to_str().expect("UTF-8").to_owned()
}

// Exit codes.

#[test]
fn a_good_capture_ends_with_0_and_says_nothing_beside_the_report() {
    for format in report::FORMATS.iter().map(|f| f.name) {
        let r = run(["report", "--format", format, &path("good/mtls-13")]);
        assert_eq!((r.code, r.err.as_str()), (0, ""), "{format}");
        assert!(!r.out.is_empty(), "{format}");
    }
    // Findings do not fail anything unless asked.
    assert_eq!(run(["report", &path("guide/1-version-client-12-server-13")]).code, 0);
}

#[test]
fn a_redacted_report_names_nobody() {
    let file = capture("guide/2-unknown-ca-12");
    let plain = run(["report".as_ref(), "--format".as_ref(), "json".as_ref(), file.as_os_str()]);
    let r = run(["report".as_ref(), "--redact".as_ref(), "--format".as_ref(), "json".as_ref(), file.as_os_str()]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    let path = file.display().to_string();
    for name in ["tls-server.local", "198.51.100.20", "Lab Root CA", path.as_str()] {
        assert!(plain.out.contains(name) && !r.out.contains(name), "{name}");
    }
    assert_eq!(json(&r.out)["flows"][0]["cause"], "server-cert-unknown-ca");
}

#[test]
fn fail_on_looks_at_the_worst_finding() {
    // One capture for each severity that is a report's worst.
    let mut worst: BTreeMap<usize, &str> = BTreeMap::new();
    for g in goldens().iter().filter(|g| g.document["sources"][0]["complete"] == true) {
        let count = |s: &str| g.document["summary"]["findings"][s].as_u64().unwrap() > 0;
        let level = ["error", "warning", "info"].iter().position(|s| count(s)).unwrap_or(3);
        worst.entry(level).or_insert(&g.name);
    }
    for level in [0, 1, 2] {
        assert!(worst.contains_key(&level), "no capture has {level} as its worst: {worst:?}");
    }
    for (level, name) in worst {
        for (limit, word) in ["error", "warning", "info"].into_iter().enumerate() {
            let r = run(["report", "--fail-on", word, &path(name)]);
            assert_eq!(r.code, i32::from(level <= limit), "--fail-on {word} {name}");
            assert!(!r.out.is_empty(), "the report is printed all the same");
        }
    }
}

#[test]
fn of_several_exit_codes_the_more_serious_wins() {
    let bad = path("guide/1-version-client-12-server-13");
    let good = path("good/mtls-13");
    let cut = path("damaged/cut-file-12");
    assert_eq!(run(["report", "--fail-on", "error", &good, &bad]).code, 1);
    assert_eq!(run(["report", "--fail-on", "error", &bad, &cut]).code, 3);
    assert_eq!(run(["report", "--fail-on", "error", &bad, "no-such-file.pcap"]).code, 3);
    assert_eq!(run(["report", "--fail-on", "error", &bad, "no-such-file.pcap", "--no-such-option"]).code, 2);
}

#[test]
fn bad_usage_ends_with_2_and_prints_no_report() {
    let good = path("good/mtls-13");
    let cases: &[&[&str]] = &[
        &[],
        &["report"],
        &["report", "--no-such-option", &good],
        &["report", "--format", "no-such-format", &good],
        &["report", "--fail-on", "no-such-severity", &good],
        &["--color", "no-such-color", &good],
        &["completions", "no-such-shell"],
        &["explain", "no-such-code"],
        &["explain", "no-such-kind", "1"],
        &["explain", "alert", "no_such_alert"],
    ];
    for args in cases {
        let r = run(*args);
        assert_eq!((r.code, r.out.as_str()), (2, ""), "{args:?}");
        let named = args.iter().find(|a| a.contains("no-such")).map(|a| a.trim_start_matches('-'));
        assert!(!r.err.is_empty() && named.is_none_or(|n| r.err.contains(n)), "{args:?}: {}", r.err);
    }
}

#[test]
fn inputs_that_are_no_captures_are_named_and_end_with_3() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let p = dir.path().join(name);
        fs::write(&p, bytes).unwrap();
        p.to_str().unwrap().to_owned()
    };
    let cases = [
        (dir.path().join("missing.pcap").to_str().unwrap().to_owned(), "missing.pcap"),
        (dir.path().to_str().unwrap().to_owned(), "directory"),
        (put("empty.pcap", b""), "empty"),
        (put("notes.txt", b"These are notes about a capture, not a capture.\n"), "notes.txt"),
        (put("half-header.pcap", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]), "half-header.pcap"),
        (put("noise.pcap", &[0x5a; 4096]), "noise.pcap"),
    ];
    for (input, word) in &cases {
        for format in report::FORMATS.iter().map(|f| f.name) {
            let r = run(["report", "--format", format, input]);
            assert_eq!(r.code, 3, "{input}: {}", r.err);
            assert_sentence(&r.err, &[word]);
            assert_eq!(r.err.lines().count(), 1, "{}", r.err);
            assert!(!r.out.is_empty(), "{input}: {format}");
            if format == "json" {
                let source = &json(&r.out)["sources"][0];
                assert_eq!(source["frames"], 0, "{source}");
                assert_eq!(source["complete"], false, "{source}");
                assert!(!source["problems"].as_array().unwrap().is_empty(), "{source}");
            }
        }
    }
    // The others are still reported, in their places.
    let good = path("good/mtls-13");
    let r = run(["report", "--format", "json", &cases[0].0, &good, &cases[2].0]);
    assert_eq!(r.code, 3);
    let d = json(&r.out);
    let complete: Vec<_> = d["sources"].as_array().unwrap().iter().map(|s| s["complete"].as_bool().unwrap()).collect();
    assert_eq!(complete, [false, true, false]);
    assert_eq!(flows(&d).len(), 1);
    assert_eq!(flows(&d)[0]["source"], 1);
    assert_eq!(r.err.lines().count(), 2, "{}", r.err);
}

#[test]
fn a_cut_file_is_reported_and_its_damage_named() {
    let cut = path("damaged/cut-file-12");
    let bytes = fs::metadata(&cut).unwrap().len();
    let r = run(["report", "--format", "json", &cut]);
    assert_eq!(r.code, 3);
    assert_sentence(&r.err, &["cut-file-12", "frame", "byte"]);
    let d = json(&r.out);
    assert_eq!(flows(&d)[0]["outcome"], "established");
    let frames = golden("damaged/cut-file-12").about["frames"].as_integer().unwrap();
    let problem = &d["sources"][0]["problems"][0];
    assert_eq!(problem["frame"], frames + 1, "{problem}");
    let offset = problem["offset"].as_u64().expect("an offset");
    assert!(offset > 0 && offset < bytes, "{problem}: the file has {bytes} bytes");
    let text = run(["report", &cut]);
    assert_eq!(text.code, 3);
    assert!(text.out.contains("cut-file-12"), "{}", text.out);

    // Every cut is told, wherever it is: nothing is lost in silence.
    let whole = fs::read(path("good/pcap-microseconds-12")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("cut.pcap");
    for len in [25, 39, 40, 41, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&at, &whole[..len]).unwrap();
        let r = run(["report", "--format", "json", at.to_str().unwrap()]);
        let d = json(&r.out);
        assert_eq!((r.code, &d["sources"][0]["complete"]), (3, &Value::from(false)), "cut to {len} bytes");
        assert!(d["sources"][0]["problems"][0]["offset"].as_u64().unwrap() <= len as u64, "cut to {len} bytes");
    }
}

// Inputs.

#[test]
fn a_dash_is_standard_input() {
    for name in ["good/mtls-13", "good/gzip-mtls-13", "good/pcap-microseconds-12"] {
        let bytes = fs::read(path(name)).unwrap();
        let piped = ran(tlscope(["report", "--format", "json", "-"]).write_stdin(bytes.clone()));
        assert_eq!((piped.code, piped.err.as_str()), (0, ""), "{name}");
        let (mut piped, mut named) = (json(&piped.out), json(&run(["report", "--format", "json", &path(name)]).out));
        assert_eq!(piped["sources"][0]["path"], "-");
        piped["sources"][0]["path"] = Value::Null;
        named["sources"][0]["path"] = Value::Null;
        assert_eq!(piped, named, "{name}");
        let bare = ran(tlscope(["-"]).write_stdin(bytes));
        assert_eq!(bare.code, 0);
        assert!(bare.out.contains("TLS 1."), "{}", bare.out);
    }
    let empty = ran(tlscope(["report", "-"]).write_stdin(""));
    assert_eq!(empty.code, 3);
    assert_sentence(&empty.err, &["standard input", "empty"]);
}

#[test]
fn a_dash_is_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join(path("good/mtls-13"));
    let report = |to: &[&str]| ran(tlscope(["report"]).arg(&file).args(to).current_dir(&folder)).out;
    assert_eq!(report(&["-o", "-"]), report(&[]));
    assert!(fs::read_dir(&folder).unwrap().next().is_none(), "a file was made");
}

#[test]
fn without_a_terminal_a_file_is_reported_as_text() {
    let name = path("guide/5-client-cert-missing-12");
    let (bare, report) = (run([&name]), run(["report", "--format", "text", &name]));
    assert_eq!((bare.code, bare.out), (report.code, report.out));
}

#[test]
fn several_inputs_make_one_report() {
    let names = ["good/mtls-13", "guide/5-client-cert-missing-12", "good/resumed-psk-13"];
    let mut args = vec!["report".to_owned(), "--format".to_owned(), "json".to_owned()];
    args.extend(names.map(path));
    let r = run(&args);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    let d = json(&r.out);
    assert_eq!(d["sources"].as_array().unwrap().len(), 3);
    let sources: Vec<_> = flows(&d).iter().map(|f| f["source"].as_u64().unwrap()).collect();
    assert_eq!(sources, [0, 1, 2, 2]);
    let mut ids: Vec<_> = flows(&d).iter().map(|f| f["id"].as_u64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each flow has an id of its own");
    // What is said of a flow does not depend on what stands before it.
    for (flow, alone) in flows(&d).iter().zip(names.iter().flat_map(|n| flows(&golden(n).document))) {
        let bare = |f: &Value| {
            let mut f = f.clone();
            f["id"] = Value::Null;
            f["source"] = Value::Null;
            f
        };
        assert_eq!(bare(flow), bare(alone));
    }
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    for name in ["good/mtls-13", "damaged/twice-13", "alerts/from-server"] {
        for format in ["text", "json", "ndjson"] {
            let once = run(["report", "--format", format, &path(name)]).out;
            assert!(once == run(["report", "--format", format, &path(name)]).out, "{name}: {format}");
        }
    }
}

// Outputs.

/// What is written to standard output without a capture.
const PRINTED: &[&[&str]] =
    &[&["explain"], &["explain", "client-cert-missing"], &["schema"], &["completions", "bash"], &["man"], &["--help"]];

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let good = path("alerts/from-server");
    let cases: &[&[&str]] = &[
        &["report", &good],
        &["report", "--format", "json", &good],
        &["report", "--format", "ndjson", &good],
        &["report", "--format", "json", "-o", "/dev/stdout", &good],
        &["report", "--help"],
    ];
    for args in cases.iter().chain(PRINTED).filter(|a| cfg!(unix) || !a.contains(&"/dev/stdout")) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader); // the very first write meets a closed pipe
        let o = Process::new(PROGRAM).args(*args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8_lossy(&o.stderr);
        assert_eq!((o.status.code(), err.as_ref()), (Some(0), ""), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let good = path("good/mtls-13");
    let to_stdout: &[&[&str]] = &[
        &["report", &good],
        &["report", "--format", "json", &good],
        &["report", "--format", "ndjson", &good],
        &[&good],
        &["report", "-h"],
        &["--version"],
    ];
    for args in to_stdout.iter().chain(PRINTED) {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let o = Process::new(PROGRAM).args(*args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(o.status.code(), Some(3), "{args:?}");
        assert_sentence(&String::from_utf8_lossy(&o.stderr), &["standard output", "No space left"]);
    }
    for format in ["text", "json", "ndjson"] {
        let r = run(["report", "--format", format, "-o", "/dev/full", &good]);
        assert_eq!(r.code, 3, "{format}");
        assert_sentence(&r.err, &["/dev/full", "No space left"]);
    }
}

#[test]
fn who_cannot_be_become_is_a_wrong_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept.pcapng").display().to_string();
    for (user, why) in
        [("no-such-one", "there is no user no-such-one"), ("root", "root has the rights of root"), ("0", "of root")]
    {
        for args in [
            &["report", "testdata/none.pcap"][..],
            &["live", "-i", "no-such-one", "-w", &kept],
            &["run", "-i", "no-such-one", "-w", &kept, "--user", user, "--", "true"],
        ] {
            let at_end = (!args.contains(&"--user")).then_some(["--user", user]);
            let r = run(args.iter().copied().chain(at_end.into_iter().flatten()));
            // Said before anything else is looked at.
            assert_eq!((r.code, r.out.as_str()), (2, ""), "{args:?}: {}", r.err);
            assert!(r.err.contains(why) && r.err.contains("--user"), "{}", r.err);
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was begun");
    assert_eq!(run(["report", "-q", "--user", "nobody", &path("good/mtls-13")]).code, 0);
}

#[test]
fn an_output_file_is_written_aside_and_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("report.json");
    fs::write(&out, "old").unwrap();
    let bytes = fs::read(path("good/pcap-microseconds-12")).unwrap();
    let start = || {
        let mut child = Process::new(PROGRAM)
            .args(["report", "--format", "json", "-o", out.to_str().unwrap(), "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(&bytes[..bytes.len() / 2]).unwrap();
        // The file beside it shows that the output is open.
        wait_until(|| fs::read_dir(dir.path()).unwrap().count() == 2);
        assert_eq!(fs::read_to_string(&out).unwrap(), "old", "nothing is written over while the report is made");
        Guard(child)
    };
    // A program that is killed half-way has not touched the file.
    let mut killed = start();
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
    for e in fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).filter(|p| *p != out) {
        fs::remove_file(e).unwrap();
    }
    let mut whole = start();
    let mut input = whole.0.stdin.take().unwrap();
    input.write_all(&bytes[bytes.len() / 2..]).unwrap();
    drop(input);
    assert_eq!(whole.0.wait().unwrap().code(), Some(0));
    let d = json(&fs::read_to_string(&out).unwrap());
    assert_eq!(flows(&d)[0]["version"]["name"], "TLS 1.2");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let good = path("good/mtls-13");
    let inside = dir.path().join("missing").join("report.json");
    for out in [inside.as_path(), dir.path()] {
        let r = run(["report", "-o", out.to_str().unwrap(), &good]);
        assert_eq!((r.code, r.out.as_str()), (3, ""), "{}", out.display());
        assert_sentence(&r.err, &[out.to_str().unwrap()]);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // A damaged input is reported to a file too.
    let out = dir.path().join("report.json");
    let r = run(["report", "--format", "json", "-o", out.to_str().unwrap(), &path("damaged/cut-file-12")]);
    assert_eq!((r.code, r.out.as_str()), (3, ""));
    assert_eq!(json(&fs::read_to_string(out).unwrap())["sources"][0]["complete"], false);
}

/// A child that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits at most ten seconds.
fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen within ten seconds");
}

#[test]
fn colours_are_asked_for_and_say_nothing_alone() {
    let name = path("guide/5-client-cert-missing-12");
    let plain = run(["report", &name]).out;
    assert!(!plain.contains('\x1b'), "no colours without a terminal");
    assert_eq!(run(["report", "--color", "never", &name]).out, plain);
    let colours = run(["report", "--color", "always", &name]).out;
    assert!(colours.contains("\x1b["));
    assert_eq!(without_colours(&colours), plain);
    assert_eq!(ran(tlscope(["report", &name]).env("CLICOLOR_FORCE", "1")).out, colours);
    assert_eq!(ran(tlscope(["report", &name]).env("NO_COLOR", "1")).out, plain);
    assert_eq!(
        ran(tlscope(["report", "--color", "always", &name]).env("NO_COLOR", "1")).out,
        colours,
        "what was typed wins"
    );
    assert!(!run(["report", "--color", "always", "--format", "json", &name]).out.contains('\x1b'));
}

/// Text without `ESC [ … m`; any other escape stays.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        assert_eq!(part[end..].chars().next(), Some('m'), "an escape that is no colour: {part:?}");
        out.push_str(&part[end + 1..]);
    }
    out
}

#[test]
fn a_text_report_names_cause_side_and_remedy() {
    let g = golden("guide/5-client-cert-missing-12");
    let out = run(["report", &path(&g.name)]).out;
    let finding = &flows(&g.document)[0]["findings"][0];
    assert_eq!(finding["code"], "client-cert-missing");
    let words = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat = words(&out);
    for part in ["title", "detail", "remedy"] {
        let want = words(finding[part].as_str().unwrap());
        let first: String = want.split(' ').take(6).collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&first), "{part}: {first:?} is not in\n{out}");
    }
    for word in ["client-cert-missing", "192.0.2.10", "198.51.100.20", "8443", "TLS 1.2"] {
        assert!(out.contains(word), "{word} is not in\n{out}");
    }
    assert!(out.lines().all(|l| l.chars().count() <= 110), "a line is too long:\n{out}");
}

// What strangers name things.

#[test]
#[cfg(target_os = "linux")] // elsewhere such names cannot be given to files
fn names_of_files_never_drive_a_terminal() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let dir = tempfile::tempdir().unwrap();
    let names: [&[u8]; 4] =
        [b"a\x1b[31mred\x07.pcap", b"two\nlines\r.pcap", b"not-utf8-\xff\xfe.pcap", "bidi-\u{202e}.pcap".as_bytes()];
    let bytes = fs::read(path("good/pcap-microseconds-12")).unwrap();
    for name in names {
        let file = dir.path().join(OsStr::from_bytes(name));
        for (exists, code) in [(false, 3), (true, 0)] {
            if exists {
                fs::write(&file, &bytes).unwrap();
            }
            for format in ["text", "json", "ndjson"] {
                let r = run([OsStr::new("report"), OsStr::new("--format"), OsStr::new(format), file.as_os_str()]);
                assert_eq!(r.code, code, "{file:?}: {}", r.err);
                for text in [&r.out, &r.err] {
                    assert_eq!(drives_a_terminal(text), None, "{format}: {text}");
                }
                assert_eq!(r.err.lines().count(), usize::from(!exists), "one sentence, one line: {}", r.err);
                if format == "json" {
                    let d = json(&r.out);
                    let shown = d["sources"][0]["path"].as_str().unwrap();
                    assert!(!shown.chars().any(char::is_control), "{shown:?}");
                    assert!(shown.contains("\\"), "what was escaped can be seen: {shown}");
                }
            }
        }
        // As an output, as a topic, as an option.
        let as_output = dir.path().join("missing").join(OsStr::from_bytes(name));
        let good = path("good/mtls-13");
        let option = [b"--", name].concat();
        let cases: [&[&OsStr]; 4] = [
            &[OsStr::new("report"), OsStr::new("-o"), as_output.as_os_str(), OsStr::new(&good)],
            &[OsStr::new("explain"), OsStr::from_bytes(name)],
            &[OsStr::new("report"), OsStr::from_bytes(&option)],
            &[as_output.as_os_str()],
        ];
        for args in cases {
            let r = run(args);
            assert!(r.code == 2 || r.code == 3, "{args:?}: {}", r.code);
            assert_eq!(drives_a_terminal(&r.err), None, "{}", r.err);
        }
    }
}

#[test]
fn more_inputs_than_may_usually_be_open_are_read() {
    let one = path("transport/refused");
    let mut args = vec!["report", "-F", "json"];
    args.extend(std::iter::repeat_n(one.as_str(), 1100));
    let r = run(args);
    assert_eq!(r.code, 0, "{}", r.err.lines().next().unwrap_or_default());
    assert_eq!(json(&r.out)["summary"]["flows"], 1100);
}
