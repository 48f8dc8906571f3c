//! A certificate as lines of the field tree: what it says, beside its bytes.

use crate::span::Span;
use crate::text::count;
use crate::x509::{Certificate, format_time};

use super::flow_view::Node;

/// The facts of a certificate as lines of the tree.
pub(super) fn certificate(out: &mut Vec<Node>, c: &Certificate, n: usize, depth: u8, span: Span, at: i64) {
    let mut line = |d: u8, name: &str, meaning: String| {
        if !meaning.is_empty() {
            let node = Node {
                depth: depth.saturating_add(d),
                name: name.into(),
                meaning,
                span: Some(span),
                topic: None,
                parent: false,
            };
            out.push(node);
        }
    };
    let place = if n == 0 { "leaf".to_owned() } else { format!("certificate {}", n + 1) };
    line(0, &place, if c.subject.is_empty() { "(no subject)".into() } else { c.subject.clone() });
    line(1, "issuer", if c.is_self_issued { format!("{} (itself)", c.issuer) } else { c.issuer.clone() });
    let names: Vec<String> = c.subject_alt_names.iter().take(50).map(ToString::to_string).collect();
    let more = c.subject_alt_names.len().saturating_sub(names.len());
    let names = names.join(", ");
    line(
        1,
        "alternative names",
        match (names.is_empty(), more) {
            (true, _) => "none".into(),
            (_, 0) => names,
            _ => format!("{names} and {more} more"),
        },
    );
    line(
        1,
        "valid from",
        c.not_before.map_or_else(String::new, |t| {
            let early = if t > at { "  ▲ not yet valid when captured" } else { "" };
            format!("{}{early}", format_time(t))
        }),
    );
    line(
        1,
        "valid until",
        c.not_after.map_or_else(String::new, |t| {
            let days = (t.saturating_sub(at)).div_euclid(86_400);
            if t < at {
                format!("{}  ▲ had expired when captured", format_time(t))
            } else {
                format!("{}  ({} left when captured)", format_time(t), count(days.unsigned_abs(), "day"))
            }
        }),
    );
    let bits = c.key.bits.map_or_else(String::new, |b| format!(" {b} bits"));
    let curve = c.key.algorithm.curve().map_or_else(String::new, |c| format!(" {c}"));
    line(1, "key", format!("{}{bits}{curve}", c.key.algorithm.name()));
    line(1, "signature", c.signature_algorithm.clone());
    line(1, "is a CA", if c.is_ca() { "yes".into() } else { "no".into() });
    line(1, "key usage", c.key_usage.map_or_else(String::new, |u| u.names().join(", ")));
    line(1, "extended key usage", c.extended_key_usage.as_ref().map_or_else(String::new, |l| l.join(", ")));
    line(1, "serial", c.serial.clone());
    line(1, "sha256", crate::text::hex(&c.sha256));
    line(1, "OCSP", c.ocsp_urls.join(", "));
    for p in &c.problems {
        line(1, "damaged", p.clone());
    }
}
