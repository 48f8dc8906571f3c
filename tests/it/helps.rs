//! What the program says of itself: helps, explanations, the schema, completions and the manual.

use std::path::Path;
use std::process::{Command as Process, Stdio};

use serde_json::Value;
use tlscope::diagnose;

use crate::cli::{assert_sentence, json, ran, run, tlscope};
use crate::support::{golden, goldens, root, skip, skip_even_on_ci};

/// Commands that have a help of their own; the first is the program itself.
const COMMANDS: &[&str] =
    &["", "report", "live", "run", "interfaces", "why", "diff", "explain", "schema", "completions", "man"];

#[test]
fn helps_fit_a_screen_and_have_examples() {
    for command in COMMANDS {
        let with = |flag| run([*command, flag].into_iter().filter(|a| !a.is_empty()));
        let (long, short) = (with("--help"), with("-h"));
        // The commands with the most options need a larger screen.
        let most = match *command {
            "" => [40, 26],
            "live" | "run" => [48, 48],
            "report" => [66, 24],
            _ => [40, 24],
        };
        for (help, flag, most) in [(&long, "--help", most[0]), (&short, "-h", most[1])] {
            assert_eq!((help.code, help.err.as_str()), (0, ""), "{command} {flag}");
            assert!(
                help.out.lines().count() <= most,
                "{command} {flag} has {} lines:\n{}",
                help.out.lines().count(),
                help.out
            );
            let widest = help.out.lines().map(|l| l.chars().count()).max();
            assert!(widest <= Some(100), "{command} {flag} is {widest:?} columns wide");
            assert!(help.out.contains("Usage: tlscope"), "{command} {flag}:\n{}", help.out);
        }
        assert!(
            long.out.contains("Examples:") && long.out.contains(&format!("tlscope {command}")),
            "{command}:\n{}",
            long.out
        );
    }
    for command in ["report", "live", "run"] {
        let help = run([command, "--help"]).out;
        for rights in ["--user NAME", "--no-sandbox", "-v says"] {
            assert!(help.contains(rights), "{command} does not say {rights}:\n{help}");
        }
    }
    let r = run(["--version"]);
    assert_eq!((r.code, r.out.trim()), (0, concat!("tlscope ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn examples_of_helps_are_understood() {
    for command in COMMANDS {
        let help = run([*command, "--help"].into_iter().filter(|a| !a.is_empty())).out;
        let examples = help.lines().skip_while(|l| !l.starts_with("Examples:")).skip(1);
        for line in examples.take_while(|l| l.starts_with("  ")) {
            assert!(is_understood(line, tempfile::tempdir().unwrap().path()), "{line}");
        }
    }
}

/// Runs the example on a line, in a folder; false where there is none. What it reads is there (0), or does not exist as its
/// interface does not (3); everything else must be known.
fn is_understood(line: &str, folder: &Path) -> bool {
    let line = line.replace("cargo run --release -- ", "tlscope ");
    let mut parts = line.split('|').map(|part| part.trim().trim_start_matches("- "));
    let Some(typed) = parts.find(|part| part.starts_with("tlscope ")) else { return false };
    let typed = typed.split("  ").next().unwrap().split('>').next().unwrap();
    let typed = typed.split(" #").next().unwrap().trim();
    let typed = typed.replace("-i eth0", "-i no-such-one").replace("-i any", "-i no-such-one");
    let typed = typed.replace("-i lo", "").replace("tlscope run", "tlscope run -i no-such-one");
    let typed = typed.replace("'tcp port 8443'", "tcp");
    let words: Vec<_> = typed.split_whitespace().collect();
    let r = ran(tlscope(&words[1..]).current_dir(folder).write_stdin(""));
    let is_absent = |w: &&str| ["-", "-i"].contains(w) || w.contains(".pcap") && !folder.join(w).exists();
    assert_eq!(r.code, if words.iter().any(is_absent) { 3 } else { 0 }, "{line}: {}", r.err);
    true
}

#[test]
fn examples_of_the_readme_are_understood() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<_> = readme.split("\n```").skip(1).step_by(2).filter_map(|b| b.split_once('\n')).collect();
    let folder = tempfile::tempdir().unwrap();
    let policy = blocks.iter().find(|(kind, text)| *kind == "toml" && text.starts_with("# policy.toml"));
    std::fs::write(folder.path().join("policy.toml"), policy.expect("the policy").1).unwrap();
    std::os::unix::fs::symlink(root().join("testdata"), folder.path().join("testdata")).unwrap();
    let lines = blocks.iter().filter(|(kind, _)| ["sh", "yaml"].contains(kind)).flat_map(|(_, text)| text.lines());
    let run = lines.filter(|line| is_understood(line, folder.path())).count();
    assert!(run >= 15, "{run}");
}

#[test]
fn texts_have_one_spelling_and_one_word_for_a_gap() {
    let mut texts: Vec<(String, String)> = ["README.md", "CHANGELOG.md", "SECURITY.md"]
        .map(|name| (name.to_owned(), std::fs::read_to_string(root().join(name)).unwrap()))
        .into();
    let pages = diagnose::index().map(|(code, ..)| (code.to_owned(), diagnose::explain_page(code).unwrap()));
    texts.extend(pages);
    texts.extend(
        COMMANDS.iter().map(|c| (format!("{c} --help"), run([c, "--help"].iter().filter(|a| !a.is_empty())).out)),
    );
    texts.push(("schema".to_owned(), run(["schema"]).out));
    for (name, text) in texts {
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ").to_lowercase().replace("black hole", "");
        let others = ["colour", "analyse", "analysing", "organis", "recognis", "behaviour", "neighbour", " hole"];
        for other in others {
            let sentence = text.split(". ").find(|sentence| sentence.contains(other));
            assert_eq!(sentence, None, "{name}: {other}");
        }
    }
}

#[test]
fn the_schema_describes_reports() {
    let r = run(["schema"]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    let schema = json(&r.out);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for g in goldens() {
        let wrong = differences(&schema, &schema, &g.document, &g.name);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    // The check itself sees what is wrong.
    let mut document = golden("good/mtls-13").document.clone();
    document["flows"][0]["no_such_member"] = 1.into();
    assert_eq!(differences(&schema, &schema, &document, "").len(), 1);
    document["summary"].as_object_mut().unwrap().remove("flows");
    assert_eq!(differences(&schema, &schema, &document, "").len(), 2);
    document["schema_version"] = "1".into();
    assert_eq!(differences(&schema, &schema, &document, "").len(), 3);
}

/// In what a value differs from its schema: types, required members, members that are not described.
fn differences(top: &Value, schema: &Value, v: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let found = top.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is not described"));
        return differences(top, found, v, at);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(any) = schema[key].as_array() {
            let each: Vec<_> = any.iter().map(|s| differences(top, s, v, at)).collect();
            return each.into_iter().min_by_key(Vec::len).unwrap_or_default();
        }
    }
    let mut out = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        out.extend(differences(top, part, v, at));
    }
    let is = |kind: &Value| match kind.as_str() {
        Some("null") => v.is_null(),
        Some("boolean") => v.is_boolean(),
        Some("integer") => v.is_u64() || v.is_i64(),
        Some("number") => v.is_number(),
        Some("string") => v.is_string(),
        Some("array") => v.is_array(),
        Some("object") => v.is_object(),
        other => panic!("{at}: type {other:?}"),
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    };
    if !fits {
        out.push(format!("{at}: {v} is no {}", schema["type"]));
        return out;
    }
    if let Some(all) = schema["enum"].as_array()
        && !all.contains(v)
    {
        out.push(format!("{at}: {v} is none of {all:?}"));
    }
    if let Some(only) = schema.get("const")
        && only != v
    {
        out.push(format!("{at}: {v} is not {only}"));
    }
    match v {
        Value::Array(items) if schema["items"].is_object() => {
            for (i, item) in items.iter().enumerate() {
                out.extend(differences(top, &schema["items"], item, &format!("{at}[{i}]")));
            }
        }
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().map(|n| n.as_str().unwrap()) {
                if !members.contains_key(name) {
                    out.push(format!("{at}: {name} is missing"));
                }
            }
            for (name, member) in members {
                let inside = format!("{at}.{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(s), _) | (None, s @ Value::Object(_)) => out.extend(differences(top, s, member, &inside)),
                    (None, _) if schema["type"].is_null() => {}
                    (None, _) => out.push(format!("{inside} is not described")),
                }
            }
        }
        _ => {}
    }
    out
}

#[test]
fn every_code_is_explained() {
    let list = run(["explain"]);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
    let codes: Vec<_> = list.out.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(codes, diagnose::index().map(|(c, ..)| c).collect::<Vec<_>>());
    for (code, severity, title) in diagnose::index() {
        let r = run(["explain", code]);
        assert_eq!((r.code, r.err.as_str()), (0, ""), "{code}");
        assert!(r.out.starts_with(&format!("{code} ({})\n{title}\n", severity.name())), "{}", r.out);
        for heading in ["What", "Why it matters", "How sure", "Fix", "How to verify", "References"] {
            assert!(r.out.contains(&format!("\n{heading}\n  ")), "{code}: no {heading}:\n{}", r.out);
        }
    }
}

#[test]
fn registry_entries_are_explained() {
    // Numbers: IANA "TLS Parameters", "TLS ExtensionType Values", "TLS Supported Groups".
    for (args, id, name) in [
        (["alert", "48"], "0x30", "unknown_ca"),
        (["alert", "unknown_ca"], "0x30", "unknown_ca"),
        (["alert", "certificate_required"], "0x74", "certificate_required"),
        (["cipher", "TLS_AES_128_GCM_SHA256"], "0x1301", "TLS_AES_128_GCM_SHA256"),
        (["cipher", "0xc02f"], "0xc02f", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (["extension", "0x002b"], "0x002b", "supported_versions"),
        (["extension", "server_name"], "0x0000", "server_name"),
        (["group", "x25519"], "0x001d", "x25519"),
        (["signature", "0x0804"], "0x0804", "rsa_pss_rsae_sha256"),
        (["message", "13"], "0x0d", "certificate_request"),
        (["version", "0x0304"], "0x0304", "TLS 1.3"),
    ] {
        let r = run([&["explain"], &args[..]].concat());
        assert_eq!((r.code, r.err.as_str()), (0, ""), "{args:?}");
        assert!(r.out.starts_with(&format!("{name} ({id})\n")), "{args:?}: {}", r.out);
        assert!(r.out.trim_end().lines().count() > 2, "{args:?}: nothing is explained: {}", r.out);
    }
    // Without the kind a name is enough, and a near miss gets a hint.
    assert_eq!(run(["explain", "supported_versions"]).code, 0);
    let near = run(["explain", "client-cert-mising"]);
    assert_eq!(near.code, 2);
    assert_sentence(&near.err, &["client-cert-missing"]);
}

#[test]
fn completions_are_what_their_shells_read() {
    // The shell, and how it reads a script without running it. That bash is there can be counted on.
    let readers = [
        ("bash", Some(["--norc", "-n"])),
        ("zsh", Some(["-f", "-n"])),
        ("fish", Some(["--no-config", "--no-execute"])),
        ("powershell", None),
        ("elvish", None),
    ];
    for (shell, reader) in readers {
        let r = run(["completions", shell]);
        assert_eq!((r.code, r.err.as_str()), (0, ""), "{shell}");
        for word in ["tlscope", "report", "why", "diff", "explain", "fail-on"] {
            assert!(r.out.contains(word), "{shell} does not know {word}");
        }
        let Some(args) = reader else { continue };
        match read_by(shell, &args, &r.out) {
            Some(complaints) => assert_eq!(complaints, "", "{shell}"),
            None if shell == "bash" => skip("no bash: its completions are read by nobody"),
            None => skip_even_on_ci(&format!("no {shell}: its completions are read by nobody")),
        }
    }
}

#[test]
fn the_manual_is_what_man_reads() {
    let r = run(["man"]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    for word in [".TH", ".SH NAME", ".SH COMMANDS", ".SS \"tlscope report\"", ".SH EXIT STATUS", ".SH EXAMPLES"] {
        assert!(r.out.contains(word), "{word} is not in the manual");
    }
    match read_by("groff", &["-ww", "-man", "-z"], &r.out) {
        Some(complaints) => assert_eq!(complaints, ""),
        None => skip_even_on_ci("no groff: the manual page is read by nobody"),
    }
}

/// What a program says to a text that it reads from a file; `None` where there is no such program.
fn read_by(program: &str, args: &[&str], text: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, text).unwrap();
    let o = Process::new(program).args(args).arg(&path).stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&o.stderr).into_owned();
    Some(if o.status.success() { said } else { format!("{}: {said}", o.status) })
}
