//! The formats for other programs, read back by parsers that are not ours.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::support::{drives_a_terminal, flows, golden, goldens};

fn elements<'a>(n: Node<'a, 'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    n.children().filter(Node::is_element)
}

fn number(n: Node<'_, '_>, name: &str) -> usize {
    n.attribute(name).unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// What the schema of Ant's JUnit task asks for, and what the counts say.
fn assert_suite(name: &str, suite: Node<'_, '_>, id: usize) {
    let children: Vec<_> = elements(suite).map(|e| e.tag_name().name().to_owned()).collect();
    assert_eq!(children.first().map(String::as_str), Some("properties"), "{name}");
    assert_eq!(&children[children.len() - 2..], ["system-out", "system-err"], "{name}");
    assert!(children[1..children.len() - 2].iter().all(|c| c == "testcase"), "{name}: {children:?}");
    assert_eq!(number(suite, "id"), id, "{name}");
    for attribute in ["name", "package", "hostname"] {
        assert!(suite.attribute(attribute).is_some_and(|v| !v.trim().is_empty()), "{name}: {attribute}");
    }
    let timestamp = suite.attribute("timestamp").unwrap();
    assert_eq!(timestamp.len(), 19, "{timestamp}: neither a fraction nor a zone");
    let cases: Vec<_> = suite.children().filter(|c| c.has_tag_name("testcase")).collect();
    assert_eq!(number(suite, "tests"), cases.len(), "{name}");
    for (attribute, element) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
        let n = cases.iter().filter(|c| elements(**c).any(|e| e.has_tag_name(element))).count();
        assert_eq!(number(suite, attribute), n, "{name}: {attribute}");
    }
    for case in cases {
        assert!(elements(case).count() <= 1, "{name}: one verdict");
        let time: f64 = case.attribute("time").unwrap().parse().unwrap();
        assert!(time >= 0.0);
        for attribute in ["name", "classname"] {
            assert!(case.attribute(attribute).is_some_and(|v| !v.is_empty()), "{name}: {attribute}");
        }
        for bad in elements(case).filter(|e| !e.has_tag_name("skipped")) {
            assert!(bad.attribute("type").is_some_and(|t| !t.is_empty()), "{name}");
        }
    }
}

#[test]
fn junit_has_a_case_for_each_flow_and_says_why_it_failed() {
    for g in goldens() {
        let text = g.report.write("junit");
        assert_eq!(drives_a_terminal(&text), None, "{}", g.name);
        let document = Document::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", g.name));
        let root = document.root_element();
        assert!(root.has_tag_name("testsuites"), "{}", g.name);
        for (id, suite) in elements(root).enumerate() {
            assert_suite(&g.name, suite, id);
        }
        let cases = |class: &'static str| {
            root.descendants().filter(move |n| n.has_tag_name("testcase") && n.attribute("classname") == Some(class))
        };
        let all = flows(&g.document);
        assert_eq!(cases("tlscope.flow").count(), all.len(), "{}", g.name);
        for flow in all {
            let id = format!("(flow {})", flow["id"]);
            let case = cases("tlscope.flow").find(|c| c.attribute("name").unwrap().ends_with(&id)).expect("a case");
            let verdict = elements(case).next();
            let word = verdict.map(|v| v.tag_name().name().to_owned());
            let error = flow["findings"].as_array().unwrap().iter().any(|f| f["severity"] == "error");
            let want = match flow["outcome"].as_str().unwrap() {
                "failed" | "rejected" => Some("failure"),
                _ if error => Some("failure"),
                "incomplete" => Some("skipped"),
                _ => None,
            };
            assert_eq!(word.as_deref(), want, "{}: {id}", g.name);
            if let Some(cause) = flow["cause"].as_str() {
                let verdict = verdict.unwrap();
                assert_eq!(verdict.attribute("type"), Some(cause), "{}", g.name);
                let finding = flow["findings"].as_array().unwrap().iter().find(|f| f["code"] == cause).unwrap();
                let text = verdict.text().unwrap_or_default();
                for part in ["title", "detail", "remedy"] {
                    assert!(text.contains(finding[part].as_str().unwrap()), "{}: no {part} in {text}", g.name);
                }
            }
        }
        let damaged = g.document["sources"].as_array().unwrap().iter().filter(|s| s["complete"] == false).count();
        let errors = cases("tlscope.input").filter(|c| elements(*c).any(|e| e.has_tag_name("error"))).count();
        assert_eq!(errors, damaged, "{}", g.name);
    }
}

