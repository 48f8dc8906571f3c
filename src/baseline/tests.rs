use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Baseline, String> {
    Baseline::read(text.as_bytes(), "old.json").map_err(|e| e.to_string())
}

fn flow(version: &str, name: Option<&str>) -> Value {
    json!({
        "protocol": "tls", "server": {"ip": "192.0.2.1", "port": 443},
        "client_hello": {"server_name": name},
        "version": {"id": "0x0304", "name": version},
        "findings": [{"code": "x", "fingerprint": "00000000000000ff"}],
    })
}

fn document(flows: &[Value]) -> Value {
    json!({"schema_version": 1, "tool": {"name": "tlscope", "version": "0"}, "flows": flows, "findings": []})
}

#[test]
fn both_forms_of_a_report_are_read() {
    let flows = [flow("TLS 1.3", Some("A.test")), flow("TLS 1.2", None)];
    let one = read(&document(&flows).to_string()).unwrap();
    assert_eq!(one.servers.known.keys().collect::<Vec<_>>(), ["192.0.2.1:443", "192.0.2.1:443 (a.test)"]);
    assert!(one.fingerprints.contains("00000000000000ff"));
    let mut lines = String::new();
    for f in &flows {
        let mut f = f.clone();
        f["type"] = "flow".into();
        lines.push_str(&format!("{f}\n"));
    }
    let finding = json!({"type": "finding", "code": "y", "fingerprint": "0f"});
    let summary = json!({"type": "summary", "schema_version": 1, "tool": {"name": "tlscope"}});
    lines.push_str(&format!("{finding}\n{summary}\n"));
    let other = read(&lines).unwrap();
    assert_eq!(one.servers, other.servers);
    assert!(other.fingerprints.contains("0f"));
}

#[test]
fn what_is_no_whole_report_is_refused() {
    let good = document(&[flow("TLS 1.3", None)]).to_string();
    let mut v2 = document(&[]);
    v2["schema_version"] = 2.into();
    let mut foreign = document(&[]);
    foreign["tool"]["name"] = "other".into();
    let line = json!({"type": "flow", "server": 1});
    for (text, says) in [
        (String::new(), "it is empty"),
        (" \n".to_owned(), "it is empty"),
        ("#!\n".to_owned(), "line 1 is not JSON"),
        (format!("{line}\n{line}\n{{\"a\": tru }}"), "line 3 is not JSON"),
        (good[..good.len() - 9].to_owned(), "it was cut"),
        (format!("{line}\n"), "ends without its summary"),
        (format!("{good}\n{good}"), "something follows"),
        (v2.to_string(), "its schema version is 2, and this program compares version 1"),
        (foreign.to_string(), "no report of tlscope"),
        ("[]".to_owned(), "no report of tlscope"),
        ("7".to_owned(), "no report of tlscope"),
        ("{\"type\": \"\\u001b\"}".to_owned(), "no report of tlscope"),
        ("{\"schema_version\": 1, \"tool\": {\"name\": \"tlscope\"}}".to_owned(), "it has no flows"),
    ] {
        let e = read(&text).unwrap_err();
        assert!(e.starts_with("--baseline old.json: ") && e.contains(says), "{text:?}: {e}");
    }
}

#[test]
fn values_that_are_new_are_changes() {
    let set = |v: &[&str]| -> BTreeSet<String> { v.iter().map(|s| (*s).to_owned()).collect() };
    let field = ("negotiated", "version");
    assert_eq!(
        change(field, Some(&set(&["TLS 1.3"])), &set(&["TLS 1.2", "TLS 1.3"]), false).as_deref(),
        Some("version: was TLS 1.3, is TLS 1.2")
    );
    // One capture shows less than another.
    assert_eq!(change(field, Some(&set(&["TLS 1.2", "TLS 1.3"])), &set(&["TLS 1.3"]), false), None);
    assert_eq!(change(field, None, &set(&["TLS 1.3"]), false), None);
    // A name is not told where names are replaced; that it is another is.
    let field = ("server certificate", "issuer");
    let (old, new) = (set(&["CN=Old"]), set(&["CN=New"]));
    assert_eq!(
        change(field, Some(&old), &new, false).as_deref(),
        Some("server certificate, issuer: was CN=Old, is CN=New")
    );
    assert_eq!(change(field, Some(&old), &new, true).as_deref(), Some("server certificate, issuer: was another name"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let _ = Baseline::read(&bytes[..], "p");
    }
}

/// A flow whose server negotiated this version, in a report of this many different ones.
fn versions(n: usize) -> Vec<Value> {
    (0..n).map(|n| flow(&format!("TLS {n}"), Some("a.test"))).collect()
}

/// What is told of flows of an older and a newer report: code and detail.
fn told(old: &[Value], new: &[Value]) -> Vec<(&'static str, String)> {
    let mut c = Comparison::new(read(&document(old).to_string()).unwrap(), Severity::Error);
    for f in new {
        c.new.add(f);
    }
    c.findings(&[], None).into_iter().map(|f| (f.code, f.detail)).collect()
}

#[test]
fn values_beyond_the_cap_are_told_and_accuse_nobody() {
    let most = limits::BASELINE_VALUES;
    // All that the older report keeps is known: what it lacks is new.
    let found = told(&versions(most), &[flow("TLS x", Some("a.test"))]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "baseline-handshake-changed");
    // Of more the first ones are kept: one of the others is no change, and nobody knows.
    for (old, new) in [(versions(most + 1), versions(most + 1)), (versions(most + 1), versions(1))] {
        let found = told(&old, &new);
        let [("baseline-not-compared", detail)] = &found[..] else { panic!("{found:?}") };
        assert!(detail.contains("192.0.2.1:443 (a.test): more than 64 values of negotiated, version"), "{detail}");
    }
    // A new report with more than are kept is compared as far as that goes.
    let found = told(&versions(most), &versions(most + 2));
    assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), ["baseline-not-compared"], "{found:?}");
}

#[test]
fn servers_beyond_the_cap_are_told() {
    let at = |n: usize| {
        let [_, a, b, c] = u32::try_from(n).unwrap().to_be_bytes();
        let mut f = flow("TLS 1.3", None);
        f["server"]["ip"] = format!("10.{a}.{b}.{c}").into();
        f
    };
    let mut old = Baseline::default();
    (0..limits::BASELINE_SERVERS + 3).for_each(|n| old.add_flow(&at(n)));
    let mut c = Comparison::new(old, Severity::Error);
    c.new.add(&at(0));
    c.new.add(&at(limits::BASELINE_SERVERS + 1));
    let found = c.findings(&[], None);
    let detail = &found.iter().find(|f| f.code == "baseline-not-compared").unwrap().detail;
    assert!(detail.contains("3 flows of the baseline to further servers than the first 65536"), "{detail}");
    assert!(!detail.contains("In this report only"), "the baseline may have had it: {detail}");
    assert!(detail.contains("In the baseline only"), "{detail}");
}
