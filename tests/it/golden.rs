//! The captures of `testdata` against their descriptions, and snapshots of whole reports.
//!
//! What a description says comes from the programs that made the capture, not from this one: it is the second source.

use std::collections::BTreeSet;

use serde_json::Value;
use tlscope::{diagnose, report};
use toml::Value as Toml;

use crate::support::{self, Golden, codes, flows, golden, goldens, pretty};

/// A protocol that this version does not look into.
const DTLS: &str = "dtls/";

/// What this version does not report yet: the captures whose names begin so, and the keys of `[expect]`.
const NOT_REPORTED: &[(&str, &[&str])] = &[
    // What a connection spoke before it was upgraded.
    ("upgrade/http-connect-1", &["upgrade"]),
    ("upgrade/postgres-13", &["upgrade"]),
    ("upgrade/smtp-1", &["upgrade"]),
    // That the upgrade was refused there: a connection without a ClientHello is no flow yet, one with it is called TLS.
    ("upgrade/postgres-refused", &["flows"]),
    ("upgrade/smtp-refused", &["cause", "findings", "protocol"]),
];

/// Keys of `[expect]` about the file, or not about a report at all.
const OF_THE_FILE: &[&str] = &["complete", "flows", "each", "words", "whole"];

/// What does not hold: the key, with the flow's place where there are several, and what was expected and found.
type Complaint = (String, String);

#[test]
fn captures_are_reported_as_their_descriptions_say() {
    let mut bad = Vec::new();
    for g in goldens().iter().filter(|g| !g.name.starts_with(DTLS)) {
        let found = complaints(g);
        let of_it = NOT_REPORTED.iter().find(|n| g.name.starts_with(n.0));
        let left_out = of_it.map_or(&[][..], |n| n.1);
        for key in left_out.iter().filter(|key| found.iter().all(|f| f.0 != **key)) {
            bad.push(format!("{}: {key} holds: take it out of NOT_REPORTED", g.name));
        }
        let found = found.into_iter().filter(|(key, _)| !left_out.contains(&key.as_str()));
        bad.extend(found.map(|(key, text)| format!("{}: {key}: {text}", g.name)));
    }
    assert!(bad.is_empty(), "{} complaints:\n{}", bad.len(), bad.join("\n"));
}

/// Everything in which a report differs from the description.
fn complaints(g: &Golden) -> Vec<Complaint> {
    let mut out = Vec::new();
    let expect = g.expect();
    let all = flows(&g.document);
    let source = &g.document["sources"][0];
    let mut hold = |key: &str, want: &Toml, got: &Value| {
        if json(want) != *got {
            out.push((key.to_owned(), format!("expected {want}, reported {got}")));
        }
    };
    if let Some(frames) = g.about.get("frames") {
        hold("frames", frames, &source["frames"]);
    }
    hold("complete", expect.get("complete").unwrap_or(&Toml::Boolean(true)), &source["complete"]);
    hold("flows", expect.get("flows").unwrap_or(&Toml::Integer(1)), &Value::from(all.len()));
    // Codes of findings about the whole capture: these, and no others; where nothing is said, mere notes at the most.
    let said = expect.get("whole");
    let whole: BTreeSet<_> = said.map(strings).into_iter().flatten().collect();
    let all_of_it = g.document["findings"].as_array().expect("an array");
    let told = all_of_it.iter().filter(|f| said.is_some() || f["severity"] != "info");
    let got: BTreeSet<_> = told.map(|f| f["code"].as_str().expect("a code")).collect();
    if got != whole {
        out.push(("whole".to_owned(), format!("expected {whole:?}, reported {got:?}")));
    }
    match expect.get("each") {
        None => {
            for f in &all {
                for key in expect.keys().filter(|k| !OF_THE_FILE.contains(&k.as_str())) {
                    out.extend(check(key, &expect[key], f).map(|text| (key.clone(), text)));
                }
                out.extend(protocol(expect, f));
            }
        }
        Some(each) => {
            let each = each.as_array().expect("an array");
            assert_eq!(Some(each.len() as i64), expect["flows"].as_integer(), "{}: one [[expect.each]] a flow", g.name);
            for (i, (want, f)) in each.iter().zip(&all).enumerate() {
                let want = want.as_table().expect("a table");
                for (key, value) in want {
                    out.extend(check(key, value, f).map(|text| (format!("each[{i}].{key}"), text)));
                }
                out.extend(protocol(want, f));
            }
            let further: Vec<_> = expect.keys().filter(|k| !OF_THE_FILE.contains(&k.as_str())).collect();
            assert!(further.is_empty(), "{}: {further:?} beside [[expect.each]]", g.name);
        }
    }
    out
}

