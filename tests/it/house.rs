//! The house rules that a compiler does not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tlscope::diagnose;
use tlscope::reader::Reader;
use tlscope::tls::ext::{self, EXTENSIONS, Place};
use tlscope::tls::handshake::Extensions;

use crate::support::{codes, files, flows, goldens, root};

/// Lines a file of `src` may have, its tests apart.
const LINES: usize = 600;

/// Files that are one long table.
const TABLES: &[&str] = &["tls/names/cipher_table.rs"];

/// Rules that no capture of `testdata` shows, with the file of `src/diagnose` whose unit tests show them.
const NOT_IN_CAPTURES: &[(&str, &str)] = &[
    ("capture-limit-reached", "capture.rs"),
    ("rst-injected-suspected", "capture.rs"),
    ("plaintext-to-tls-port", "wrong_protocol.rs"),
    ("dtls-on-tls-port", "wrong_protocol.rs"),
    ("quic-on-tls-port", "wrong_protocol.rs"),
    ("client-hello-not-acked", "hello.rs"),
    ("sslv2-hello", "hello.rs"),
    ("sslv2-negotiated", "version.rs"),
    ("sslv3-negotiated", "version.rs"),
    ("downgrade-sentinel", "version.rs"),
    ("selected-version-not-offered", "server_hello.rs"),
    ("selected-cipher-not-offered", "server_hello.rs"),
    ("selected-group-not-offered", "server_hello.rs"),
    ("session-id-echo-mismatch", "server_hello.rs"),
    ("ech-accepted", "offer.rs"),
    ("ech-grease", "offer.rs"),
    ("pq-selected", "post_quantum.rs"),
    ("pq-not-offered", "post_quantum.rs"),
    ("hrr-loop", "retry.rs"),
    ("compression-negotiated", "server_hello.rs"),
    ("no-secure-renegotiation", "server_extensions.rs"),
    ("selected-alpn-not-offered", "server_extensions.rs"),
    ("unsolicited-extension", "server_extensions.rs"),
    ("heartbeat-negotiated", "server_extensions.rs"),
    ("ems-required", "server_extensions.rs"),
    ("curve-not-offered", "key_exchange.rs"),
    ("leaf-not-first", "chain_list.rs"),
    ("chain-cross-sign-expired", "chain_list.rs"),
    ("chain-too-long", "chain_list.rs"),
    ("root-expired", "chain_ca.rs"),
    ("issuer-name-mismatch", "chain_ca.rs"),
    ("negative-serial", "cert_fields.rs"),
    ("serial-zero", "cert_fields.rs"),
    ("serial-too-long", "cert_fields.rs"),
    ("rsa-pss-key-unsupported", "cert_fields.rs"),
    ("ed25519-unsupported-by-client", "cert_fields.rs"),
    ("san-too-many", "cert_fields.rs"),
    ("ocsp-staple-unknown", "revocation.rs"),
    ("crl-fetch-failed", "status_check.rs"),
    ("ske-md5-signature", "key_exchange.rs"),
    ("cipher-export", "cipher.rs"),
    ("cipher-rc4", "cipher.rs"),
    ("cipher-des", "cipher.rs"),
    ("cipher-3des", "cipher.rs"),
    ("cipher-md5-mac", "cipher.rs"),
    ("explicit-curve", "key_exchange.rs"),
    ("heartbleed-attempt", "key_exchange.rs"),
    ("heartbleed-response", "key_exchange.rs"),
    ("server-cert-expiring", "cert_dates.rs"),
    ("chain-wrong-order", "chain.rs"),
    ("chain-unrelated-cert", "chain.rs"),
    ("chain-root-included", "chain.rs"),
    ("intermediate-not-ca", "chain.rs"),
    ("server-cert-key-usage", "chain.rs"),
    ("md5-signature", "chain.rs"),
    ("ec-key-weak", "chain.rs"),
    ("x509-v1", "chain.rs"),
    ("ocsp-staple-expired", "revocation.rs"),
    ("certificate-verify-missing", "client_auth.rs"),
    ("client-chain-incomplete", "client_cert.rs"),
    ("client-cert-weak-key", "client_cert.rs"),
    ("client-cert-sha1", "client_cert.rs"),
    ("ca-dn-encoding-mismatch", "ca_list.rs"),
    ("client-cert-is-server-cert", "client_purpose.rs"),
    ("client-cert-type-unsupported", "client_purpose.rs"),
    ("mtls-server-name-policy", "client_purpose.rs"),
    ("insecure-renegotiation", "renegotiation.rs"),
    ("finished-never-sent", "ending.rs"),
    ("key-update-storm", "key_update.rs"),
    ("key-limit-exceeded", "key_update.rs"),
    ("lb-idle-reset", "closing.rs"),
    ("idle-timeout-close", "closing.rs"),
    ("close-notify-not-answered", "closing.rs"),
    ("rst-after-close-notify", "closing.rs"),
    ("spiffe-trust-domain-mismatch", "mesh.rs"),
    ("ccs-unexpected", "change_cipher_spec.rs"),
    ("ccs-missing", "change_cipher_spec.rs"),
    ("ccs-in-tls13-bad-place", "change_cipher_spec.rs"),
    ("server-silent-close-after-client-flight", "ending.rs"),
    ("alert-unexpected-message", "alert.rs"),
    ("alert-bad-record-mac", "alert.rs"),
    ("alert-record-overflow", "alert.rs"),
    ("alert-handshake-failure", "alert.rs"),
    ("alert-illegal-parameter", "alert.rs"),
    ("alert-decrypt-error", "alert.rs"),
    ("alert-too-many-cids-requested", "alert.rs"),
    ("alert-protocol-version", "alert.rs"),
    ("alert-insufficient-security", "alert.rs"),
    ("alert-internal-error", "alert.rs"),
    ("alert-inappropriate-fallback", "alert.rs"),
    ("alert-missing-extension", "alert.rs"),
    ("alert-unsupported-extension", "alert.rs"),
    ("alert-unknown-psk-identity", "alert.rs"),
    ("alert-no-application-protocol", "alert.rs"),
    ("alert-unknown", "alert.rs"),
    ("rst-during-hello", "ending.rs"),
    ("rst-during-client-flight", "ending.rs"),
    ("rst-during-finished", "ending.rs"),
    ("fin-during-cert-flight", "ending.rs"),
    ("fin-during-finished", "ending.rs"),
    ("tls-malformed-message", "malformed.rs"),
    ("record-too-long", "malformed.rs"),
    ("fin-during-client-flight", "ending.rs"),
    ("policy-plaintext", "policy/tests.rs"),
    ("policy-mutual-tls", "policy/tests.rs"),
    ("policy-version", "policy/tests.rs"),
    ("policy-cipher-suite", "policy/tests.rs"),
    ("policy-group", "policy/tests.rs"),
    ("policy-post-quantum", "policy/tests.rs"),
    ("policy-certificate-days", "policy/tests.rs"),
    ("policy-issuer", "policy/tests.rs"),
    ("policy-alpn", "policy/tests.rs"),
    ("policy-not-judged", "policy/tests.rs"),
    ("policy-not-checked", "policy/tests.rs"),
    ("slow-tcp-connect", "latency.rs"),
    ("slow-server-hello", "latency.rs"),
    ("slow-certificate-flight", "latency.rs"),
    ("slow-finished", "latency.rs"),
    ("slow-first-byte", "latency.rs"),
    ("server-flight-lost-mtu", "stalls.rs"),
    ("zero-window-in-handshake", "stalls.rs"),
    ("delayed-ack-nagle-stall", "stalls.rs"),
    ("baseline-handshake-changed", "baseline.rs"),
    ("baseline-new-finding", "baseline.rs"),
    ("baseline-not-compared", "baseline.rs"),
    ("dh-key-reuse", "sibling.rs"),
    ("ecdh-key-reuse", "sibling.rs"),
    ("client-cert-known-by-length", "sibling.rs"),
    ("client-cert-filtered-by-ca-list", "sibling.rs"),
    ("extra-rtt-hrr", "latency.rs"),
    ("resumed-version-or-cipher-changed", "resumption.rs"),
    ("handshake-storm", "pattern.rs"),
    ("serial-duplicate", "fleet.rs"),
    ("siblings-limit-reached", "inventory.rs"),
];

