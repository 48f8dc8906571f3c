//! What several tests share: the captures of `testdata` with their descriptions, and a whole report of a capture.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;
use tlscope::analyzer::{Analyzer, FlowReport, Options, SourceReport};
use tlscope::capture::{CaptureFile, Source as _};
use tlscope::diagnose::Finding;
use tlscope::report;

/// The project's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A capture of `testdata` by its name without ending: `good/mtls-12`.
pub fn capture(name: &str) -> PathBuf {
    let found = [".pcapng", ".pcap", ".pcapng.gz", ".pcap.gz"]
        .map(|ending| root().join("testdata").join(format!("{name}{ending}")))
        .into_iter()
        .find(|p| p.exists());
    found.unwrap_or_else(|| panic!("testdata/{name}: there is no such capture"))
}

/// A capture of `testdata`, what its description says, and what is reported of it.
pub struct Golden {
    /// Path below `testdata` without ending: `guide/1-cipher-12`.
    pub name: String,
    /// The description.
    pub about: toml::Table,
    /// What the library makes of it.
    pub report: Reported,
    /// The JSON report.
    pub document: Value,
}

impl Golden {
    /// `[expect]` of the description.
    pub fn expect(&self) -> &toml::Table {
        self.about["expect"].as_table().expect("a table")
    }
}

/// All of them, by name. Read once.
pub fn goldens() -> &'static [Golden] {
    static ALL: OnceLock<Vec<Golden>> = OnceLock::new();
    ALL.get_or_init(|| {
        let top = root().join("testdata");
        let mut all = Vec::new();
        for path in files(&top, "toml") {
            let name = path.with_extension("").strip_prefix(&top).unwrap().to_string_lossy().replace('\\', "/");
            let text = std::fs::read_to_string(&path).unwrap();
            let about = text.parse().unwrap_or_else(|e| panic!("{name}.toml: {e}"));
            let capture = capture(&name);
            let report = Reported::of(File::open(&capture).unwrap(), &name);
            let document = report.document();
            all.push(Golden { name, about, report, document });
        }
        all
    })
}

/// One of them.
pub fn golden(name: &str) -> &'static Golden {
    goldens().iter().find(|g| g.name == name).unwrap_or_else(|| panic!("testdata/{name} does not exist"))
}

/// Files below `folder` with this ending, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// What the library says of one input.
pub struct Reported {
    /// The flows, in the order in which they ended.
    pub flows: Vec<FlowReport>,
    /// What became of the input.
    pub sources: Vec<SourceReport>,
    /// What is true of the whole capture.
    pub findings: Vec<Finding>,
}

impl Reported {
    /// Reads a whole capture; `label` stands where a path would.
    pub fn of(input: impl Read + Send + 'static, label: &str) -> Self {
        let mut file = CaptureFile::from_reader(input, label).unwrap_or_else(|e| panic!("{label}: {e}"));
        let mut analyzer = Analyzer::new(Options::default());
        analyzer.begin_source();
        let mut flows = Vec::new();
        while let Some(frame) = file.next_frame().unwrap() {
            analyzer.push(&frame);
            flows.extend(analyzer.take_flows());
        }
        analyzer.end_source(file.info());
        flows.extend(analyzer.take_flows());
        Self { flows, sources: analyzer.sources().to_vec(), findings: analyzer.findings() }
    }

    /// The report in one of the formats.
    pub fn write(&self, format: &str) -> String {
        let format = report::format(format).expect("a known format");
        let mut out = Vec::new();
        let options = report::Options {
            inputs: self.sources.iter().map(|s| s.info.path.clone()).collect(),
            ..Default::default()
        };
        {
            let mut writer = (format.make)(&mut out, &options);
            writer.begin().unwrap();
            for flow in &self.flows {
                writer.flow(flow).unwrap();
            }
            writer.finish(&self.sources, &self.findings).unwrap();
        }
        String::from_utf8(out).expect("a report is UTF-8")
    }