/// A flow is TLS where nothing else is said.
fn protocol(expect: &toml::Table, flow: &Value) -> Option<Complaint> {
    let want = expect.get("protocol").map_or("tls", |p| p.as_str().expect("a string"));
    let got = &flow["protocol"];
    (got != want).then(|| ("protocol".to_owned(), format!("expected {want:?}, reported {got}")))
}

/// What is wrong about one key of a flow; `None` when it holds.
fn check(key: &str, want: &Toml, flow: &Value) -> Option<String> {
    let differs = |got: &Value| (json(want) != *got).then(|| format!("expected {want}, reported {got}"));
    let has = |v: &Value| !v.is_null();
    match key {
        "protocol" => None, // see `protocol`
        "outcome" | "alpn" | "early_data" | "upgrade" | "encapsulation" | "resumed" => differs(&flow[key]),
        "outcome_any" => {
            let any = strings(want);
            (!any.iter().any(|w| flow["outcome"] == *w))
                .then(|| format!("expected {want}, reported {}", flow["outcome"]))
        }
        "cause" | "cause_any" => {
            let any = strings(want);
            let got = flow["cause"].as_str().unwrap_or_default();
            (!any.iter().any(|w| code_of(w) == Some(got)))
                .then(|| format!("expected {want}, reported {}", flow["cause"]))
        }
        "findings" => {
            let got = codes(flow);
            let missing: Vec<_> =
                strings(want).into_iter().filter(|w| !got.iter().any(|g| Some(*g) == code_of(w))).collect();
            (!missing.is_empty()).then(|| format!("{missing:?} not among {got:?}"))
        }
        "silent" => {
            let got = codes(flow);
            let wrong: Vec<_> = strings(want).into_iter().filter(|w| got.contains(w)).collect();
            (!wrong.is_empty()).then(|| format!("{wrong:?} reported"))
        }
        "no_errors" => {
            let all = flow["findings"].as_array().expect("an array");
            let errors: Vec<_> = all.iter().filter(|f| f["severity"] == "error").map(|f| &f["code"]).collect();
            (!errors.is_empty() || has(&flow["cause"])).then(|| format!("errors {errors:?}, cause {}", flow["cause"]))
        }
        "version" | "cipher_suite" => differs(&flow[key]["name"]),
        "hello_retry" => differs(&Value::from(flow[key].as_bool().unwrap_or(false))),
        "gaps" => differs(&Value::from(flow[key].as_array().map_or(0, Vec::len))),
        "client_auth" => {
            let got = &flow[key];
            let wrong = want.as_table().expect("a table").iter().find(|(k, v)| json(v) != got[k.as_str()]);
            wrong.map(|(k, v)| format!("{k}: expected {v}, reported {got}"))
        }
        "alert" => {
            let alerts = flow["alerts"].as_array().cloned().unwrap_or_default();
            let found = alerts.iter().any(|a| {
                want.as_table().expect("a table").iter().all(|(k, v)| match k.as_str() {
                    "from" | "level" => json(v) == a[k.as_str()],
                    "id" | "name" => json(v) == a["description"][k.as_str()],
                    other => panic!("alert.{other} is not known"),
                })
            });
            (!found).then(|| format!("{want} not among {}", Value::from(alerts)))
        }
        other => panic!("`{other}` of [expect] is not known"),
    }
}

/// The program's spelling of a code in a description: codes of alerts may stand without their prefix.
fn code_of(word: &str) -> Option<&'static str> {
    diagnose::rule(word).or_else(|| diagnose::rule(&format!("alert-{word}"))).map(|r| r.code)
}

/// Codes that descriptions name, as what must not be reported or as one of several, and no rule has yet.
const FUTURE: &[&str] = &["postgres-ssl-denied", "starttls-refused"];

