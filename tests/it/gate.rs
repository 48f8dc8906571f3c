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