/// A file of `src` without its tests and comments.
struct Source {
    /// Path below `src`, with `/`.
    name: String,
    /// The top-level module it belongs to.
    module: String,
    /// Its text up to the tests at its end.
    code: String,
}

/// Every file of `src` that is no test.
fn sources() -> Vec<Source> {
    let top = root().join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&top).unwrap().to_string_lossy().replace('\\', "/");
        let code = without_tests(&fs::read_to_string(&path).unwrap()).to_owned();
        let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        Source { name, module, code }
    };
    let all: Vec<_> = files(&top, "rs").into_iter().map(read).collect();
    all.into_iter().filter(|s| !is_test(&s.name)).collect()
}

/// The text up to the module of tests at its end.
fn without_tests(text: &str) -> &str {
    const TEST: &str = "\n#[cfg(test)]\n";
    // Further attributes may stand before the module.
    let is_module = |at: usize| {
        let mut rest = text[at + TEST.len()..].trim_start();
        while rest.starts_with("#[") {
            rest = rest.split_once("]\n").map_or("", |(_, rest)| rest.trim_start());
        }
        rest.lines().next().is_some_and(|l| l.ends_with("mod tests {"))
    };
    let end = text.match_indices(TEST).map(|(at, _)| at).find(|at| is_module(*at));
    &text[..end.unwrap_or(text.len())]
}

