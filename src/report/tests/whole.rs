//! Whole reports: their inputs, what all formats say alike, the schema, and what is kept.

use super::*;

pub(super) fn source() -> SourceReport {
    SourceReport {
        info: SourceInfo {
            path: "a\x1b.pcap".into(),
            format: Some(crate::capture::Format::Pcap),
            frames: 10,
            bytes: 999,
            skipped: 2,
            first_time: Some(Timestamp::from_parts(NOON, 0)),
            complete: true,
            ..SourceInfo::default()
        },
        decoded: 6,
        skipped: [("not tcp", 3)].into(),
        tcp_connections: 1,
        evicted: 0,
    }
}

#[test]
fn every_frame_of_a_source_is_accounted_for() {
    let s = source();
    let v = serde_json::to_value(Source::new(&s)).unwrap();
    assert_eq!(v["path"], "a\\u{1b}.pcap");
    assert_eq!(v["format"], "pcap");
    assert_eq!(v["frames"], 12);
    let skipped: u64 = v["packets"]["skipped"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(v["packets"]["decoded"].as_u64().unwrap() + skipped, 12);
    assert_eq!(v["first_time"], "2026-06-01T12:00:00.000000000Z");
    assert!(v.get("last_time").is_none());
}

#[test]
fn an_input_that_could_not_be_opened() {
    let s = SourceReport {
        info: unopened("gone.pcap", "cannot open gone.pcap: no such file"),
        decoded: 0,
        skipped: Default::default(),
        tcp_connections: 0,
        evicted: 0,
    };
    let v = serde_json::to_value(Source::new(&s)).unwrap();
    assert_eq!(v["frames"], 0);
    assert_eq!(v["complete"], false);
    assert_eq!(v["format"], Value::Null);
    assert_eq!(v["problems"], json!([{"message": "cannot open gone.pcap: no such file"}]));
    assert_eq!(v["packets"], json!({"decoded": 0, "skipped": {}}));
}

#[test]
fn one_document_and_one_object_a_line_say_the_same() {
    let flows = [
        report(with_server_flight(), Outcome::Failed, vec![finding("client-cert-missing")]),
        report(finished(with_server_flight()), Outcome::Established, Vec::new()),
    ];
    let wide = Finding { flows: vec![7], severity: Severity::Warning, ..finding("certificate-shared") };
    for n in 0..=2 {
        let flows = &flows[..n];
        let findings = if n == 2 { std::slice::from_ref(&wide) } else { &[] };
        let document: Value = serde_json::from_str(&written("json", &Options::default(), flows, findings)).unwrap();
        assert_eq!(document["schema_version"], SCHEMA_VERSION);
        assert_eq!(document["tool"], json!({"name": "tlscope", "version": Tool::THIS.version}));
        assert_eq!(document["flows"].as_array().unwrap().len(), n);
        let lines = written("ndjson", &Options::default(), flows, findings);
        assert!(lines.ends_with('\n'));
        let mut lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let mut last = lines.pop().unwrap();
        assert_eq!(last["type"], "summary");
        assert_eq!(last["schema_version"], SCHEMA_VERSION);
        assert_eq!((&last["tool"], &last["sources"]), (&document["tool"], &document["sources"]));
        let members = last.as_object_mut().unwrap();
        for key in ["type", "schema_version", "tool", "sources"] {
            members.remove(key);
        }
        assert_eq!(last, document["summary"]);
        for (i, mut line) in lines.into_iter().enumerate() {
            let kind = line.as_object_mut().unwrap().remove("type").unwrap();
            let same = if i < n { &document["flows"][i] } else { &document["findings"][i - n] };
            assert_eq!(kind, if i < n { "flow" } else { "finding" });
            assert_eq!(&line, same);
        }
        if n == 2 {
            assert_eq!(document["findings"][0]["flows"], json!([7]));
            assert_eq!(
                document["summary"],
                json!({
                    "flows": 2, "established": 1, "failed": 1, "rejected": 0, "incomplete": 0, "mutual_tls": 0,
                    "findings": {"error": 1, "warning": 1, "info": 0}
                })
            );
        }
    }
}

#[test]
fn the_worst_severity() {
    let mut s = Summary::default();
    assert_eq!(s.worst(), None);
    for severity in [Severity::Info, Severity::Warning, Severity::Error] {
        s.add_finding(&Finding { severity, ..finding("x") });
        assert_eq!(s.worst(), Some(severity));
    }
    s.add_finding(&Finding { severity: Severity::Info, ..finding("x") });
    assert_eq!(s.worst(), Some(Severity::Error));
}

#[test]
fn nothing_from_the_wire_comes_out_raw() {
    let bad = "\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2066}\u{200e}\u{61c}\u{fffd}\r\n";
    let mut facts = finished(with_server_flight());
    {
        let e = &mut facts.client_hello.as_mut().unwrap().message.extensions;
        e.server_name = Some(vec![Box::from(bad.as_bytes())]);
        e.alpn = vec![Box::from(bad.as_bytes()), Box::from(&b"\xff\xfe"[..])];
    }
    facts.server_hello.as_mut().unwrap().message.extensions.alpn = vec![Box::from(bad.as_bytes())];
    let evil = Finding { title: bad.into(), detail: bad.into(), remedy: bad.into(), ..finding("client-cert-missing") };
    let flows = [report(facts, Outcome::Failed, vec![evil.clone()])];
    let options = Options { inputs: vec![bad.into(), bad.into()], ..Options::default() };
    for f in FORMATS {
        let out = written(f.name, &options, &flows, std::slice::from_ref(&evil));
        let raw = out.chars().find(|c| *c != '\n' && crate::text::is_unsafe(*c));
        // JSON writes C0 of a finding in its own way: as text, never raw.
        assert_eq!(raw, None, "{}: {out}", f.name);
    }
}

/// Checks a value against a schema as far as this program's own schema needs it.
fn validate(schema: &Value, root: &Value, v: &Value, path: &str) {
    if let Some(r) = schema.get("$ref").and_then(Value::as_str) {
        return validate(root.pointer(&r[1..]).unwrap(), root, v, path);
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let null = json!("null");
        let of = any.iter().find(|s| (s.get("type") == Some(&null)) == v.is_null()).unwrap();
        return validate(of, root, v, path);
    }
    if let Some(t) = schema.get("type") {
        let is = match v {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = t == is || t.as_array().is_some_and(|l| l.iter().any(|t| t == is));
        assert!(fits, "{path}: {t} is {v}");
    }
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        assert!(v.get(key.as_str().unwrap()).is_some(), "{path}: {key} is missing");
    }
    if let Some(members) = v.as_object() {
        let known = schema.get("properties").and_then(Value::as_object);
        for (key, value) in members {
            match known.and_then(|p| p.get(key)) {
                Some(s) => validate(s, root, value, &format!("{path}.{key}")),
                None => assert!(schema.get("additionalProperties").is_some(), "{path}: {key} is not in the schema"),
            }
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), v.as_array()) {
        list.iter().for_each(|i| validate(items, root, i, &format!("{path}[]")));
    }
}

#[test]
fn the_schema_describes_a_document() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut full = finished(with_server_flight());
    full.sides[Side::A].gaps.push(Gap { at: 0, bytes: 1, frame: FrameNo(3), reason: GapReason::Limit });
    full.alerts.push(AlertFact { mark: mark(5, 4), side: Side::B, said: None, basis: Basis::Inferred });
    full.vlans.push(3);
    full.messages[0].frames.push(FrameNo(5));
    let flows = [
        report(bare(), Outcome::Failed, vec![finding("tcp-refused")]),
        report(full, Outcome::Established, vec![Finding { blame: Blame::Nobody, ..finding("x") }]),
        report(tls13(Some(0)), Outcome::Incomplete, Vec::new()),
    ];
    let wide = Finding { flows: vec![7], ..finding("certificate-shared") };
    let document: Value = serde_json::from_str(&written("json", &Options::default(), &flows, &[wide])).unwrap();
    validate(&schema, &schema, &document, "document");
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(required, ["schema_version", "tool", "sources", "flows", "findings", "summary"]);
    // `Document` is only described, never built by a writer; it says the same.
    let s = source();
    let built = Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool::THIS,
        sources: vec![Source::new(&s)],
        flows: flows.iter().map(Flow::from_report).collect(),
        findings: Vec::new(),
        summary: Summary::default(),
    };
    let built = serde_json::to_value(built).unwrap();
    assert_eq!((&built["flows"], &built["sources"]), (&document["flows"], &document["sources"]));
}