#[test]
fn descriptions_name_codes_that_exist() {
    let mut unknown = BTreeSet::new();
    for g in goldens().iter().filter(|g| !g.name.starts_with(DTLS)) {
        let tables = g.expect().get("each").and_then(Toml::as_array).into_iter().flatten().filter_map(Toml::as_table);
        for table in tables.chain([g.expect()]) {
            for key in ["cause", "cause_any", "findings", "silent"] {
                unknown.extend(table.get(key).map(strings).into_iter().flatten().filter(|c| code_of(c).is_none()));
            }
        }
    }
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), FUTURE, "codes without a rule, and those said to be");
}

fn strings(v: &Toml) -> Vec<&str> {
    match v {
        Toml::String(s) => vec![s],
        Toml::Array(a) => a.iter().map(|s| s.as_str().expect("a string")).collect(),
        other => panic!("{other} is neither a string nor an array"),
    }
}

fn json(v: &Toml) -> Value {
    serde_json::to_value(v).expect("TOML of descriptions is JSON")
}

#[test]
fn what_real_programs_send_is_not_called_malformed() {
    for g in goldens().iter().filter(|g| g.name.starts_with("good/") || g.name.starts_with("guide/")) {
        for flow in flows(&g.document) {
            let found = flow["findings"].as_array().unwrap().iter().find(|f| f["code"] == "tls-malformed-message");
            assert_eq!(found.map(|f| &f["detail"]), None, "{}", g.name);
        }
    }
}