/// True when an assertion of these unit tests demands a finding of this code. By the text: an assertion that names it and is not
/// of its absence, or a row of a table in a test that asserts of each row's `code`.
fn has_assertion(tests: &str, code: &str) -> bool {
    let demands = |part: &str| {
        let absent = part.contains("is_none()") || part.contains("assert_ne!");
        let head = part.split("is_some").next().unwrap_or_default();
        let not = head.match_indices('!').any(|(at, _)| head[at + 1..].starts_with(char::is_alphabetic));
        let found = ["is_some", ".expect(", "Some(", "assert_eq!(", "assert!("].iter().any(|a| part.contains(a));
        found && !absent && !not
    };
    let is_assertion = |part: &str| part.contains("assert") || part.contains("find(");
    tests.split("\n    fn ").any(|function| {
        let parts: Vec<_> = function.split([';', '{', '}']).flat_map(|p| p.split("&&")).collect();
        let naming = parts.iter().filter(|p| p.contains(&format!("\"{code}\"")));
        let of_each =
            ["code", "CODE"].iter().any(|c| parts.iter().any(|p| has_word(p, c) && is_assertion(p) && demands(p)));
        naming.into_iter().any(|p| if is_assertion(p) { demands(p) } else { of_each })
    })
}

/// A file that is compiled for tests only.
fn is_test(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    file == "tests.rs" || file == "testing.rs" || name.contains("/tests/")
}

/// The modules in the order of `lib.rs`.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let names = lib.lines().filter_map(|l| l.trim().strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// Names that follow `crate::` in code: `crate::a::B`, `crate::{a, b::C}`.
fn uses(code: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            out.extend(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = true;
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => item = true,
                _ if item && !c.is_whitespace() => {
                    out.extend(word(&list[i..]));
                    item = false;
                }
                _ => {}
            }
        }
    }
    out
}