    /// The JSON report.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.write("json")).expect("a JSON report is JSON")
    }
}

/// The flows of a JSON report in the order of their first frames.
pub fn flows(document: &Value) -> Vec<&Value> {
    let mut flows: Vec<_> = document["flows"].as_array().expect("an array").iter().collect();
    flows.sort_by_key(|f| f["id"].as_u64());
    flows
}

/// Codes of the findings of a flow or document.
pub fn codes(of: &Value) -> Vec<&str> {
    of["findings"].as_array().expect("an array").iter().map(|f| f["code"].as_str().unwrap()).collect()
}

/// JSON for people: what fits on a line stands on one, so that a snapshot's difference is readable.
pub fn pretty(v: &Value) -> String {
    fn put(out: &mut String, v: &Value, indent: usize) {
        const WIDTH: usize = 140;
        let short = v.to_string();
        if short.len() + indent <= WIDTH {
            out.push_str(&short);
            return;
        }
        let pad = " ".repeat(indent + 2);
        match v {
            Value::Array(items) => {
                out.push_str("[\n");
                for (i, item) in items.iter().enumerate() {
                    out.push_str(&pad);
                    put(out, item, indent + 2);
                    out.push_str(if i + 1 == items.len() { "\n" } else { ",\n" });
                }
                out.push_str(&pad[2..]);
                out.push(']');
            }
            Value::Object(members) => {
                out.push_str("{\n");
                for (i, (key, item)) in members.iter().enumerate() {
                    out.push_str(&format!("{pad}{}: ", Value::from(key.as_str())));
                    put(out, item, indent + 2);
                    out.push_str(if i + 1 == members.len() { "\n" } else { ",\n" });
                }
                out.push_str(&pad[2..]);
                out.push('}');
            }
            _ => out.push_str(&short),
        }
    }
    let mut out = String::new();
    put(&mut out, v, 0);
    out
}

/// True when text could drive a terminal: any control character but a line feed, or a bidi control.
pub fn drives_a_terminal(text: &str) -> Option<char> {
    text.chars().find(|&c| c != '\n' && tlscope::text::is_unsafe(c))
}

/// Something that a test stands on is absent, which `.ci/run` installs: said, and an error where `CI` is set.
pub fn skip(what: &str) {
    let on_ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false");
    assert!(!on_ci, "SKIPPED: {what} (an error where CI is set)");
    skip_even_on_ci(what);
}

/// The same of what not every machine can have. Said once.
pub fn skip_even_on_ci(what: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if !SAID.lock().unwrap().insert(what.to_owned()) {
        return;
    }
    // Not by `eprintln`, which the harness keeps to itself while tests pass.
    let _ = io::stderr().write_all(format!("\nSKIPPED: {what}\n").as_bytes());
}

/// Runs this program's test of that name, and no other, as a process of its own.
fn alone(test: &str, ci: &str) -> (bool, String) {
    let own = std::env::current_exe().unwrap();
    let mut c = std::process::Command::new(own);
    let o = c.args(["--exact", test]).env("CI", ci).env("PATH", "").env_remove("TLSCOPE_CORPUS").output().unwrap();
    (o.status.success(), String::from_utf8_lossy(&o.stderr).into_owned() + &String::from_utf8_lossy(&o.stdout))
}

#[test]
fn what_was_not_tested_is_told() {
    let (passed, said) = alone("tui::who_quits_leaves_nothing_behind", "");
    assert!(passed && said.contains("SKIPPED: tmux"), "{said}");
    let (passed, said) = alone("tui::who_quits_leaves_nothing_behind", "1");
    assert!(!passed && said.contains("SKIPPED: tmux"), "{said}");
    for ci in ["", "1"] {
        let (passed, said) = alone("corpus::corpus_facts_are_right", ci);
        assert!(passed && said.contains("SKIPPED: corpus"), "{said}");
    }
}
