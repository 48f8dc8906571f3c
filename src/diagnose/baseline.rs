//! What differs from an older report: told at the end, by `baseline`, which knows both.

use super::{Hit, Rule, Severity, new, page};
use crate::facts::FlowFacts;

/// Where the comparison is described.
const VERIFY: &str = "  tlscope report --format ndjson -o baseline.ndjson capture.pcapng\n  tlscope report --baseline baseline.ndjson capture.pcapng";

const AGAIN: &str = "If the change is meant, write the baseline again.";

pub(super) const RULES: &[Rule] = &[
    new(
        "baseline-handshake-changed",
        Severity::Error,
        0,
        "A server's handshake is another than in the baseline",
        page(
            "A server (address, port and the name that was asked for) negotiated or sent something that it never did in the older report: version, cipher suite, group, application protocol, resumption, the names, keys and signatures of its certificate chain, the CAs that it accepts, or whether it asks for a client certificate and what it gets.",
            "A library update, a new proxy or a changed configuration shows here before it shows as a failure at somebody else's client.",
            "Certain: both values were reported. A value that only the older report has is no change: one capture shows less than another. Renewing a certificate is none either, as long as names, issuer and kind of key stay.",
            "Look at what was changed on the server or in front of it, and at which clients took part. If the change is meant, write the baseline again.",
            VERIFY,
            "tlscope explain baseline-not-compared",
        ),
        at_the_end,
    ),
    new(
        NEW_FINDING,
        Severity::Error,
        0,
        "A finding is new since the baseline",
        page(
            "Findings at or above --fail-on (error, where it is not given) whose fingerprint is not in the older report. The fingerprint is made of code, severity and server, so that the same trouble with other frames, times and clients is not new.",
            "Old troubles are known; a new one came with what was changed last.",
            "Certain that it is new; how sure the finding itself is stands with it.",
            "See the page of the finding itself: tlscope explain CODE. If it is accepted, write the baseline again.",
            VERIFY,
            "tlscope explain baseline-not-compared",
        ),
        at_the_end,
    ),
    new(
        NOT_COMPARED,
        Severity::Warning,
        0,
        "A server cannot be compared with the baseline",
        page(
            "A server is only in the baseline, or only in this report; or there are more servers, or more values of one of their fields, than are compared. Where no server is in both, this is an error: then nothing was compared.",
            "A gate that compared nothing must not be green: an address that changes with each run, or a capture of the wrong interface, looks like success.",
            "Certain: a server is known by its address, its port and the name that clients ask for.",
            "Give the server a fixed address and port in the test, and capture the same connections as for the baseline, which must be written without --redact (the report that is compared with it need not). What is too much is compared in parts: see --filter. If servers came or went on purpose, write the baseline again.",
            VERIFY,
            "tlscope explain baseline-handshake-changed",
        ),
        at_the_end,
    ),
];

/// Code of the finding about new findings.
pub const NEW_FINDING: &str = "baseline-new-finding";

/// Code of what was not compared.
const NOT_COMPARED: &str = "baseline-not-compared";

/// No flow shows it alone.
fn at_the_end(_: &FlowFacts, _: &super::Policy) -> Option<Hit> {
    None
}

/// What is told of a server whose handshake has changed.
pub(crate) fn changed(server: &str, changes: &[String], flows: Vec<u64>) -> Option<super::Finding> {
    let detail = format!("{server}: {}.", changes.join("; "));
    finding("baseline-handshake-changed", detail, None, flows, server)
}

/// What is told of new findings of one code.
pub(crate) fn new_finding(
    code: &str,
    severity: Severity,
    servers: &[String],
    flows: Vec<u64>,
) -> Option<super::Finding> {
    let detail = format!("{code} ({}) was not in the baseline: {}.", severity.name(), super::words::list(servers));
    finding(NEW_FINDING, detail, Some(severity), flows, code)
}

/// What is told of servers that are in one report only, and of what is beyond a cap; `nothing`: no server is in both.
pub(crate) fn not_compared(
    gone: &[String],
    came: &[String],
    beyond: &[String],
    nothing: bool,
) -> Option<super::Finding> {
    let list = super::words::list;
    let mut detail = Vec::new();
    if !gone.is_empty() {
        detail.push(format!("In the baseline only: {}.", list(gone)));
    }
    if !came.is_empty() {
        detail.push(format!("In this report only: {}.", list(came)));
    }
    if !beyond.is_empty() {
        detail.push(format!("Too much to be compared: {}.", list(beyond)));
    }
    if nothing {
        detail.push("No server is in both: nothing was compared.".to_owned());
    }
    if detail.is_empty() {
        return None;
    }
    finding(NOT_COMPARED, detail.join(" "), nothing.then_some(Severity::Error), Vec::new(), "")
}

fn finding(
    code: &str,
    detail: String,
    severity: Option<Severity>,
    flows: Vec<u64>,
    about: &str,
) -> Option<super::Finding> {
    let hit = Hit { severity, blame: Some(super::Blame::Nobody), ..Hit::new(detail, AGAIN) };
    let finding = super::capture_finding(super::rule(code)?, hit.about(about));
    Some(super::Finding { flows, ..finding })
}

#[cfg(test)]
mod tests {
    use super::super::Blame;
    use super::*;

    #[test]
    fn each_difference_is_a_finding_of_its_own() {
        let a = changed("192.0.2.1:443", &["version: was TLS 1.3, is TLS 1.2".into()], vec![3, 4]).unwrap();
        assert_eq!((a.code, a.severity, a.blame), ("baseline-handshake-changed", Severity::Error, Blame::Nobody));
        assert_eq!(
            (a.detail.as_str(), &a.flows[..]),
            ("192.0.2.1:443: version: was TLS 1.3, is TLS 1.2.", &[3, 4][..])
        );
        assert_ne!(a.fingerprint, changed("192.0.2.2:443", &[], vec![]).unwrap().fingerprint);
        let b = new_finding("cipher-rc4", Severity::Warning, &["192.0.2.1:443".into()], vec![1]).unwrap();
        assert_eq!((b.code, b.severity), ("baseline-new-finding", Severity::Warning));
        assert!(not_compared(&[], &[], &[], false).is_none());
        let c = not_compared(&["192.0.2.1:443".into()], &[], &[], false).unwrap();
        assert_eq!((c.code, c.severity), ("baseline-not-compared", Severity::Warning));
        assert_eq!(not_compared(&["192.0.2.1:443".into()], &[], &[], true).unwrap().severity, Severity::Error);
    }
}