fn word(s: &str) -> Option<String> {
    let end = s.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(s.len());
    (end > 0).then(|| s[..end].to_owned())
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order();
    assert!(order.len() > 12 && order[0] == "span", "{order:?}");
    let place = |m: &str| order.iter().position(|o| o == m);
    let mut wrong = Vec::new();
    for s in sources().iter().filter(|s| s.module != "lib" && s.module != "main") {
        let Some(own) = place(&s.module) else {
            wrong.push(format!("{} belongs to no module of lib.rs", s.name));
            continue;
        };
        for used in uses(&s.code) {
            match place(&used) {
                Some(at) if at > own => wrong.push(format!("{} uses {used}, which stands below {}", s.name, s.module)),
                Some(_) => {}
                None => wrong.push(format!("{} uses crate::{used}, which is no module of lib.rs", s.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The check sees what it must.
    let seen = uses("use crate::{a::X, b::{C, D},\n    e};\nfn f() { crate::g::h(); $crate::no }\n// crate::no\n");
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "b", "e", "g"]);
}

#[test]
fn files_have_one_reason_to_change() {
    let long: Vec<_> = sources()
        .iter()
        .map(|s| (s.name.clone(), s.code.lines().count()))
        .filter(|(name, lines)| *lines > LINES && !TABLES.contains(&name.as_str()))
        .collect();
    assert!(long.is_empty(), "over {LINES} lines: {long:?}");
    for table in TABLES {
        assert!(root().join("src").join(table).exists(), "{table} does not exist");
    }
}

#[test]
fn comments_fit_a_line() {
    for s in sources() {
        for (i, line) in s.code.lines().enumerate().filter(|(_, l)| l.trim_start().starts_with("//")) {
            assert!(line.chars().count() <= 136, "{}, line {}", s.name, i + 1);
        }
    }
}

#[test]
fn every_rule_fires_on_one_capture_and_is_silent_on_another() {
    let fired =
        |document| -> BTreeSet<&str> { flows(document).into_iter().chain([document]).flat_map(codes).collect() };
    let each: Vec<_> = goldens().iter().map(|g| (&g.name, fired(&g.document))).collect();
    let somewhere: BTreeSet<&str> = each.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    let mut wrong = Vec::new();
    for rule in diagnose::rules() {
        let code = rule.code;
        let allowed = NOT_IN_CAPTURES.iter().find(|n| n.0 == code);
        match (somewhere.contains(code), allowed) {
            (true, None) => {}
            (true, Some(_)) => wrong.push(format!("{code} fires on a capture: take it out of NOT_IN_CAPTURES")),
            (false, None) => wrong.push(format!("{code} fires on no capture")),
            (false, Some((_, file))) => {
                let text = fs::read_to_string(root().join("src/diagnose").join(file)).unwrap_or_default();
                let tests = if is_test(file) { &text } else { &text[without_tests(&text).len()..] };
                if !has_assertion(tests, code) {
                    wrong.push(format!("{code}: no unit test of {file} asserts that it fires"));
                }
            }
        }
        if each.iter().all(|(_, codes)| codes.contains(code)) {
            wrong.push(format!("{code} fires on every capture"));
        }
    }
    for (code, _) in NOT_IN_CAPTURES {
        if diagnose::rule(code).is_none() {
            wrong.push(format!("NOT_IN_CAPTURES names {code}, which is no rule"));
        }
    }
    assert!(wrong.is_empty(), "{} complaints:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn assertions_are_told_from_mentions() {
    let holds = |body: &str| has_assertion(&format!("mod tests {{\n    fn a() {{\n{body}\n    }}\n}}"), "x-y");
    for body in [
        "assert!(find(&f, \"x-y\").is_some());",
        "assert_eq!(told(&f).cause, Some(\"x-y\"));",
        "let found = find(&f, \"x-y\").expect(\"told\");",
        "assert!(find(&f, \"other\").is_none() && find(&f, \"x-y\").is_some());",
        "assert!(find(&f, \"x-y\").is_some_and(|x| !x.explains_failure));",
        "for (n, code) in [(1, \"x-y\"), (2, \"z\")] { assert!(find(&of(n), code).is_some()); }",
    ] {
        assert!(holds(body), "{body}");
    }
    for body in [
        "assert!(find(&f, \"x-y\").is_none());",
        "assert!(!codes(&whole(flows)).contains(&\"x-y\"));",
        "assert_ne!(told(&f).cause, Some(\"x-y\"));",
        "assert!(find(&f, \"other\").is_some() && find(&f, \"x-y\").is_none());",
        "for (n, code) in [(1, \"x-y\"), (2, \"z\")] { assert!(find(&of(n), code).is_none()); }",
        "let code = \"x-y\";",
    ] {
        assert!(!holds(body), "{body}");
    }
    let tests = "\n#[cfg(test)]\n#[allow(\n    dead_code,\n)]\nmod tests {\n}\n";
    let own = "fn a() {}\n#[cfg(test)]\nfn b() {}";
    assert_eq!(without_tests(&format!("{own}{tests}")), own);
}

#[test]
fn captures_fire_rules_only() {
    for g in goldens() {
        for code in flows(&g.document).into_iter().flat_map(codes) {
            assert!(diagnose::rule(code).is_some(), "{}: {code}", g.name);
        }
    }
}

#[test]
fn every_code_has_a_page_with_all_headings() {
    for (code, _, title) in diagnose::index() {
        let page = diagnose::explain_page(code).unwrap_or_else(|| panic!("{code} has no page"));
        assert!(page.starts_with(code) && page.contains(title), "{page}");
        for heading in ["What", "Why it matters", "How sure", "Fix", "How to verify", "References"] {
            assert!(page.contains(&format!("\n{heading}\n  ")), "{code}: no {heading}");
        }
        // It does not decrypt, so that what a key log shows is shown by others.
        let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in words.split(". ").filter(|s| s.contains("key log")) {
            assert!(sentence.contains("Wireshark"), "{code}: {sentence}");
        }
    }
}

#[test]
fn every_limit_is_used() {
    let limits = fs::read_to_string(root().join("src/limits.rs")).unwrap();
    let names: Vec<_> =
        limits.lines().filter_map(|l| l.strip_prefix("pub const ")?.split_once(':')).map(|(name, _)| name).collect();
    assert!(names.len() > 20, "{names:?}");
    let sources = sources();
    for name in names {
        let used = sources.iter().filter(|s| s.name != "limits.rs").any(|s| has_word(&s.code, name));
        assert!(used, "limits::{name} is used nowhere");
    }
}

fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.lines().filter(|l| !l.trim_start().starts_with("//")).any(|line| {
        line.match_indices(name)
            .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + name.len()..].chars().next()))
    })
}

