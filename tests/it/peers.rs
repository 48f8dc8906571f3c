//! Real programs as peers: OpenSSL and curl talk over loopback, a relay between them writes down what passes, and what is
//! reported is held against what they printed themselves.
#![allow(clippy::disallowed_methods, reason = "children and sockets are waited for by the real clock")]

mod lab;
mod relay;

use std::io::Cursor;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Reported, flows};
use lab::{Lab, Program, tools};
use relay::Relay;

/// Nothing here takes longer, or the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The name that clients call.
const NAME: &str = "tls-server.test";

/// What came of a scenario: the report, and what each program printed.
struct Scene {
    document: Value,
    server: String,
    clients: Vec<(Option<i32>, String)>,
}

/// Runs a server with these options and clients one after the other; `PORT` in a client's words is the relay's.
fn play(lab: &Lab, server: &[&str], clients: &[(&[&str], Option<&str>)]) -> Scene {
    let words = ["openssl s_server -accept 127.0.0.1:0 -cert server.pem -key server.key -www -msg"];
    let words: Vec<&str> = words[0].split(' ').chain(server.iter().copied()).collect();
    let mut server = Program::start(lab.path(), &words, None);
    let port = server.line("ACCEPT 127.0.0.1:").parse().unwrap();
    let relay = Relay::start(port);
    let mut said = Vec::new();
    for (words, input) in clients {
        let words: Vec<String> = words.iter().map(|w| w.replace("PORT", &relay.port.to_string())).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        said.push(Program::start(lab.path(), &words, *input).wait());
    }
    let capture = relay.finish();
    let server = server.end();
    let document = Reported::of(Cursor::new(capture), "relay").document();
    assert_eq!(document["sources"][0]["complete"], true);
    assert_eq!(flows(&document).len(), clients.len(), "one flow a client: {}", document["flows"]);
    Scene { document, server, clients: said }
}

