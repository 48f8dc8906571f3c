//! Two flows compared field by field: for `tlscope diff`, for the UI, and for a report against an older one.
//!
//! The fields are those of the report, found by their place in it, so that a report written yesterday compares like a flow
//! read today. What differs in any two connections (randoms, ports, times) is not compared; a new field is one line in
//! `FIELDS`.

use serde::Serialize;
use serde_json::Value;

use crate::analyzer::FlowReport;
use crate::report::view::Flow;

/// A field in two flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Group of fields, for a heading: equal for neighbours.
    pub section: &'static str,
    /// What the field is.
    pub name: &'static str,
    /// Its value in the first flow, safe to print; `None` where it is not there or not known.
    pub a: Option<String>,
    /// Its value in the second flow.
    pub b: Option<String>,
    /// Both say the same. Durations do when neither is more than twice the other, lists without an order whatever theirs.
    pub equal: bool,
    /// Of two lists that differ: what only one of them has, or that the order is another.
    pub note: Option<String>,
}

/// How the values of a field compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One value.
    One,
    /// Values whose order is a preference or a sequence.
    List,
    /// Values whose order means nothing.
    Set,
    /// Microseconds.
    Duration,
}

/// A field that is compared.
struct Field {
    section: &'static str,
    name: &'static str,
    /// Members from the flow down, separated by `/`; `*` is each element of a list.
    path: &'static str,
    kind: Kind,
    /// One value as text.
    text: fn(&Value) -> String,
    /// It belongs to the server's configuration, rather than to one connection.
    lasting: bool,
}

const fn field(section: &'static str, name: &'static str, kind: Kind, path: &'static str) -> Field {
    Field { section, name, path, kind, text: plain, lasting: false }
}

const fn with(text: fn(&Value) -> String, field: Field) -> Field {
    Field { text, ..field }
}

const fn lasting_field(field: Field) -> Field {
    Field { lasting: true, ..field }
}

use Kind::{Duration, List, One, Set};

