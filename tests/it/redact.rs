//! What is redacted says the same of every capture, and nothing of who took part; also beside what is decided by names.

use std::collections::BTreeSet;
use std::sync::Arc;

use tlscope::analyzer::{Analyzer, FlowReport, Options};
use tlscope::capture::{self, Source as _};
use tlscope::facts::FlowFacts;
use tlscope::report;
use tlscope::span::{Role, Side};

use crate::cli::{json, path as typed, run};
use crate::support::{capture as path, golden, goldens};

/// The flows of a capture, and all reports of them in one text.
fn analyzed(name: &str, redact: bool) -> (Vec<FlowReport>, String) {
    let mut file = capture::open(&path(name)).unwrap();
    let mut analyzer = Analyzer::new(Options { redact, ..Options::default() });
    analyzer.begin_source();
    while let Some(f) = file.next_frame().unwrap() {
        analyzer.push(&f);
    }
    let mut info = file.info().clone();
    info.path = "capture".into();
    analyzer.end_source(&info);
    let flows = analyzer.take_flows();
    let mut text = Vec::new();
    for format in report::FORMATS {
        let mut w = (format.make)(&mut text, &report::Options::default());
        w.begin().unwrap();
        flows.iter().for_each(|f| w.flow(f).unwrap());
        w.finish(analyzer.sources(), &analyzer.findings()).unwrap();
    }
    (flows, String::from_utf8(text).unwrap())
}

/// What names somebody: addresses, host names, and what certificates say of their owners.
fn names_of(f: &FlowFacts) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for role in [Role::Client, Role::Server] {
        let ip = f.end(role).ip;
        if !ip.is_loopback() {
            out.insert(ip.to_string());
        }
    }
    if let Some(n) = f.server_name() {
        out.insert(String::from_utf8_lossy(n).into_owned());
    }
    let chains = [Side::A, Side::B].into_iter().flat_map(|s| f.sides[s].certificates.iter());
    for c in chains.flat_map(|c| c.chain.iter()) {
        let values = |dn: &str| -> Vec<String> {
            dn.split([',', '+']).filter_map(|p| p.split_once('=')).map(|(_, v)| v.to_owned()).collect()
        };
        out.extend(values(&c.subject).into_iter().chain(values(&c.issuer)));
        out.extend(c.common_names.iter().cloned());
        out.extend(
            c.subject_alt_names.iter().map(|s| s.to_string().split_once(':').map_or_else(String::new, |p| p.1.into())),
        );
        out.insert(c.serial.clone());
        out.extend(c.authority_key_id.iter().chain(&c.subject_key_id).cloned());
        out.insert(c.sha256.iter().map(|b| format!("{b:02x}")).collect());
    }
    out.extend(f.certificate_request.iter().flat_map(|r| r.authorities.iter().cloned()));
    // Short ones stand in other words.
    out.retain(|s| s.len() >= 5 && s != "localhost");
    out
}

/// Signatures are verified over the bytes of certificates and messages; nobody shows them.
fn without_der(mut flows: Vec<FlowReport>) -> Vec<FlowReport> {
    for f in &mut flows {
        f.facts.client_signed = None;
        for side in [Side::A, Side::B] {
            for c in f.facts.sides[side].certificates.iter_mut().flat_map(|c| c.chain.iter_mut()) {
                Arc::make_mut(c).der = Box::default();
            }
        }
    }
    flows
}

#[test]
fn nothing_redacted_names_anybody() {
    for g in goldens() {
        let (plain, _) = analyzed(&g.name, false);
        let (redacted, text) = analyzed(&g.name, true);
        let new: BTreeSet<String> = redacted.iter().flat_map(|f| names_of(&f.facts)).collect();
        let everything = format!("{:?}", without_der(redacted));
        for name in plain.iter().flat_map(|f| names_of(&f.facts)) {
            // The captures themselves have documentation addresses: one may be another's new one.
            if new.contains(&name) {
                continue;
            }
            assert!(!text.contains(&name), "{}: a report says {name}", g.name);
            assert!(!everything.contains(&name), "{}: the facts hold {name}", g.name);
            let bytes = format!("{:?}", name.as_bytes());
            let bytes = bytes.trim_matches(['[', ']']);
            assert!(!everything.contains(bytes), "{}: the facts hold the bytes of {name}", g.name);
        }
    }
}