/// curl through the relay, with options of its own.
fn curl<'a>(options: &'a [&'a str]) -> Vec<&'a str> {
    let fixed = ["curl", "--silent", "--show-error", "--verbose", "--max-time", "10", "--http1.1", "--connect-to"];
    let url = ["tls-server.test:443:127.0.0.1:PORT", "https://tls-server.test/"];
    fixed.into_iter().chain(url).chain(options.iter().copied()).collect()
}

/// `openssl s_client` through the relay, with options of its own.
fn s_client<'a>(options: &'a [&'a str]) -> Vec<&'a str> {
    let fixed = "openssl s_client -connect 127.0.0.1:PORT -CAfile root.pem -ign_eof";
    fixed.split(' ').chain(options.iter().copied()).collect()
}

/// What `s_client` is given to type.
const REQUEST: &str = "GET / HTTP/1.0\r\n\r\n";

impl Scene {
    fn flow(&self) -> &Value {
        flows(&self.document)[0]
    }

    /// Every one of these was printed by one of the programs.
    fn assert_printed(&self, words: &[&str]) {
        let all: String = self.clients.iter().map(|c| c.1.as_str()).chain([self.server.as_str()]).collect();
        for word in words {
            assert!(all.contains(word), "nobody printed {word:?}:\n{all}");
        }
    }

    /// Version and suite are what curl says it uses.
    fn assert_negotiated_as_curl_says(&self) {
        let said = &self.clients[0].1;
        let line = said.lines().find_map(|l| l.split_once("SSL connection using ")).expect("curl says what it uses").1;
        let (version, suite) = line.split_once(" / ").expect("version / suite");
        assert_eq!(self.flow()["version"]["name"].as_str().unwrap().replace("TLS ", "TLSv"), version);
        assert_eq!(self.flow()["cipher_suite"], registered(suite.split_whitespace().next().unwrap()));
    }

    /// What the flow shows in clear is what the server says it read and wrote: types and lengths, in order. Of the client's
    /// messages a server that gave up has not read all.
    fn assert_messages_as_the_server_says(&self) {
        assert_eq!(self.clients.len(), 1);
        let (mut sealed, mut changed) = (false, [false, false]);
        let mut said: Vec<(&str, String, u64)> = Vec::new();
        for line in self.server.lines() {
            let Some((arrow, rest)) = line.split_at_checked(4).filter(|(a, _)| matches!(*a, "<<< " | ">>> ")) else {
                continue;
            };
            let from = if arrow == "<<< " { "client" } else { "server" };
            let (version, rest) = rest.split_once(", ").unwrap();
            let (kind, rest) = rest.split_once(" [length ").unwrap();
            let (length, what) = rest.split_once(']').unwrap();
            let length = u64::from_str_radix(length, 16).unwrap();
            let side = usize::from(from == "server");
            match kind {
                "RecordHeader" => sealed = false,
                "InnerContent" => sealed = true,
                "ChangeCipherSpec" => changed[side] = version != "TLS 1.3",
                // One that is read is not printed; the Finished behind it is.
                "Handshake" if what.ends_with(" Finished") => changed[side] = version != "TLS 1.3",
                "Handshake" | "Alert" if sealed || changed[side] => {}
                "Handshake" => said.push((from, snake(what.trim_start_matches(", ")), length)),
                "Alert" => said.push((from, what.split(' ').next_back().unwrap().to_owned(), length)),
                other => panic!("{other}"),
            }
        }
        let flow = self.flow();
        let mut alerts = flow["alerts"].as_array().into_iter().flatten();
        let mut seen: Vec<(&str, String, u64)> = Vec::new();
        for m in flow["messages"].as_array().unwrap().iter().filter(|m| m["basis"] == "observed") {
            let from = m["from"].as_str().unwrap();
            match m["record"].as_str().unwrap() {
                "handshake" => {
                    // OpenSSL calls a HelloRetryRequest by its type, and counts the header.
                    let kind = m["type"].as_str().unwrap().replace("hello_retry_request", "server_hello");
                    seen.push((from, kind, m["length"].as_u64().unwrap() + 4));
                }
                "alert" => {
                    let alert = alerts.find(|a| a["basis"] == "observed").expect("a message and an alert");
                    seen.push((from, alert["description"]["name"].as_str().unwrap().to_owned(), 2));
                }
                _ => {}
            }
        }
        let of = |list: &[(&str, String, u64)], from| -> Vec<String> {
            list.iter().filter(|m| m.0 == from).map(|m| format!("{} {}", m.1, m.2)).collect()
        };
        assert_eq!(of(&seen, "server"), of(&said, "server"));
        let (mut sent, read) = (of(&seen, "client"), of(&said, "client"));
        if flow["outcome"] == "failed" {
            sent.truncate(read.len());
        }
        assert_eq!(sent, read);
        assert!(said.len() >= 2, "{said:?}");
    }

    /// The flow ended as it must, and the right code says why.
    fn assert_fails(&self, outcome: &str, causes: &[&str], alert: (&str, &str)) {
        let f = self.flow();
        assert_ne!(self.clients[0].0, Some(0), "the client says it worked");
        assert_eq!(f["outcome"], outcome);
        assert!(causes.iter().any(|c| f["cause"] == *c), "cause {} is none of {causes:?}", f["cause"]);
        let alerts = f["alerts"].as_array().unwrap();
        let found = alerts.iter().any(|a| a["from"] == alert.0 && a["description"]["name"] == alert.1);
        assert!(found, "{alert:?} is not among {}", f["alerts"]);
    }
}

/// `ServerHello` → `server_hello`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Id and registered name of a cipher suite that OpenSSL calls by its own name, by OpenSSL's own table.
fn registered(name: &str) -> Value {
    let o = Command::new("openssl").args(["ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL"]).output().unwrap();
    let table = String::from_utf8(o.stdout).unwrap();
    for line in table.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [id, "-", iana, "-", own, ..] = words[..]
            && (own == name || iana == name)
        {
            let id = id.replace(",0x", "").to_lowercase();
            return serde_json::json!({"id": id, "name": iana});
        }
    }
    panic!("OpenSSL does not list {name}:\n{table}");
}

/// A certificate as OpenSSL says it, in our spelling.
fn assert_certificate(seen: &Value, lab: &Lab, file: &str) {
    let o = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-serial", "-subject", "-issuer", "-nameopt", "RFC2253"])
        .args(["-startdate", "-enddate", "-dateopt", "iso_8601", "-in", file])
        .current_dir(lab.path())
        .output()
        .unwrap();
    let text = String::from_utf8(o.stdout).unwrap();
    let said = |key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {key} in {text}")).to_owned()
    };
    let hex = |s: String| s.replace(':', "").to_lowercase();
    assert_eq!(seen["sha256"], hex(said("sha256 Fingerprint")));
    assert_eq!(seen["serial"].as_str().unwrap().trim_start_matches('0'), hex(said("serial")).trim_start_matches('0'));
    assert_eq!(seen["subject"], said("subject"));
    assert_eq!(seen["issuer"], said("issuer"));
    assert_eq!(seen["not_before"].as_str().unwrap().replace('T', " "), said("notBefore"));
    assert_eq!(seen["not_after"].as_str().unwrap().replace('T', " "), said("notAfter"));
}