#[test]
fn nothing_names_a_place_of_one_machine() {
    let places = ["/home/", "/root/", "/work/", "/Users/", "C:\\Users", "/../shared"];
    let mut all = files(&root().join("src"), "rs");
    for folder in ["benches", "fuzz", "testdata"] {
        for ending in ["rs", "toml", "md", "py"] {
            all.extend(files(&root().join(folder), ending));
        }
    }
    all.extend(
        ["README.md", "CHANGELOG.md", "SECURITY.md", "Cargo.toml"]
            .map(|n| root().join(n))
            .into_iter()
            .filter(|p| p.exists()),
    );
    for path in all.iter().filter(|p| !in_target(p)) {
        let text = fs::read_to_string(path).unwrap();
        for place in places {
            assert!(!text.contains(place), "{} names {place}", path.display());
        }
    }
    for ending in ["pcapng", "pcap"] {
        for path in files(&root().join("testdata"), ending) {
            let bytes = fs::read(&path).unwrap();
            for place in places {
                let found = bytes.windows(place.len()).any(|w| w == place.as_bytes());
                assert!(!found, "{} names {place}", path.display());
            }
        }
    }
}

fn in_target(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "target")
}

#[test]
fn captures_are_small() {
    let mut all = 0;
    for ending in ["pcapng", "pcap", "gz"] {
        for path in files(&root().join("testdata"), ending) {
            let len = fs::metadata(&path).unwrap().len();
            assert!(len <= 64 << 10, "{} has {len} bytes", path.display());
            all += len;
        }
    }
    assert!((1..=1536 << 10).contains(&all), "all captures: {all} bytes");
}

