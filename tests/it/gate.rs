//! Expectations as they are typed, over captures of real programs.

use serde_json::Value;

use crate::cli::{assert_sentence, json, path, run};
use crate::support::codes;

/// A file with this text.
fn file(text: &str) -> tempfile::TempPath {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file.into_temp_path()
}

/// Exit code and JSON report under these expectations.
fn report(expect: &[&str], captures: &[&str]) -> (i32, Value) {
    let mut args: Vec<String> = vec!["report".into(), "--format=json".into()];
    args.extend(expect.iter().map(|e| format!("--expect={e}")));
    args.extend(captures.iter().map(|c| path(c)));
    let r = run(args);
    assert_eq!(r.err, "", "{expect:?} {captures:?}");
    (r.code, json(&r.out))
}

/// Codes of all findings about expectations.
fn broken(document: &Value) -> Vec<&str> {
    let flows = document["flows"].as_array().unwrap();
    let all = flows.iter().flat_map(codes).chain(codes(document));
    all.filter(|c| c.starts_with("policy-")).collect()
}

#[test]
fn broken_expectations_exit_with_1_and_name_their_evidence() {
    // What each capture shows is in its description: made with options of OpenSSL that say so.
    for (expect, capture, code) in [
        ("mutual_tls", "good/one-way-12", "policy-mutual-tls"),
        ("mutual_tls", "good/optional-no-cert-12", "policy-mutual-tls"),
        // TLS 1.3 protects these; the sizes of its records tell.
        ("mutual_tls", "good/one-way-13", "policy-mutual-tls"),
        ("mutual_tls", "good/optional-no-cert-13", "policy-mutual-tls"),
        ("min_version=1.2", "good/tls-10", "policy-version"),
        ("cipher_suites=TLS_AES_256_GCM_SHA384", "good/cipher-aes128-13", "policy-cipher-suite"),
        ("groups=x25519", "good/dhe-2048-12", "policy-group"),
        ("post_quantum", "good/one-way-12", "policy-post-quantum"),
        ("certificate_days=36500", "good/one-way-12", "policy-certificate-days"),
        ("issuers=CN=Other CA", "good/one-way-12", "policy-issuer"),
        ("alpn=http/1.1", "good/alpn-h2-12", "policy-alpn"),
    ] {
        let (exit, document) = report(&[expect], &[capture]);
        let found = broken(&document);
        assert_eq!((exit, found.as_slice()), (1, &[code][..]), "{expect} {capture}");
        let flow = &document["flows"][0];
        let finding = flow["findings"].as_array().unwrap().iter().find(|f| f["code"] == code).unwrap();
        assert_eq!((&finding["severity"], &finding["confidence"]), (&"error".into(), &"certain".into()), "{capture}");
        assert!(!finding["frames"].as_array().unwrap().is_empty(), "{capture}");
        assert_eq!(flow["cause"], Value::Null, "{capture}: what is not expected is no reason for a failure");
    }
}

#[test]
fn expectations_that_hold_are_silent() {
    for (expect, capture) in [
        ("mutual_tls", "good/mtls-12"),
        ("mutual_tls", "good/mtls-tls-10"),
        ("mutual_tls", "good/mtls-13"),
        // The server refuses the client that has no certificate.
        ("mutual_tls", "guide/5-client-cert-missing-12"),
        ("mutual_tls", "guide/5-client-cert-missing-13"),
        ("min_version=1.0", "good/tls-10"),
        ("min_version=1.3", "good/one-way-13"),
        ("cipher_suites=TLS_AES_128*", "good/cipher-aes128-13"),
        ("groups=x25519,P-256", "good/one-way-12"),
        ("certificate_days=30", "good/mtls-12"),
        ("issuers=Lab Intermediate CA", "good/mtls-12"),
        ("alpn=h2", "good/alpn-h2-12"),
        ("plaintext=false", "good/one-way-13"),
    ] {
        let (exit, document) = report(&[expect], &[capture]);
        assert_eq!((exit, broken(&document).len()), (0, 0), "{expect} {capture}: {document:#}");
    }
}