const MUTUAL: [&str; 5] = ["-Verify", "10", "-verify_return_error", "-CAfile", "client-ca.pem"];

#[test]
fn mutual_tls_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2", "--cert", "client.pem", "--key", "client.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    assert_eq!(s.clients[0].0, Some(0), "{}", s.clients[0].1);
    s.assert_negotiated_as_curl_says();
    s.assert_messages_as_the_server_says();
    s.assert_printed(&["SSL certificate verify ok"]);
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["cause"], Value::Null);
    assert_eq!(f["client_hello"]["server_name"], NAME);
    assert_eq!(f["client_auth"]["requested"], true);
    assert_eq!(f["client_auth"]["certificate"], "sent");
    assert_eq!(f["client_auth"]["verified_possession"], true);
    assert_eq!(f["client_auth"]["acceptable_cas"], serde_json::json!(["CN=Client CA,O=Test Lab"]));
    assert_certificate(&f["certificates"]["server"][0], &lab, "server.pem");
    assert_certificate(&f["certificates"]["client"][0], &lab, "client.pem");
    assert_eq!(s.document["summary"]["mutual_tls"], 1);
}

#[test]
fn mutual_tls_13() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3", "--cert", "client.pem", "--key", "client.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_3"]].concat(), &[(&client, None)]);
    assert_eq!(s.clients[0].0, Some(0), "{}", s.clients[0].1);
    s.assert_negotiated_as_curl_says();
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["cause"], Value::Null);
    // Without keys it may be known or not, but never be told wrongly.
    let auth = &f["client_auth"]["certificate"];
    assert!(auth == "sent" || auth == "unknown", "{}", f["client_auth"]);
    assert_ne!(f["client_auth"]["requested"], false);
    assert_ne!(f["client_auth"]["basis"], "observed");
}

#[test]
fn no_client_certificate_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    s.assert_printed(&["peer did not return a certificate", "alert handshake failure"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["client-cert-missing"], ("server", "handshake_failure"));
    assert_eq!(s.flow()["client_auth"]["certificate"], "empty");
    assert_eq!(s.flow()["findings"][0]["blame"], "client");
}

#[test]
fn client_certificate_of_the_wrong_ca_12() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2", "--cert", "other.pem", "--key", "other.key"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_2"]].concat(), &[(&client, None)]);
    s.assert_printed(&["alert unknown ca", "unable to get local issuer certificate"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails(
        "failed",
        &["client-cert-issuer-not-in-ca-list", "client-cert-unknown-ca"],
        ("server", "unknown_ca"),
    );
    assert_eq!(s.flow()["client_auth"]["certificate"], "sent");
    assert_certificate(&s.flow()["certificates"]["client"][0], &lab, "other.pem");
    assert_eq!(s.flow()["certificates"]["client"][0]["issuer"], "CN=Other CA,O=Test Lab");
}

#[test]
fn client_lacks_the_servers_ca() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    for (version, most) in [("-tls1_2", "1.2"), ("-tls1_3", "1.3")] {
        let options = ["--cacert", "other-ca.pem", "--tls-max", most];
        let client = curl(&options);
        let s = play(&lab, &[version], &[(&client, None)]);
        s.assert_printed(&["alert unknown ca", "unable to get local issuer certificate"]);
        s.assert_messages_as_the_server_says();
        s.assert_fails("failed", &["server-cert-unknown-ca"], ("client", "unknown_ca"));
        assert_eq!(s.flow()["version"]["name"], format!("TLS {most}"));
        // A leaf without an intermediate (or an encrypted chain): its issuer may be the server's to send.
        assert_eq!(s.flow()["findings"][0]["blame"], "either");
    }
}