/// All fields, section by section.
const FIELDS: &[Field] = &[
    field("connection", "client", One, "client/ip"),
    field("connection", "server", One, "server/ip"),
    field("connection", "server port", One, "server/port"),
    field("connection", "encapsulation", List, "encapsulation/*"),
    field("connection", "upgrade", One, "upgrade"),
    field("connection", "protocol", One, "protocol"),
    field("result", "outcome", One, "outcome"),
    field("result", "cause", One, "cause"),
    field("result", "phase", One, "phase"),
    with(from_how, field("result", "ended by", One, "ended_by")),
    with(from_description, field("result", "alerts", List, "alerts/*")),
    field("result", "findings", Set, "findings/*/code"),
    lasting_field(field("negotiated", "version", One, "version")),
    lasting_field(field("negotiated", "cipher suite", One, "cipher_suite")),
    lasting_field(field("negotiated", "group", One, "key_exchange/group")),
    field("negotiated", "DH bits", One, "key_exchange/dh_bits"),
    field("negotiated", "post-quantum", One, "key_exchange/post_quantum"),
    lasting_field(field("negotiated", "ALPN", One, "alpn")),
    lasting_field(field("negotiated", "resumed", One, "resumed")),
    field("negotiated", "early data", One, "early_data"),
    field("negotiated", "hello retry", One, "hello_retry"),
    field("negotiated", "secure renegotiation", One, "secure_renegotiation"),
    field("ClientHello", "server name", One, "client_hello/server_name"),
    field("ClientHello", "legacy version", One, "client_hello/legacy_version"),
    field("ClientHello", "versions", List, "client_hello/versions/*"),
    field("ClientHello", "cipher suites", List, "client_hello/cipher_suites/*"),
    field("ClientHello", "groups", List, "client_hello/groups/*"),
    field("ClientHello", "key shares", List, "client_hello/key_shares/*"),
    field("ClientHello", "signature schemes", List, "client_hello/signature_schemes/*"),
    field("ClientHello", "ALPN", List, "client_hello/alpn/*"),
    // Some clients send them in another order each time.
    field("ClientHello", "extensions", Set, "client_hello/extensions/*"),
    field("ClientHello", "compression methods", List, "client_hello/compression_methods/*"),
    field("ClientHello", "encrypted ClientHello", One, "client_hello/encrypted_client_hello"),
    field("ClientHello", "PSK offered", One, "client_hello/psk_offered"),
    field("ClientHello", "length", One, "client_hello/length"),
    field("ClientHello", "JA3", One, "fingerprints/ja3"),
    field("ClientHello", "JA4", One, "fingerprints/ja4"),
    field("ServerHello", "legacy version", One, "server_hello/legacy_version"),
    field("ServerHello", "extensions", Set, "server_hello/extensions/*"),
    field("ServerHello", "downgrade sentinel", One, "server_hello/downgrade_sentinel"),
    field("ServerHello", "JA3S", One, "fingerprints/ja3s"),
    lasting_field(field("server certificate", "chain", List, "certificates/server/*/subject")),
    lasting_field(field("server certificate", "issuer", One, "certificates/server/0/issuer")),
    field("server certificate", "serial", One, "certificates/server/0/serial"),
    field("server certificate", "SHA-256", List, "certificates/server/*/sha256"),
    field("server certificate", "not before", One, "certificates/server/0/not_before"),
    field("server certificate", "not after", One, "certificates/server/0/not_after"),
    lasting_field(with(key, field("server certificate", "public key", One, "certificates/server/0/public_key"))),
    lasting_field(field("server certificate", "signature", One, "certificates/server/0/signature_algorithm")),
    field("server certificate", "names", Set, "certificates/server/0/subject_alt_names/*"),
    field("server certificate", "OCSP staple", One, "ocsp_staple/status"),
    lasting_field(field("client authentication", "requested", One, "client_auth/requested")),
    lasting_field(field("client authentication", "certificate", One, "client_auth/certificate")),
    field("client authentication", "key proven", One, "client_auth/verified_possession"),
    lasting_field(field("client authentication", "acceptable CAs", Set, "client_auth/acceptable_cas/*")),
    field("client authentication", "acceptable types", Set, "client_auth/acceptable_types/*"),
    field("client authentication", "signature schemes", List, "client_auth/signature_schemes/*"),
    field("client certificate", "chain", List, "certificates/client/*/subject"),
    field("client certificate", "length", One, "client_auth/leaf_length"),
    field("client certificate", "issuer", One, "certificates/client/0/issuer"),
    field("client certificate", "serial", One, "certificates/client/0/serial"),
    field("client certificate", "SHA-256", List, "certificates/client/*/sha256"),
    field("client certificate", "not before", One, "certificates/client/0/not_before"),
    field("client certificate", "not after", One, "certificates/client/0/not_after"),
    with(key, field("client certificate", "public key", One, "certificates/client/0/public_key")),
    field("client certificate", "signature", One, "certificates/client/0/signature_algorithm"),
    with(from_type, field("messages", "in order", List, "messages/*")),
    field("timing", "TCP connect", Duration, "timing/tcp_connect_us"),
    field("timing", "ClientHello to ServerHello", Duration, "timing/client_hello_to_server_hello_us"),
    field("timing", "ServerHello to the client's Finished", Duration, "timing/server_hello_to_client_finish_us"),
    field("timing", "handshake", Duration, "timing/handshake_us"),
];

/// Compares two flows: every field that at least one of them has, section by section.
pub fn compare(a: &FlowReport, b: &FlowReport) -> Vec<Difference> {
    // A flow holds nothing that could fail to become JSON: its keys are strings.
    let value = |f| serde_json::to_value(Flow::from_report(f)).unwrap_or_default();
    compare_reported(&value(a), &value(b))
}

/// The same for two flows as reports have them (an element of `flows`, or a line of NDJSON).
pub fn compare_reported(a: &Value, b: &Value) -> Vec<Difference> {
    FIELDS.iter().filter_map(|f| f.compare(a, b)).collect()
}

/// What a flow, as a report has it, says of its server's configuration: field (section and name) and value. What is not
/// known, or only possible, is left out.
pub fn lasting(flow: &Value) -> impl Iterator<Item = ((&'static str, &'static str), String)> {
    let guessed = at(flow, "client_auth/confidence").is_some_and(|c| c == "possible");
    FIELDS.iter().filter(|f| f.lasting).filter_map(move |f| {
        if guessed && f.path.starts_with("client_auth/") {
            return None;
        }
        let mut values = f.values(flow)?;
        if f.kind == Set {
            values.sort_unstable();
        }
        // What became of a request in a handshake that broke off is not known.
        let known = !matches!(values.as_slice(), [one] if one == "unknown" || one == "unanswered");
        known.then(|| ((f.section, f.name), f.joined(&values)))
    })
}