#[test]
fn a_gate_that_saw_nothing_is_not_green() {
    // Certificates are protected in TLS 1.3.
    let (exit, document) = report(&["issuers=Lab*"], &["good/one-way-13"]);
    assert_eq!((exit, broken(&document)), (1, vec!["policy-not-judged", "policy-not-checked"]));
    let checked = &document["findings"][0];
    assert!(checked["detail"].as_str().unwrap().contains("every server"), "{checked}");
    // Where another connection shows it, what is not judged is a warning, and an error on demand.
    let both = ["good/one-way-12", "good/one-way-13"];
    let (exit, document) = report(&["issuers=Lab*"], &both);
    assert_eq!((exit, broken(&document)), (0, vec!["policy-not-judged"]));
    let strict = ["report", "--expect", "issuers=Lab*", "--expect=strict", &path(both[0]), &path(both[1])];
    assert_eq!(run(strict).code, 1);
    // A name that nobody asked for.
    let policy = file("[[server]]\nname = 'tls-sever.local'\nmin_version = '1.2'\n");
    let policy = policy.to_str().unwrap();
    let (exit, document) = report(&[policy], &["good/one-way-12"]);
    assert_eq!((exit, broken(&document)), (1, vec!["policy-not-checked"]));
    assert_eq!(run(["report", "--expect", policy, "--expect=allow_unchecked", &path("good/one-way-12")]).code, 0);
}

#[test]
fn sections_and_the_command_line_win_over_what_holds_for_all() {
    let policy = file("min_version = '1.3'\n\n[[server]]\nname = '*.local'\nmin_version = '1.2'\nmutual_tls = true\n");
    let policy = policy.to_str().unwrap();
    let (exit, document) = report(&[policy, "min_version=1.1"], &["good/mtls-12", "good/tls-11"]);
    // Both clients ask for the same name, so that the section is looked at for both.
    assert_eq!((exit, broken(&document)), (1, vec!["policy-mutual-tls", "policy-version", "policy-not-checked"]));
    assert!(document["findings"][0]["detail"].as_str().unwrap().contains("every server"), "{}", document["findings"]);
}

#[test]
fn what_is_wrong_with_a_policy_is_said_with_its_line() {
    let capture = path("good/mtls-12");
    let wrong = file("[[server]]\nport = 443\nmin_verson = '1.2'\n");
    let r = run(["report", "--expect", wrong.to_str().unwrap(), &capture]);
    assert_eq!((r.code, r.out.as_str()), (2, ""));
    assert_sentence(&r.err, &["line 3", "'min_verson'", "did you mean min_version?"]);
    for (args, names) in [
        (vec!["--expect", "min_verson=1.2"], vec!["min_verson", "did you mean min_version?", "explain expectations"]),
        (vec!["--expect", "min_version=2"], vec!["must be one of", "TLS 1.3"]),
        (vec!["--expect", "no-such-policy.toml"], vec!["no-such-policy.toml", "No such file"]),
        (vec!["--expect", "strict"], vec!["nothing is expected"]),
    ] {
        let r = run([vec!["report"], args, vec![capture.as_str()]].concat());
        assert_eq!((r.code, r.out.as_str()), (2, ""), "{}", r.err);
        assert_sentence(&r.err, &names);
    }
    let good = file("min_version = '1.2'");
    let good = good.to_str().unwrap();
    let r = run(["report", "--expect", good, "--expect", good, &capture]);
    assert_eq!(r.code, 2);
    assert_sentence(&r.err, &["one file"]);
}