#[test]
fn no_common_version() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tls-max", "1.2"]);
    let s = play(&lab, &["-tls1_3"], &[(&client, None)]);
    s.assert_printed(&["alert protocol version"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["version-mismatch"], ("server", "protocol_version"));
    assert_eq!(s.flow()["version"], Value::Null);
}

#[test]
fn no_common_cipher_suite() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"]);
    let s = play(&lab, &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], &[(&client, None)]);
    s.assert_printed(&["alert handshake failure", "no shared cipher"]);
    s.assert_messages_as_the_server_says();
    s.assert_fails("failed", &["cipher-mismatch", "handshake-failure-ambiguous"], ("server", "handshake_failure"));
    assert_eq!(s.flow()["cipher_suite"], Value::Null);
}

#[test]
fn resumption_13() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let first = s_client(&["-tls1_3", "-sess_out", "session"]);
    let second = s_client(&["-tls1_3", "-sess_in", "session"]);
    let s = play(&lab, &["-tls1_3"], &[(&first, Some(REQUEST)), (&second, Some(REQUEST))]);
    s.assert_printed(&["New, TLSv1.3", "Reused, TLSv1.3"]);
    let all = flows(&s.document);
    for (flow, (_, said)) in all.iter().zip(&s.clients) {
        assert_eq!(flow["outcome"], "established");
        assert_eq!(flow["resumed"], said.contains("Reused, TLSv1.3"));
        assert_eq!(flow["client_hello"]["psk_offered"], said.contains("Reused, TLSv1.3"));
    }
}

#[test]
fn hello_retry_request() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = s_client(&["-tls1_3", "-groups", "X25519:P-256", "-servername", NAME, "-alpn", "h2,http/1.1"]);
    let s = play(&lab, &["-tls1_3", "-groups", "P-256", "-alpn", "http/1.1"], &[(&client, Some(REQUEST))]);
    s.assert_printed(&[
        "Server Temp Key: ECDH, prime256v1, 256 bits",
        "ALPN protocol: http/1.1",
        "Verify return code: 0 (ok)",
    ]);
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(f["outcome"], "established");
    assert_eq!(f["hello_retry"], true);
    assert_eq!(f["key_exchange"]["group"]["name"], "secp256r1");
    assert_eq!(f["client_hello"]["server_name"], NAME);
    assert_eq!(f["client_hello"]["alpn"], serde_json::json!(["h2", "http/1.1"]));
    let names =
        |v: &Value| v.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&f["client_hello"]["groups"]), ["x25519", "secp256r1"]);
    assert_eq!(names(&f["client_hello"]["key_shares"]), ["x25519"], "of the first ClientHello");
}

#[test]
fn no_client_certificate_13_is_never_called_a_success_of_both() {
    let Some(()) = tools() else { return };
    let lab = Lab::new();
    let client = curl(&["--cacert", "root.pem", "--tlsv1.3"]);
    let s = play(&lab, &[&MUTUAL[..], &["-tls1_3"]].concat(), &[(&client, None)]);
    s.assert_printed(&["peer did not return a certificate", "alert certificate required"]);
    s.assert_messages_as_the_server_says();
    let f = s.flow();
    assert_eq!(s.document["summary"]["mutual_tls"], 0);
    let auth = &f["client_auth"]["certificate"];
    assert!(auth == "empty" || auth == "unknown", "{}", f["client_auth"]);
    let cause = f["cause"].as_str();
    assert!(matches!(cause, None | Some("client-cert-missing" | "client-cert-rejected")), "{cause:?}");
}