/// The field (section and name) says who somebody is.
pub(crate) fn is_of_names(field: (&str, &str)) -> bool {
    const MEMBERS: [&str; 6] = ["ip", "server_name", "subject", "issuer", "subject_alt_names", "acceptable_cas"];
    let named = |path: &str| path.split('/').any(|part| MEMBERS.contains(&part));
    FIELDS.iter().any(|f| (f.section, f.name) == field && named(f.path))
}

impl Field {
    fn compare(&self, a: &Value, b: &Value) -> Option<Difference> {
        let (a, b) = (self.values(a), self.values(b));
        if a.is_none() && b.is_none() {
            return None;
        }
        let equal = match self.kind {
            Duration => similar(a.as_deref(), b.as_deref()),
            Set => sorted(&a) == sorted(&b),
            One | List => a == b,
        };
        let note = match (&a, &b, self.kind) {
            (Some(a), Some(b), List | Set) if !equal => Some(note(a, b)),
            _ => None,
        };
        let text = |v: Option<Vec<String>>| v.map(|v| self.joined(&v));
        Some(Difference { section: self.section, name: self.name, a: text(a), b: text(b), equal, note })
    }

    /// The field's values in a flow; `None` where it is not there or null.
    fn values(&self, flow: &Value) -> Option<Vec<String>> {
        let (list, each) = match self.path.split_once("/*") {
            None => return Some(vec![(self.text)(at(flow, self.path)?)]),
            Some(parts) => parts,
        };
        let each = each.trim_start_matches('/');
        let all = at(flow, list)?.as_array()?.iter();
        Some(all.filter_map(|v| at(v, each)).map(self.text).collect())
    }

    fn joined(&self, values: &[String]) -> String {
        match (self.kind, values) {
            (Duration, [us]) => format!("{us} µs"),
            (_, []) => "none".to_owned(),
            _ => values.join(", "),
        }
    }
}

/// Follows a path of members and indices; `None` where it leads nowhere or to null.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut parts = path.split('/').filter(|p| !p.is_empty());
    let found = parts.try_fold(value, |v, part| match v {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => v.get(part),
    });
    found.filter(|v| !v.is_null())
}

fn sorted(v: &Option<Vec<String>>) -> Option<Vec<&str>> {
    v.as_ref().map(|v| {
        let mut v: Vec<&str> = v.iter().map(String::as_str).collect();
        v.sort_unstable();
        v
    })
}

/// Durations of the same kind of connection: networks vary.
fn similar(a: Option<&[String]>, b: Option<&[String]>) -> bool {
    let number = |v: Option<&[String]>| v?.first()?.parse::<u64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a <= b.saturating_mul(2) && b <= a.saturating_mul(2),
        _ => false,
    }
}

/// In what two lists differ.
fn note(a: &[String], b: &[String]) -> String {
    let only = |x: &[String], y: &[String]| -> Vec<String> { x.iter().filter(|v| !y.contains(v)).cloned().collect() };
    let (first, second) = (only(a, b), only(b, a));
    match (first.is_empty(), second.is_empty()) {
        (true, true) if a.len() == b.len() => "the same values in another order".to_owned(),
        (true, true) => "the same values, not as often".to_owned(),
        (false, true) => format!("only the first has {}", first.join(", ")),
        (true, false) => format!("only the second has {}", second.join(", ")),
        (false, false) => {
            format!("only the first has {}; only the second has {}", first.join(", "), second.join(", "))
        }
    }
}

/// A value of a report as text. Which GREASE value was drawn says nothing.
fn plain(v: &Value) -> String {
    match v {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(s) if s.starts_with("GREASE ") => "GREASE".to_owned(),
        Value::String(s) => s.clone(),
        Value::Object(o) => o.get("name").map_or_else(String::new, plain),
        _ => v.to_string(),
    }
}

