//! What is redacted says the same of every capture, and nothing of who took part.

use std::collections::BTreeSet;
use std::sync::Arc;

use tlscope::analyzer::{Analyzer, FlowReport, Options};
use tlscope::capture::{self, Source as _};
use tlscope::facts::FlowFacts;
use tlscope::report;
use tlscope::span::{Role, Side};

use crate::support::{capture as path, goldens};

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