#[test]
fn what_is_kept_for_a_page_is_bounded() {
    let flow = |id, outcome, code: Option<&'static str>| {
        let mut facts = with_client_hello();
        facts.id = id;
        report(facts, outcome, code.map(finding).into_iter().collect())
    };
    let mut flows: Vec<FlowReport> =
        (1..=3000).map(|id| flow(id, Outcome::Failed, Some("client-cert-missing"))).collect();
    flows.extend((3001..=6000).map(|id| flow(id, Outcome::Established, None)));
    let markdown = written("markdown", &Options::default(), &flows, &[]);
    assert!(markdown.len() < 20_000, "{}", markdown.len());
    assert_eq!(markdown.matches("\n### Flow ").count(), 3);
    assert!(markdown.contains("- 2997 more flows with `client-cert-missing`, all from 192.0.2.10"), "{markdown}");
    let html = written("html", &Options::default(), &flows, &[]);
    assert!(html.len() < 1 << 20, "{}", html.len());
    assert_eq!(html.matches("<details class=\"flow\"").count(), 40);
    assert_eq!(html.matches(" more flows: ").count(), 2);
    assert!(html.contains("… 2500 more flows: established"), "{}", html.len());
    assert!(html.contains("5960 more flows are not."), "{}", html.len());
}