/// One good content for each extension, written by hand from its specification: type, message, content.
#[rustfmt::skip]
const SAMPLES: &[(u16, Place, &str)] = &[
    (0, Place::ClientHello, "000e 00 000b 6578616d706c652e636f6d"),        // RFC 6066, section 3
    (0, Place::ServerHello, ""),
    (1, Place::ClientHello, "01"),                                          // RFC 6066, section 4
    (2, Place::ClientHello, ""),                                            // RFC 6066, section 5
    (3, Place::ClientHello, "0001 00"),                                     // RFC 6066, section 6
    (4, Place::ClientHello, ""),                                            // RFC 6066, section 7
    (5, Place::ClientHello, "01 0000 0000"),                                // RFC 6066, section 8
    (5, Place::ServerHello, ""),
    (9, Place::ClientHello, "01 00"),                                       // RFC 6091, section 3.1
    (10, Place::ClientHello, "0004 001d 0017"),                             // RFC 8446, section 4.2.7
    (11, Place::ClientHello, "01 00"),                                      // RFC 8422, section 5.1.2
    (12, Place::ClientHello, "05 616c696365"),                              // RFC 5054, section 2.8.1
    (13, Place::ClientHello, "0002 0804"),                                  // RFC 8446, section 4.2.3
    (14, Place::ClientHello, "0002 0001 00"),                               // RFC 5764, section 4.1.1
    (15, Place::ClientHello, "01"),                                         // RFC 6520, section 2
    (16, Place::ClientHello, "000c 02 6832 08 687474702f312e31"),           // RFC 7301, section 3.1
    (16, Place::EncryptedExtensions, "0003 02 6832"),
    (17, Place::ClientHello, "0007 02 0004 0000 0000"),                     // RFC 6961, section 2.2
    (18, Place::ClientHello, ""),                                           // RFC 6962, section 3.3.1
    (19, Place::ClientHello, "02 02 00"),                                   // RFC 7250, section 3
    (19, Place::ServerHello, "02"),
    (20, Place::ClientHello, "01 00"),                                      // RFC 7250, section 3
    (21, Place::ClientHello, "00000000"),                                   // RFC 7685, section 3
    (22, Place::ClientHello, ""),                                           // RFC 7366, section 2
    (23, Place::ClientHello, ""),                                           // RFC 7627, section 5.1
    (24, Place::ClientHello, "01 00 01 02"),                                // RFC 8472, section 2
    (27, Place::ClientHello, "02 0002"),                                    // RFC 8879, section 3
    (28, Place::ClientHello, "4001"),                                       // RFC 8449, section 4
    (33, Place::ClientHello, ""),                                           // RFC 8773, section 5.1
    (34, Place::ClientHello, "0002 0403"),                                  // RFC 9345, section 4.1.1
    (35, Place::ClientHello, ""),                                           // RFC 5077, section 3.2
    (35, Place::ClientHello, "c0ffee"),
    (40, Place::ClientHello, "0005 001d 0001 aa"),                          // draft-ietf-tls-tls13-22 and before
    (41, Place::ClientHello, "0007 0001 aa 00000000 0021 20 0000000000000000000000000000000000000000000000000000000000000000"),
    (41, Place::ServerHello, "0000"),                                       // RFC 8446, section 4.2.11
    (42, Place::ClientHello, ""),                                           // RFC 8446, section 4.2.10
    (42, Place::NewSessionTicket, "00004000"),
    (43, Place::ClientHello, "04 0304 0303"),                               // RFC 8446, section 4.2.1
    (43, Place::ServerHello, "0304"),
    (44, Place::ClientHello, "0001 aa"),                                    // RFC 8446, section 4.2.2
    (45, Place::ClientHello, "01 01"),                                      // RFC 8446, section 4.2.9
    (46, Place::NewSessionTicket, "00004000"),                              // draft-ietf-tls-tls13-20 and before
    (47, Place::ClientHello, "0004 0002 3000"),                             // RFC 8446, section 4.2.4
    (48, Place::CertificateRequest, "0008 05 0603551d0f 0000"),             // RFC 8446, section 4.2.5
    (49, Place::ClientHello, ""),                                           // RFC 8446, section 4.2.6
    (50, Place::ClientHello, "0002 0804"),                                  // RFC 8446, section 4.2.3
    (51, Place::ClientHello, "0024 001d 0020 0000000000000000000000000000000000000000000000000000000000000001"),
    (51, Place::ServerHello, "001d 0020 0000000000000000000000000000000000000000000000000000000000000001"),
    (51, Place::HelloRetryRequest, "0017"),                                 // RFC 8446, section 4.2.8
    (54, Place::ClientHello, "02 c1d0"),                                    // RFC 9146, section 3
    (58, Place::ClientHello, "01 00"),                                      // RFC 9149, section 3
    (62, Place::ClientHello, "01 01"),                                      // draft-ietf-tls-tlsflags
    (0x3374, Place::ClientHello, ""),                                       // draft-agl-tls-nextprotoneg
    (0x3374, Place::ServerHello, "02 6832"),
    (0x4469, Place::ClientHello, "0003 02 6832"),                           // draft-vvv-tls-alps
    (0x44cd, Place::ClientHello, "0003 02 6832"),
    (0x7550, Place::ClientHello, ""),                                       // draft-balfanz-tls-channelid
    (0xca34, Place::ClientHello, "0003 02 8701"),                           // draft-ietf-tls-trust-anchor-ids
    (0xfd00, Place::ClientHello, "02 000a"),                                // RFC 9849, section 5.1
    (0xfe0d, Place::ClientHello, "01"),                                     // RFC 9849, section 5: inner
    (0xfe0d, Place::ClientHello, "00 0001 0001 2a 0001 aa 0001 bb"),        // outer
    (0xff01, Place::ClientHello, "00"),                                     // RFC 5746, section 3.2
    (0xffce, Place::ClientHello, "1301 001d 0001 aa 0001 bb 0001 cc"),      // draft-ietf-tls-esni-02, section 5
];

