//! What is known of a group of flows, in words.

use crate::x509::format_time;

use super::chrome::thousands;
use super::explain::Text;
use super::groups::{Few, Group, Key};
use super::row::{Leaf, Row, endpoint};

/// `31 flows failed of 40, all from 10.0.0.2 to 10.0.0.1:8443.`
pub(crate) fn tally(g: &Group) -> String {
    let flows = crate::text::count(u64::from(g.flows), "flow");
    let failed = match g.failed {
        0 => String::new(),
        n if n == g.flows => " (failed)".into(),
        n => format!(" ({} of them failed)", thousands(u64::from(n))),
    };
    let all = if g.flows == 1 { "" } else { "all " };
    let mut s = format!("{flows}{failed}");
    let from = match g.clients.one() {
        Some(c) => format!(", {all}from {c}"),
        None => format!(", from {} clients", g.clients.count()),
    };
    s.push_str(&from);
    if !matches!(g.key, Key::Server(_)) {
        let to = match g.servers.one() {
            Some(e) if g.clients.one().is_some() => format!(" to {}", endpoint(*e)),
            Some(e) => format!(", {all}to {}", endpoint(*e)),
            None => format!(" to {} servers", g.servers.count()),
        };
        s.push_str(&to);
    }
    s.push('.');
    s
}

/// A server or a certificate.
pub(crate) fn text(g: &Group) -> Text {
    let title = match (&g.key, &g.leaf) {
        (Key::Server(e), _) => format!("server {}", endpoint(*e)),
        (_, Some(l)) => format!("certificate {}", l.subject),
        (Key::Finding(code), None) => (*code).to_owned(),
        (Key::Certificate(_), None) => "certificate".into(),
    };
    let mut paragraphs = vec![(String::new(), tally(g))];
    paragraphs.extend(g.leaf.as_ref().map(|l| certificate(l, g)).unwrap_or_default());
    if matches!(g.key, Key::Server(_)) {
        paragraphs.push(("Names asked for".into(), list(&g.names, ToString::to_string)));
        paragraphs.push(("Versions spoken".into(), list(&g.versions, ToString::to_string)));
        paragraphs.push(("Client certificates".into(), list(&g.mtls, |m| m.name().to_owned())));
        paragraphs.push(("Clients".into(), list(&g.clients, ToString::to_string)));
    }
    let causes: Vec<String> =
        g.causes.iter().map(|(c, n)| format!("{c}: {}", crate::text::count(u64::from(*n), "flow"))).collect();
    paragraphs.push(("Causes of failures".into(), causes.join(", ")));
    paragraphs.retain(|(_, t)| !t.is_empty());
    Text { title, paragraphs }
}

fn certificate(l: &Leaf, g: &Group) -> Vec<(String, String)> {
    let left = match g.days_left() {
        Some(d) if d < 0 => "; it had expired when it was last seen".to_owned(),
        Some(d) => format!("; {} left when it was last seen", crate::text::count(d.unsigned_abs(), "day")),
        None => String::new(),
    };
    let until = l.not_after.map_or_else(|| "unknown".into(), format_time);
    let from = l.not_before.map_or_else(|| "unknown".into(), format_time);
    vec![
        ("Issuer".into(), if l.issuer == l.subject { "itself".into() } else { l.issuer.to_string() }),
        ("Names".into(), l.names.to_string()),
        ("Valid".into(), format!("from {from} until {until}{left}")),
        ("SHA-256".into(), crate::text::hex(&l.sha256)),
        ("Sent by".into(), list(&g.senders, |r| format!("the {r}"))),
    ]
}

fn list<T: PartialEq>(few: &Few<T>, text: impl Fn(&T) -> String) -> String {
    let mut all: Vec<String> = few.some.iter().map(text).collect();
    if few.more {
        all.push("…".into());
    }
    all.join(", ")
}

/// What one of the flows says of the group's finding: its words and what to change.
pub(crate) fn example(g: &Group, r: &Row) -> Option<(String, String)> {
    let f = g.finding(r)?;
    Some((format!("In flow {}: {}", r.id, f.detail), f.remedy.to_string()))
}