#[test]
fn the_page_on_expectations_has_an_example_that_is_understood() {
    let r = run(["explain", "expectations"]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    for key in tlscope::expect::KEYS {
        assert!(r.out.contains(&format!("  {} = {}\n", key.name, key.example)), "{}", key.name);
    }
    assert!(r.out.lines().all(|l| l.chars().count() <= 132), "{}", r.out);
    let example: String = r
        .out
        .lines()
        .skip_while(|l| *l != "Example")
        .skip(1)
        .take_while(|l| !l.starts_with("Each"))
        .map(|l| format!("{}\n", l.trim()))
        .collect();
    assert!(example.contains("[[server]]"), "{example}");
    tlscope::expect::Expectations::parse(&example, "example").unwrap();
}

/// A report of this capture in a file, to be compared with.
fn old(format: &str, capture: &str) -> tempfile::TempPath {
    let r = run(["report", "--format", format, &path(capture)]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    file(&r.out)
}

/// Exit code, and the findings about the comparison.
fn compared(old: &tempfile::TempPath, more: &[&str], capture: &str) -> (i32, Vec<Value>) {
    let args = ["report", "--format=json", "--baseline", old.to_str().unwrap()];
    let r = run([&args[..], more, &[&path(capture)]].concat());
    assert_eq!(r.err, "", "{capture}");
    let all = json(&r.out)["findings"].as_array().unwrap().clone();
    (r.code, all.into_iter().filter(|f| f["code"].as_str().unwrap().starts_with("baseline-")).collect())
}

#[test]
fn the_same_again_is_no_change() {
    for capture in ["good/one-way-12", "good/mtls-13", "good/tls-10", "guide/5-client-cert-missing-12"] {
        for format in ["json", "ndjson"] {
            // Known findings are known, whatever the limit.
            let (exit, found) = compared(&old(format, capture), &["--fail-on=info"], capture);
            assert_eq!((exit, found.len()), (0, 0), "{format} {capture}: {found:?}");
        }
    }
}

#[test]
fn a_changed_handshake_says_what_changed() {
    // All of these are the same server's: what differs is in their descriptions.
    for (before, now, says) in [
        ("good/one-way-13", "good/one-way-12", "version: was TLS 1.3, is TLS 1.2"),
        ("good/one-way-12", "good/mtls-12", "client authentication, requested: was no, is yes"),
        ("good/one-way-12", "good/mtls-12", "client authentication, certificate: was none, is sent"),
        (
            "good/one-way-13",
            "good/cipher-aes128-13",
            "cipher suite: was TLS_AES_256_GCM_SHA384, is TLS_AES_128_GCM_SHA256",
        ),
        (
            "good/one-way-12",
            "good/weak-rsa-1024-12",
            "server certificate, public key: was RSA, 2048 bits, is RSA, 1024 bits",
        ),
    ] {
        let (exit, found) = compared(&old("ndjson", before), &[], now);
        let changed = found.iter().find(|f| f["code"] == "baseline-handshake-changed").unwrap();
        assert_eq!((exit, &changed["severity"]), (1, &"error".into()), "{now}");
        let detail = changed["detail"].as_str().unwrap();
        assert!(detail.starts_with("198.51.100.20:8443 (tls-server.local): "), "{detail}");
        assert!(detail.contains(says), "{before} {now}: {detail}");
        assert_eq!(changed["flows"], serde_json::json!([1]), "{now}");
    }
}

#[test]
fn only_new_findings_fail() {
    // A weak key is a warning.
    let before = old("json", "good/one-way-12");
    let codes =
        |found: &[Value]| -> Vec<String> { found.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect() };
    let (exit, found) = compared(&before, &["--fail-on=warning"], "good/weak-rsa-1024-12");
    assert_eq!(
        (exit, codes(&found)),
        (1, vec!["baseline-handshake-changed".to_owned(), "baseline-new-finding".to_owned()])
    );
    assert!(
        found[1]["detail"].as_str().unwrap().starts_with("rsa-key-weak (warning) was not in the baseline"),
        "{}",
        found[1]
    );
    let (_, found) = compared(&before, &[], "good/weak-rsa-1024-12");
    assert_eq!(codes(&found), ["baseline-handshake-changed"]);
}

#[test]
fn a_comparison_with_nothing_is_not_green() {
    let (exit, found) = compared(&old("json", "good/ipv6-one-way-12"), &[], "good/one-way-12");
    assert_eq!((exit, found.len()), (1, 1), "{found:?}");
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&"baseline-not-compared".into(), &"error".into()));
}

#[test]
fn a_damaged_or_foreign_baseline_is_an_error() {
    let capture = path("good/one-way-12");
    let whole = run(["report", "--format=json", &capture]).out;
    for (text, says) in [
        (whole[..whole.len() / 2].to_owned(), "it was cut"),
        (whole.replace("\"schema_version\":1", "\"schema_version\":2"), "its schema version is 2"),
        ("{\"flows\": []}".to_owned(), "no report of tlscope"),
        ("<xml/>".to_owned(), "line 1 is not JSON"),
    ] {
        let old = file(&text);
        let r = run(["report", "--baseline", old.to_str().unwrap(), &capture]);
        assert_eq!((r.code, r.out.as_str()), (3, ""), "{}", r.err);
        assert_sentence(&r.err, &["--baseline", says]);
    }
    let r = run(["report", "--baseline", "no-such.json", &capture]);
    assert_eq!(r.code, 3);
    assert_sentence(&r.err, &["no-such.json", "No such file"]);
}