/// Findings that stand on what a name means, which is what is taken out.
const OF_NAMES: &[&str] = &["linkerd-identity-missing"];

#[test]
fn what_is_redacted_is_judged_the_same() {
    for g in goldens() {
        let (plain, redacted) = (analyzed(&g.name, false).0, analyzed(&g.name, true).0);
        let said = |l: &[FlowReport]| -> Vec<_> {
            l.iter()
                .map(|f| {
                    let codes: Vec<_> = f
                        .diagnosis
                        .findings
                        .iter()
                        .filter(|x| !OF_NAMES.contains(&x.code))
                        .map(|x| (x.code, x.confidence, x.blame, x.frames.clone()))
                        .collect();
                    (f.facts.id, f.diagnosis.outcome, f.diagnosis.cause, codes)
                })
                .collect()
        };
        assert_eq!(said(&plain), said(&redacted), "{}", g.name);
    }
}

/// What the captures of `good` and `guide` name, and no redacted report may.
const NAMES: &[&str] = &["tls-server", "198.51.100.20", "Lab ", "client-1", "secret-", "ecret CA", "secret.example"];

/// What a JSON report decides: for each flow and for all of them.
fn decided(document: &serde_json::Value) -> Vec<(String, Vec<String>)> {
    let findings = |v: &serde_json::Value| -> Vec<String> {
        let all = v["findings"].as_array().unwrap().iter();
        let all = all.map(|f| format!("{} {} {} {}", f["code"], f["severity"], f["confidence"], f["flows"]));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    };
    let flows = document["flows"].as_array().unwrap().iter();
    let mut out: Vec<_> =
        flows.map(|f| (format!("{} {} {}", f["id"], f["outcome"], f["cause"]), findings(f))).collect();
    out.push(("all".to_owned(), findings(document)));
    out
}