#[test]
fn junit_writes_suites_as_they_fill() {
    let flows: Vec<FlowReport> = (1..=2500)
        .map(|id| {
            let mut facts = with_client_hello();
            facts.id = id;
            report(facts, Outcome::Established, Vec::new())
        })
        .collect();
    let text = written("junit", &Options::default(), &flows, &[]);
    let document = roxmltree::Document::parse(&text).unwrap();
    let tests: Vec<_> = document.descendants().filter_map(|n| n.attribute("tests")).collect();
    assert_eq!(tests, ["1000", "1000", "500", "1"]);
}

#[test]
fn a_broken_expectation_is_a_test_of_its_own() {
    let unknown = Finding { severity: Severity::Warning, ..finding("policy-not-judged") };
    let findings = vec![finding("policy-version"), unknown];
    let flows = [report(finished(with_server_flight()), Outcome::Established, findings)];
    let wide = Finding { flows: vec![7], ..finding("policy-plaintext") };
    let text = written("junit", &Options::default(), &flows, &[wide]);
    let document = roxmltree::Document::parse(&text).unwrap();
    let cases: Vec<_> = document
        .descendants()
        .filter(|n| n.has_tag_name("testcase"))
        .map(|n| (n.attribute("classname").unwrap(), n.children().any(|c| c.has_tag_name("failure"))))
        .collect();
    assert_eq!(document.descendants().filter(|n| n.has_tag_name("skipped")).count(), 1);
    assert_eq!(
        cases,
        [
            ("tlscope.flow", false),
            ("tlscope.expectation", true),
            ("tlscope.expectation", false),
            ("tlscope.input", false),
            ("tlscope.expectation", true)
        ]
    );
}
