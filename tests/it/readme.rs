//! The parts of README.md that are made from the program and its captures, so that they cannot go stale.
//! `UPDATE_README=1 cargo test readme` writes them anew.

use std::fmt::Write as _;
use std::fs;

use tlscope::diagnose;

use crate::support::{Golden, flows, golden, goldens, root};

/// Rows of the troubleshooting guide that are kinds of certificate fault, with the captures that show them.
const CERTIFICATES: &[(&str, &[&str])] = &[
    (
        "`certificate relies on legacy Common Name field`",
        &["guide/server-cn-only-python-12", "guide/server-cn-only-python-13"],
    ),
    ("the server's certificate has expired", &["guide/server-expired-12", "guide/server-expired-13"]),
    ("… is not valid yet", &["guide/server-not-yet-valid-12", "guide/server-not-yet-valid-13"]),
    ("… was revoked", &["guide/server-revoked-12", "guide/server-revoked-13"]),
    ("… has the wrong extended key usage", &["guide/server-wrong-eku-12", "guide/server-wrong-eku-13"]),
    ("the client's certificate has expired", &["guide/client-expired-12", "guide/client-expired-13"]),
    ("… was revoked", &["guide/client-revoked-12", "guide/client-revoked-13"]),
    ("… has the wrong extended key usage", &["guide/client-wrong-eku-12", "guide/client-wrong-eku-13"]),
];

/// What a person sees, by row of the guide.
const ROWS: &[&str] = &[
    "disconnected right after the ClientHello",
    "`unknown CA`, `self-signed certificate`",
    "the name called is not in the certificate",
    "the client aborts after the ServerHello",
    "`certificate required`, HTTP 400",
    "the server complains of an unknown CA",
];

/// One line of the guide's table: the capture, and what tlscope says of it.
fn answer(g: &Golden) -> String {
    let flow = flows(&g.document).into_iter().next().expect("a flow");
    let cause = flow["cause"].as_str();
    let all = flow["findings"].as_array().expect("a list");
    // Without a cause TLS itself worked: the first finding, the gravest, says what did not.
    let code = cause.or_else(|| all.first()?["code"].as_str()).unwrap_or_else(|| panic!("{}: no finding", g.name));
    let finding = all.iter().find(|f| f["code"] == code).unwrap_or_else(|| panic!("{}: no {code}", g.name));
    let blame = finding["blame"].as_str().map_or_else(String::new, |b| format!(", look at: {b}"));
    format!("`{code}` ({}{blame})", finding["confidence"].as_str().expect("a word"))
}

fn row(out: &mut String, seen: &str, g: &Golden) {
    let ending = if g.name.ends_with("-13") { "TLS 1.3" } else { "TLS 1.2" };
    let ending = if g.name.contains("version-") { "–" } else { ending };
    let _ = writeln!(out, "| {seen} | {ending} | `tlscope testdata/{}.pcapng` | {} |", g.name, answer(g));
}

fn guide() -> String {
    let mut out =
        String::from("| what a person sees | version | command | what tlscope says |\n| --- | --- | --- | --- |\n");
    for (n, seen) in ROWS.iter().enumerate() {
        let of_row = |g: &&Golden| {
            let here = g.about.get("guide").and_then(toml::Value::as_integer) == Some(n as i64 + 1);
            here && g.name.starts_with(&format!("guide/{}-", n + 1))
        };
        for g in goldens().iter().filter(of_row) {
            row(&mut out, seen, g);
        }
    }
    for (seen, names) in CERTIFICATES {
        for name in *names {
            row(&mut out, seen, golden(name));
        }
    }
    out
}

/// A text report, as a person reads it in a log.
fn report() -> String {
    let name = "guide/5-client-cert-missing-13";
    let text =
        golden(name).report.write("text").replace(&format!("  {name}  "), &format!("  testdata/{name}.pcapng  "));
    format!("```console\n$ tlscope report testdata/{name}.pcapng\n{text}```\n")
}

/// The UI as the snapshots have it, without what only the tests need.
fn picture() -> String {
    let path = root().join("src/tui/snapshots/tlscope__tui__tests__ladder-13-120x40.snap");
    let text = fs::read_to_string(path).unwrap();
    let screen = text.splitn(3, "---\n").nth(2).expect("a snapshot has a head");
    format!("```text\n{}\n```\n", screen.trim_end())
}

/// Puts the made text between the marks of its name.
fn place(readme: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: made by tests/it/readme.rs -->\n"), format!("<!-- end of {name} -->"));
    let at = readme.find(&begin).unwrap_or_else(|| panic!("README.md has no mark for {name}")) + begin.len();
    let to = at + readme[at..].find(&end).unwrap_or_else(|| panic!("README.md has no end of {name}"));
    format!("{}{text}{}", &readme[..at], &readme[to..])
}

#[test]
fn made_parts_are_those_of_this_program() {
    let path = root().join("README.md");
    let old = fs::read_to_string(&path).unwrap();
    let mut new = old.clone();
    let parts =
        [("guide", guide()), ("report", report()), ("picture", picture()), ("codes", diagnose::markdown_table())];
    for (name, text) in &parts {
        new = place(&new, name, text);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &new).unwrap();
        return;
    }
    for (i, (a, b)) in old.lines().zip(new.lines()).enumerate() {
        assert_eq!(a, b, "README.md, line {}: run UPDATE_README=1 cargo test readme", i + 1);
    }
    assert_eq!(old.len(), new.len());
}

/// Every capture that README.md names is there.
#[test]
fn captures_that_it_names_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut seen = 0;
    for word in readme.split(|c: char| c.is_whitespace() || "`()|#".contains(c)) {
        if word.starts_with("testdata/") && word.contains(".pcap") {
            assert!(root().join(word).exists(), "README.md names {word}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}