#[test]
fn a_filter_chooses_what_is_reported() {
    let (one, two) = (path("good/one-way-12"), path("good/tls-10"));
    let r = run(["report", "--format=json", "--filter", "version:1.0", &one, &two]);
    let document = json(&r.out);
    assert_eq!((r.code, document["summary"]["flows"].as_u64()), (0, Some(1)));
    assert_eq!(document["flows"][0]["version"]["name"], "TLS 1.0");
    // What is not reported fails nothing.
    assert_eq!(run(["report", "--filter", "!version:1.0", "--fail-on", "error", &one, &two]).code, 0);
    assert_eq!(run(["report", "--fail-on", "error", &one, &two]).code, 1);
    let wrong = run(["report", "--filter", "nam:x", &one]);
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert_sentence(&wrong.err, &["--filter", "nam: is unknown"]);
}

#[test]
fn two_flows_are_compared() {
    let (a, b) = (format!("{}#1", path("good/one-way-12")), format!("{}#1", path("guide/5-client-cert-missing-12")));
    let r = run(["diff", &a, &b]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    for line in [
        "  ≠ outcome\n      A  established\n      B  failed\n",
        "  ≠ cause\n      A  –\n      B  client-cert-missing\n",
    ] {
        assert!(r.out.contains(line), "{}", r.out);
    }
    assert!(r.out.contains("    equal: ") && r.out.trim_end().ends_with("fields differ"), "{}", r.out);
    let document = json(&run(["diff", "--format=json", &a, &b]).out);
    let all = document["differences"].as_array().unwrap();
    let outcome = all.iter().find(|d| d["name"] == "outcome").unwrap();
    assert_eq!(
        (&outcome["a"], &outcome["b"], &outcome["equal"]),
        (&"established".into(), &"failed".into(), &false.into())
    );
    assert_eq!(document["b"]["id"], 1);
    // A number alone is a flow of the same file; a flow is like itself.
    let same = run(["diff", "--all", &a, "1"]);
    assert_eq!(same.code, 0);
    assert!(
        same.out.contains("\n0 of ") && !same.out.contains('≠') && same.out.contains("    version: TLS 1.2\n"),
        "{}",
        same.out
    );
    for (first, second, code, says) in [
        (a.as_str(), "99", 2, "has no TLS flow #99"),
        ("1", "1", 2, "FILE#ID"),
        ("no-such.pcap#1", "1", 3, "no-such.pcap"),
    ] {
        let r = run(["diff", first, second]);
        assert_eq!((r.code, r.out.as_str()), (code, ""), "{}", r.err);
        assert_sentence(&r.err, &[says]);
    }
}

#[test]
fn a_frame_is_explained() {
    let capture = path("guide/5-client-cert-missing-12");
    let document = json(&run(["report", "--format=json", &capture]).out);
    let flow = &document["flows"][0];
    // Every message is told at the frame that completes it, every finding at its evidence.
    for m in flow["messages"].as_array().unwrap() {
        let r = run(["why", &capture, &m["frame"].to_string()]);
        assert_eq!((r.code, r.err.as_str()), (0, ""));
        let line = format!(
            "Completes {} of the {} ({}",
            m["type"].as_str().unwrap(),
            m["from"].as_str().unwrap(),
            tlscope::text::bytes(m["length"].as_u64().unwrap() as usize)
        );
        assert!(r.out.contains(&line), "{line}: {}", r.out);
    }
    for finding in flow["findings"].as_array().unwrap() {
        for frame in finding["frames"].as_array().unwrap() {
            let out = run(["why", &capture, &frame.to_string()]).out;
            assert!(out.contains(finding["code"].as_str().unwrap()), "{out}");
        }
    }
    let syn = run(["why", &capture, "1"]).out;
    assert!(syn.contains(", SYN, seq ") && syn.contains("Sent by the client"), "{syn}");
    assert_eq!(run(["why", &capture, "99999"]).code, 2);
    assert_eq!(run(["why", &capture, "0"]).code, 2);
    assert_eq!(run(["why", "no-such.pcap", "1"]).code, 3);
    assert_eq!(run(["why", "-", "1"]).code, 2);
}

#[test]
fn a_frame_without_tls_says_so() {
    let r = run(["why", &path("dtls/one-way-12"), "1"]);
    assert_eq!((r.code, r.err.as_str()), (0, ""));
    assert!(r.out.contains("A UDP datagram from "), "{}", r.out);
}