#[test]
fn every_known_extension_decodes() {
    for codec in EXTENSIONS {
        assert!(SAMPLES.iter().any(|s| s.0 == codec.kind.0), "{} has no sample", codec.kind);
    }
    for (kind, place, hex) in SAMPLES {
        let digits: String = hex.split(' ').collect();
        let content: Vec<u8> =
            (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect();
        let decode = |content: &[u8]| {
            let mut block = kind.to_be_bytes().to_vec();
            block.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            block.extend(content);
            let mut out = Extensions::default();
            ext::read(&mut Reader::new(&block), *place, &mut out).expect("the block is whole");
            assert_eq!(out.misplaced, None, "{kind} in {place:?}");
            out.malformed.is_empty()
        };
        let known = EXTENSIONS.iter().find(|c| c.kind.0 == *kind);
        assert!(known.is_some(), "{kind} is not known");
        assert!(decode(&content), "{kind} in {place:?}: {hex}");
        // A cut content is damage, unless it says nothing or any bytes would do.
        let any_will_do = [21, 35, 40].contains(kind); // 40 had another meaning besides
        for len in (0..content.len()).filter(|_| !any_will_do) {
            let may_be_empty = len == 0 && [0, 42, 0x3374].contains(kind);
            assert!(may_be_empty || !decode(&content[..len]), "{kind} in {place:?}: {hex} cut to {len} bytes");
        }
        let mut more = content.clone();
        more.push(0);
        assert!(any_will_do || !decode(&more), "{kind} in {place:?}: {hex} and a byte more");
    }
}