/// Runs a report with these options as it is and redacted: exit codes and decisions are the same, and the redacted
/// one names nobody. Gives the redacted document with its exit code.
fn joined(options: &[&str], captures: &[&str]) -> (i32, serde_json::Value) {
    let captures: Vec<String> = captures.iter().map(|c| typed(c)).collect();
    let report = |more: &[&str]| {
        let r = run([&["report"], more, options, &captures.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        assert_eq!(r.err, "", "{options:?}");
        r
    };
    let (plain, redacted) = (report(&["--format=json"]), report(&["--format=json", "--redact"]));
    let document = json(&redacted.out);
    assert_eq!((plain.code, decided(&json(&plain.out))), (redacted.code, decided(&document)), "{options:?}");
    for format in ["json", "text", "sarif"] {
        let text = report(&["--redact", "--format", format]).out;
        for name in NAMES {
            assert!(!text.contains(name), "{options:?} {format}: it says {name}: {text}");
        }
    }
    (redacted.code, document)
}

/// A file beside the captures, whose name is a secret.
fn secret(bytes: &[u8]) -> tempfile::TempPath {
    let file = tempfile::Builder::new().prefix("secret-").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file.into_temp_path()
}

#[test]
fn expectations_are_judged_by_the_true_names() {
    let policy = "[[server]]\nname = '*.secret.example'\nmin_version = '1.3'\n\n[[server]]\naddress = '198.51.100.0/24'\n\
         name = 'tls-server.local'\nmutual_tls = true\nissuers = ['Secret CA', 'Lab Inter*']\n";
    let policy = secret(policy.as_bytes());
    let captures = ["good/mtls-12", "good/one-way-12", "good/one-way-13", "guide/5-client-cert-missing-12"];
    let (code, document) = joined(&["--expect", policy.to_str().unwrap()], &captures);
    let flows = document["flows"].as_array().unwrap();
    let has = |n: usize, code| crate::support::codes(&flows[n]).contains(&code);
    assert_eq!(code, 1);
    assert!(has(1, "policy-mutual-tls") && !has(0, "policy-mutual-tls") && !has(1, "policy-issuer"));
    // The first section met nobody, and is not named.
    let unchecked =
        document["findings"].as_array().unwrap().iter().find(|f| f["code"] == "policy-not-checked").unwrap();
    assert!(unchecked["detail"].as_str().unwrap().contains("section 1"), "{unchecked}");
    let (code, document) = joined(&["--expect", "issuers=Secret CA"], &["good/one-way-12"]);
    assert!(code == 1 && crate::support::codes(&document["flows"][0]).contains(&"policy-issuer"));
    assert_eq!(joined(&["--expect", "issuers=Lab Intermediate CA"], &["good/one-way-12"]).0, 0);
}

#[test]
fn anchors_are_held_against_the_certificates_that_were_sent() {
    let sent = |role| golden("good/mtls-12").report.flows[0].facts.of(role).certificates.clone().unwrap();
    let (server, client) = (secret(&sent(Role::Server).chain[1].der), secret(&sent(Role::Client).chain[0].der));
    let captures = ["good/mtls-12", "guide/2-chain-incomplete-12", "guide/2-unknown-ca-12"];

    for options in [
        ["--trust", server.to_str().unwrap()],
        ["--trust", client.to_str().unwrap()],
        ["--trust", "mozilla"],
        ["--client-ca", client.to_str().unwrap()],
        ["--client-ca", server.to_str().unwrap()],
    ] {
        joined(&options, &captures);
    }
    // The anchors matter: a server of another CA is told so, by either name.
    let untrusted = |options: &[&str]| json(&run([&["report", "--format=json", "--redact"], options].concat()).out);
    let one = typed("good/mtls-12");
    let said = |anchors: &str| {
        let all = untrusted(&["--trust", anchors, &one]);
        all["flows"][0]["findings"].to_string().contains("trust anchors")
    };
    assert!(said("mozilla") && !said(server.to_str().unwrap()));
}

#[test]
fn a_filter_goes_by_the_true_names() {
    let captures = ["good/mtls-12", "good/ipv6-one-way-12", "good/tls-10"];
    for (filter, flows) in [("ip:198.51.100.20", 2), ("name:tls-server !version:1.0", 2), ("name:name1", 0)] {
        let (_, document) = joined(&["--filter", filter], &captures);
        assert_eq!(document["flows"].as_array().unwrap().len(), flows, "{filter}");
    }
}

#[test]
fn a_baseline_is_compared_by_the_true_names() {
    let old = |capture: &str| secret(run(["report", "--format=ndjson", &typed(capture)]).out.as_bytes());
    let same = old("good/one-way-12");
    let same = same.to_str().unwrap();
    assert_eq!(joined(&["--baseline", same, "--fail-on=info"], &["good/one-way-12"]).0, 0);
    let (code, document) = joined(&["--baseline", same, "--fail-on=warning"], &["good/weak-rsa-1024-12"]);
    assert_eq!(code, 1);
    let details = document["findings"].to_string();
    assert!(details.contains("is RSA, 1024 bits") && details.contains("rsa-key-weak"), "{details}");
    // Another server, and all at once.
    let other = old("good/ipv6-one-way-12");
    let (code, _) = joined(&["--baseline", other.to_str().unwrap()], &["good/one-way-12"]);
    assert_eq!(code, 1);
    let all = ["--baseline", same, "--filter", "name:tls-server", "--expect", "min_version=1.3", "--trust", "mozilla"];
    assert_eq!(joined(&all, &["good/mtls-12"]).0, 1);
}

#[test]
fn inputs_that_cannot_be_read_are_not_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        dir.path().join(name)
    };
    let whole = std::fs::read(path("good/one-way-12")).unwrap();
    let inputs = [
        dir.path().join("secret-absent"),
        dir.path().to_path_buf(),
        file("secret-empty", b""),
        file("secret-words", b"no capture at all"),
        file("secret-header", &whole[..9]),
        file("secret-cut", &whole[..whole.len() / 2]),
    ];
    let inputs: Vec<String> = inputs.iter().map(|p| p.to_str().unwrap().to_owned()).collect();
    for format in report::FORMATS {
        let args =
            [&["report", "--redact", "-F", format.name], &inputs.iter().map(String::as_str).collect::<Vec<_>>()[..]];
        let r = run(args.concat());
        // Who typed the names may read them.
        assert!(r.code == 3 && r.err.contains("secret-absent"), "{}", r.err);
        for input in &inputs {
            assert!(!r.out.contains(input.as_str()), "{}: it says {input}: {}", format.name, r.out);
        }
        assert!(!r.out.contains("secret-"), "{}", r.out);
    }
}
