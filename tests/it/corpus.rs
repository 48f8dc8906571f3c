//! Captures from elsewhere with what other programs say of them: a folder with `expected.json` named by `TLSCOPE_CORPUS`.
//! It is not part of the project; without it nothing is checked, and that is said.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde_json::Value;

use crate::support::{Reported, flows, skip_even_on_ci};

/// Share of fields that must be right.
const RIGHT: f64 = 0.99;

/// Kinds of capture for which this version makes no promise, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("nested", "TLS inside another encrypted or framed protocol is a bonus"),
    ("tunnel", "tunnels over UDP are not unwrapped yet"),
];

#[test]
fn corpus_facts_are_right() {
    let Some(folder) = std::env::var_os("TLSCOPE_CORPUS") else {
        return skip_even_on_ci("corpus: TLSCOPE_CORPUS names no folder with captures and expected.json");
    };
    let folder = Path::new(&folder);
    let truth = std::fs::read_to_string(folder.join("expected.json"))
        .unwrap_or_else(|e| panic!("{}/expected.json: {e}", folder.display()));
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    let mut tally: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut left_out = BTreeMap::new();
    let mut notes = Vec::new();
    for (name, about) in truth["files"].as_object().expect("files") {
        let category = about["category"].as_str().unwrap_or_default();
        let Ok(file) = File::open(folder.join(name)) else {
            notes.push(format!("{name}: is missing"));
            continue;
        };
        if let Some((_, why)) = LEFT_OUT.iter().find(|l| l.0 == category) {
            *left_out.entry(why).or_insert(0u32) += 1;
            continue;
        }
        let document = Reported::of(file, name).document();
        let reported = flows(&document);
        if category == "negative" {
            let wrong = reported.iter().any(|f| !f["client_hello"].is_null() || !f["server_hello"].is_null());
            count(&mut tally, "no TLS where there is none", !wrong);
            if wrong {
                notes.push(format!("{name}: TLS where there is none"));
            }
        }
        let mut left: Vec<&Value> = reported;
        for want in about["flows"].as_array().expect("flows") {
            if want["proto"] != "tls" || want["handshake_seen"] == false || is_noise(want) {
                continue;
            }
            let found = left.iter().position(|f| ends(f["client"].clone(), f["server"].clone()) == truth_ends(want));
            count(&mut tally, "flow found", found.is_some());
            let Some(found) = found else {
                notes.push(format!("{name}: {} → {} not found", want["client"], want["server"]));
                continue;
            };
            let flow = left.remove(found);
            for (field, right, seen) in facts(want, flow) {
                count(&mut tally, field, right);
                if !right {
                    notes.push(format!("{name}: {}: {field}: reported {seen}", want["client"]));
                }
            }
        }
    }
    let (right, all) = tally.values().fold((0, 0), |(r, a), (right, all)| (r + right, a + all));
    for (field, (right, all)) in &tally {
        eprintln!("{field:28} {right:5} of {all:5}");
    }
    for (why, files) in left_out {
        skip_even_on_ci(&format!("corpus: {files} files, because {why}"));
    }
    assert!(all > 0, "{} holds nothing to compare", folder.display());
    let share = f64::from(right) / f64::from(all);
    assert!(share >= RIGHT, "right {right} of {all}, {:.2} %:\n{}", share * 100.0, notes.join("\n"));
}

fn count<'a>(tally: &mut BTreeMap<&'a str, (u32, u32)>, field: &'a str, right: bool) {
    let entry = tally.entry(field).or_default();
    entry.0 += u32::from(right);
    entry.1 += 1;
}

/// Random bytes that only look like an SSL 2.0 ClientHello: the version is none.
fn is_noise(want: &Value) -> bool {
    let known = ["0x0002", "0x0300", "0x0301", "0x0302", "0x0303", "0x0304"];
    let version = want["sslv2_client_hello"]["version"].as_str();
    version.is_some_and(|v| !known.contains(&v)) && want["client_hello"].is_null() && want["server_hello"].is_null()
}

fn ends(a: Value, b: Value) -> Vec<String> {
    let mut both = [a, b].map(|e| format!("{} {}", e["ip"].as_str().unwrap_or_default(), e["port"])).to_vec();
    both.sort();
    both
}

fn truth_ends(want: &Value) -> Vec<String> {
    let end = |v: &Value| serde_json::json!({"ip": v[0], "port": v[1]});
    ends(end(&want["client"]), end(&want["server"]))
}

/// The facts that the truth states: name, whether the flow has it right, and what the flow says.
fn facts(want: &Value, flow: &Value) -> Vec<(&'static str, bool, String)> {
    let mut out = Vec::new();
    let mut hold = |field, right: bool, seen: &Value| out.push((field, right, seen.to_string()));
    let differ = !want["scan_differs"].is_null() || !want["tshark_differs"].is_null();
    if want["orientation_from"] == "client_hello" {
        hold("client", want["client"][1] == flow["client"]["port"], &flow["client"]);
    }
    if want["version_id"].is_string() {
        hold("version", want["version_id"] == flow["version"]["id"], &flow["version"]);
    }
    if want["cipher"]["id"].is_string() {
        hold("cipher suite", want["cipher"]["id"] == flow["cipher_suite"]["id"], &flow["cipher_suite"]);
    }
    if want["sni"].is_string() {
        hold("server name", want["sni"] == flow["client_hello"]["server_name"], &flow["client_hello"]["server_name"]);
    }
    if let Some(certs) = want["server_certs"].as_array() {
        let sums =
            |list: &Value| list.as_array().into_iter().flatten().map(|c| c["sha256"].clone()).collect::<Vec<_>>();
        let seen = &flow["certificates"]["server"];
        hold("server certificates", sums(&Value::from(certs.clone())) == sums(seen), &Value::from(sums(seen)));
    }
    for (direction, side, field) in
        [("c2s", "client", "messages of the client"), ("s2c", "server", "messages of the server")]
    {
        let said = want["handshake"][direction].as_array().filter(|l| !l.is_empty() && !differ);
        if let Some(said) = said {
            let messages = flow["messages"].as_array().into_iter().flatten();
            let clear = messages.filter(|m| m["from"] == side && m["basis"] == "observed");
            let types: Vec<_> = clear
                .filter(|m| m["record"] == "handshake" || m["record"] == "ssl2")
                .map(|m| m["type"].clone())
                .collect();
            let seen = format!("{}, expected {}", Value::from(types.as_slice()), Value::from(said.as_slice()));
            hold(field, *said == types, &Value::from(seen));
        }
    }
    out
}