/// `RSA, 2048 bits`.
fn key(v: &Value) -> String {
    let words = ["algorithm", "curve", "bits"].map(|k| at(v, k).map(plain));
    let [algorithm, curve, bits] = words;
    [algorithm, curve, bits.map(|b| format!("{b} bits"))].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `server fin`.
fn from_how(v: &Value) -> String {
    pair(v, "how").unwrap_or_default()
}

/// `client client_hello`.
fn from_type(v: &Value) -> String {
    pair(v, "type").unwrap_or_default()
}

/// `server handshake_failure`; `server (protected)` where only its shape was seen.
fn from_description(v: &Value) -> String {
    pair(v, "description").or_else(|| Some(format!("{} (protected)", plain(at(v, "from")?)))).unwrap_or_default()
}

fn pair(v: &Value, what: &str) -> Option<String> {
    Some(format!("{} {}", plain(at(v, "from")?), plain(at(v, what)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find<'d>(all: &'d [Difference], name: &str) -> &'d Difference {
        all.iter().find(|d| d.name == name).unwrap()
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let a = json!({
            "outcome": "failed", "cause": "cipher-mismatch", "alpn": null, "resumed": false,
            "client_hello": {
                "cipher_suites": [{"id": "0x1a1a", "name": "GREASE (0x1a1a)"}, {"id": "0x1301", "name": "A"}, {"id": "0x1302", "name": "B"}],
                "groups": [{"id": "0x001d", "name": "x25519"}, {"id": "0x0017", "name": "secp256r1"}],
                "extensions": [{"id": "0x0000", "name": "x"}, {"id": "0x0001", "name": "y"}],
            },
            "timing": {"handshake_us": 1000, "tcp_connect_us": 100},
        });
        let b = json!({
            "outcome": "established", "cause": null, "resumed": false,
            "client_hello": {
                "cipher_suites": [{"id": "0x2a2a", "name": "GREASE (0x2a2a)"}, {"id": "0x1301", "name": "A"}, {"id": "0x1303", "name": "C"}],
                "groups": [{"id": "0x0017", "name": "secp256r1"}, {"id": "0x001d", "name": "x25519"}],
                "extensions": [{"id": "0x0001", "name": "y"}, {"id": "0x0000", "name": "x"}],
            },
            "timing": {"handshake_us": 2001, "tcp_connect_us": 200},
        });
        let all = compare_reported(&a, &b);
        let names: Vec<_> = all.iter().map(|d| d.name).collect();
        assert_eq!(
            names,
            ["outcome", "cause", "resumed", "cipher suites", "groups", "extensions", "TCP connect", "handshake"]
        );
        let different: Vec<_> = all.iter().filter(|d| !d.equal).map(|d| d.name).collect();
        assert_eq!(different, ["outcome", "cause", "cipher suites", "groups", "handshake"]);
        assert_eq!(find(&all, "cause").b, None);
        assert_eq!(find(&all, "resumed").a.as_deref(), Some("no"));
        assert_eq!(find(&all, "cipher suites").a.as_deref(), Some("GREASE, A, B"));
        assert_eq!(find(&all, "cipher suites").note.as_deref(), Some("only the first has B; only the second has C"));
        assert_eq!(find(&all, "groups").note.as_deref(), Some("the same values in another order"));
        assert_eq!(find(&all, "handshake").a.as_deref(), Some("1000 µs"));
    }

    #[test]
    fn a_flow_is_like_itself() {
        let a = json!({"alerts": [{"from": "server", "description": {"id": "0x28", "name": "handshake_failure"}}, {"from": "client", "description": null}],
            "certificates": {"server": [{"subject": "CN=a", "public_key": {"algorithm": "EC", "curve": "secp256r1", "bits": 256}}, {"subject": "CN=b"}]}});
        let all = compare_reported(&a, &a);
        assert!(all.iter().all(|d| d.equal && d.note.is_none()), "{all:?}");
        assert_eq!(find(&all, "alerts").a.as_deref(), Some("server handshake_failure, client (protected)"));
        assert_eq!(find(&all, "chain").a.as_deref(), Some("CN=a, CN=b"));
        assert_eq!(find(&all, "public key").a.as_deref(), Some("EC, secp256r1, 256 bits"));
    }

    #[test]
    fn a_report_of_another_shape_is_no_trouble() {
        for odd in [json!(null), json!([]), json!({"client_hello": 7, "certificates": {"server": {}}, "alerts": [[1]]})]
        {
            for d in compare_reported(&odd, &odd) {
                assert!(d.equal, "{d:?}");
            }
        }
    }
}