#[test]
fn sarif_has_a_result_for_each_finding() {
    for g in goldens() {
        let text = g.report.write("sarif");
        let log: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", g.name));
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let rules: Vec<&str> =
            run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
        assert_eq!(rules.iter().collect::<BTreeSet<_>>().len(), rules.len(), "{}: {rules:?}", g.name);
        let results = run["results"].as_array().unwrap();
        let mut got: Vec<(u64, &str, &str)> = Vec::new();
        for r in results {
            let index = r["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(rules.get(index).copied(), r["ruleId"].as_str(), "{}", g.name);
            let place = &r["locations"][0]["physicalLocation"]["artifactLocation"];
            let artifact = &run["artifacts"][place["index"].as_u64().unwrap() as usize]["location"];
            assert_eq!(place["uri"], artifact["uri"], "{}", g.name);
            let print = r["partialFingerprints"]["tlscopeFinding/v1"].as_str().unwrap();
            // What is true of the whole capture names no one flow.
            let flow = r["properties"]["flow"]["id"].as_u64().unwrap_or(0);
            got.push((flow, r["ruleId"].as_str().unwrap(), print));
        }
        let mut want: Vec<(u64, &str, &str)> = Vec::new();
        let texts = |of: &'static Value, id| {
            let text = |f: &'static Value, key: &str| f[key].as_str().unwrap();
            let findings = of["findings"].as_array().unwrap().iter();
            findings.map(move |f| (id, text(f, "code"), text(f, "fingerprint")))
        };
        want.extend(texts(&g.document, 0));
        for flow in flows(&g.document) {
            want.extend(texts(flow, flow["id"].as_u64().unwrap()));
        }
        got.sort_unstable();
        want.sort_unstable();
        assert_eq!(got, want, "{}", g.name);
        let whole = g.document["sources"].as_array().unwrap().iter().all(|s| s["complete"] == true);
        assert_eq!(run["invocations"][0]["executionSuccessful"], whole, "{}", g.name);
    }
}

#[test]
fn sarif_rules_carry_their_pages() {
    let log: Value = serde_json::from_str(&golden("guide/5-client-cert-missing-12").report.write("sarif")).unwrap();
    let rule = &log["runs"][0]["tool"]["driver"]["rules"][0];
    assert_eq!(rule["id"], "client-cert-missing");
    assert_eq!(rule["defaultConfiguration"]["level"], "error");
    for heading in ["What", "Fix", "How to verify", "References"] {
        assert!(rule["help"]["text"].as_str().unwrap().contains(&format!("\n{heading}\n")), "{rule}");
    }
}

/// `1 bytes` and its like.
fn false_plural(text: &str) -> Option<&str> {
    let wrong = regex::Regex::new(
        r"(?:^|[^0-9.,#])1 (?:protected |more |TLS |TCP )?(?:bytes|packets|flows|frames|records|messages|certificates|connections|segments|fragments|times|days|seconds|CAs|names|findings|problems)\b",
    );
    wrong.unwrap().find(text).map(|m| m.as_str())
}

#[test]
fn one_is_never_a_plural() {
    assert!(false_plural("(1 bytes)").is_some() && false_plural("21 bytes, 1 byte").is_none());
    for g in goldens() {
        for format in ["text", "json", "markdown", "html"] {
            assert_eq!(false_plural(&g.report.write(format)), None, "{} as {format}", g.name);
        }
    }
    // A ChangeCipherSpec, whose body is one byte, is among them.
    for frame in 1..=22 {
        let said = crate::cli::run(["why", &crate::cli::path("good/alpn-h2-12"), &frame.to_string()]).out;
        assert_eq!(false_plural(&said), None, "{said}");
    }
}