#[test]
fn every_frame_is_accounted_for() {
    for g in goldens() {
        let source = &g.document["sources"][0];
        let skipped: u64 =
            source["packets"]["skipped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        let decoded = source["packets"]["decoded"].as_u64().unwrap();
        assert_eq!(source["frames"].as_u64(), Some(decoded + skipped), "{}: {}", g.name, source["packets"]);
        let problems = source["problems"].as_array().unwrap().len();
        // Cut packets are said too, though the file is whole.
        let cut = g.name.starts_with("damaged/snaplen");
        assert_eq!(
            source["complete"] == false || cut,
            problems > 0,
            "{}: damage and nothing said of it, or the reverse",
            g.name
        );
    }
}

#[test]
fn formats_agree() {
    for g in goldens() {
        let lines = g.report.write("ndjson");
        let mut lines: Vec<Value> =
            lines.lines().map(|l| serde_json::from_str(l).expect("each line is JSON")).collect();
        let mut last = lines.pop().expect("a summary");
        assert_eq!(last["type"], "summary", "{}", g.name);
        let mut said = |wanted: &str| -> Value {
            let those: Vec<_> = lines.iter_mut().filter(|l| l["type"] == wanted).collect();
            those.into_iter().map(|l| (l.as_object_mut().unwrap().remove("type"), l.clone()).1).collect()
        };
        assert_eq!(said("flow"), g.document["flows"], "{}", g.name);
        assert_eq!(said("finding"), g.document["findings"], "{}", g.name);
        let members = last.as_object_mut().unwrap();
        members.remove("type");
        for key in ["schema_version", "tool", "sources"] {
            assert_eq!(members.remove(key).as_ref(), Some(&g.document[key]), "{}: {key}", g.name);
        }
        assert_eq!(last, g.document["summary"], "{}", g.name);
    }
}

#[test]
fn summaries_count_each_flow_once() {
    for g in goldens() {
        let s = &g.document["summary"];
        let all = flows(&g.document);
        assert_eq!(s["flows"], all.len(), "{}", g.name);
        for outcome in ["established", "failed", "rejected", "incomplete"] {
            assert_eq!(s[outcome], all.iter().filter(|f| f["outcome"] == outcome).count(), "{}: {outcome}", g.name);
        }
        for severity in ["error", "warning", "info"] {
            let each = all.iter().copied().chain([&g.document]);
            let findings = each.flat_map(|f| f["findings"].as_array().unwrap());
            assert_eq!(s["findings"][severity], findings.filter(|f| f["severity"] == severity).count(), "{}", g.name);
        }
    }
}

#[test]
fn findings_name_frames_of_their_flow() {
    for g in goldens() {
        for flow in flows(&g.document) {
            let range = flow["first_frame"].as_u64().unwrap()..=flow["last_frame"].as_u64().unwrap();
            for f in flow["findings"].as_array().unwrap() {
                let frames: Vec<_> = f["frames"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
                assert!(
                    frames.iter().all(|n| range.contains(n)),
                    "{}: {} at {frames:?} of {range:?}",
                    g.name,
                    f["code"]
                );
                for text in ["title", "detail", "remedy"] {
                    let text = f[text].as_str().unwrap_or_default();
                    assert!(!text.contains("  ") && !text.contains(" ,"), "{}: {}: {text:?}", g.name, f["code"]);
                }
                assert!(
                    f["explains_failure"] == false || !frames.is_empty(),
                    "{}: {} without evidence",
                    g.name,
                    f["code"]
                );
            }
            if let Some(cause) = flow["cause"].as_str() {
                assert!(codes(flow).contains(&cause), "{}: the cause {cause} is no finding", g.name);
                assert!(matches!(flow["outcome"].as_str(), Some("failed" | "rejected")), "{}: {cause}", g.name);
            }
        }
    }
}

#[test]
fn reports_are_the_same_each_time_and_drive_no_terminal() {
    for g in goldens() {
        let path = support::capture(&g.name);
        let again = support::Reported::of(std::fs::File::open(path).unwrap(), &g.name);
        for format in report::FORMATS.iter().map(|f| f.name) {
            let text = g.report.write(format);
            assert!(text == again.write(format), "{}: {format} differs from run to run", g.name);
            assert_eq!(support::drives_a_terminal(&text), None, "{}: {format}", g.name);
        }
    }
}

/// Captures whose whole JSON report is kept.
const SNAPSHOTS: &[&str] = &[
    "good/mtls-12",
    "good/mtls-13",
    "good/resumed-psk-13",
    "good/hello-retry-13",
    "good/tls-10",
    "good/ocsp-staple-12",
    "guide/1-version-client-12-server-13",
    "guide/2-unknown-ca-12",
    "guide/5-client-cert-missing-12",
    "guide/5-client-cert-missing-13",
    "transport/refused",
    "transport/tls-to-ssh",
    "damaged/cut-file-12",
    "damaged/qinq-13",
    "damaged/resent-other-bytes-12",
];

#[test]
fn whole_reports_are_as_reviewed() {
    for name in SNAPSHOTS {
        let mut document = golden(name).document.clone();
        assert_eq!(document["tool"]["version"], env!("CARGO_PKG_VERSION"));
        document["tool"]["version"] = "of the crate".into();
        snapshot(name, "json", &pretty(&document));
    }
}

#[test]
fn whole_texts_are_as_reviewed() {
    for name in ["good/mtls-13", "guide/5-client-cert-missing-12", "damaged/cut-file-12"] {
        snapshot(name, "text", &golden(name).report.write("text"));
    }
}

#[test]
fn every_format_is_as_reviewed() {
    let reported = &golden("guide/5-client-cert-missing-12").report;
    for format in report::FORMATS.iter().filter(|f| !matches!(f.name, "text" | "json" | "ndjson")) {
        let text = reported.write(format.name).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let text = match format.name {
            "sarif" => pretty(&serde_json::from_str(&text).expect("JSON")),
            // A line an element, so that a difference is readable.
            "html" => text.replace("><", ">\n<"),
            _ => text,
        };
        snapshot("guide/5-client-cert-missing-12", format.name, &text);
    }
}

fn snapshot(name: &str, kind: &str, content: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{}.{kind}", name.replace('/', "__")), content));
}

#[test]
fn findings_of_one_flow_have_fingerprints_of_their_own() {
    for g in goldens() {
        for flow in flows(&g.document) {
            let findings = flow["findings"].as_array().unwrap();
            let all: BTreeSet<_> = findings.iter().map(|f| f["fingerprint"].as_str().unwrap()).collect();
            assert_eq!(all.len(), findings.len(), "{}", g.name);
        }
    }
}

#[test]
fn every_field_of_a_comparison_is_in_some_report() {
    let mut sections = BTreeSet::new();
    let mut fields = BTreeSet::new();
    for g in goldens() {
        for flow in &g.report.flows {
            for d in tlscope::compare::compare(flow, flow) {
                assert!(d.equal && d.a == d.b && d.note.is_none(), "{}: {d:?}", g.name);
                sections.insert(d.section);
                fields.insert((d.section, d.name));
            }
        }
    }
    assert_eq!(sections.len(), 10, "{sections:?}");
    // Only how TLS began after another protocol's command may be in none.
    assert!(fields.len() >= 70, "{fields:?}");
}
