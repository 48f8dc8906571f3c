//! Keys of a long TLS 1.3 connection: renewed all the time, or never.

use super::{Hit, Policy, Rule, Severity, new, page};
use crate::facts::FlowFacts;
use crate::span::Role;

/// Records that AES-GCM may protect with one key: 2^24.5 (RFC 8446, section 5.5).
const GCM_RECORDS: u64 = 23_726_566;

/// So many key updates are no renewal any more.
const STORM: u64 = 64;

pub(super) const RULES: &[Rule] = &[
    new(
        "key-update-storm",
        Severity::Warning,
        0,
        "A side renews its keys again and again",
        page(
            "TLS 1.3: more than 64 records of a KeyUpdate's size, and they are more than half of all that the side sent.",
            "Each KeyUpdate costs the receiver a derivation of keys, and one that asks for an answer costs it a record: a way to keep a server busy, or a library that counts wrongly.",
            "Possible: data of exactly five bytes a record have the same size.",
            "Limit the number of KeyUpdates without data between (OpenSSL, Go and BoringSSL do: 32); find out which client sends them.",
            "  openssl s_client -connect HOST:PORT -servername NAME   (type k for a KeyUpdate)",
            "RFC 8446, sections 4.6.3 and 7.2",
        ),
        storm,
    ),
    new(
        "key-limit-exceeded",
        Severity::Warning,
        0,
        "More records were protected with one key than AES-GCM permits",
        page(
            "TLS 1.3 with AES-GCM: a side sent more than 2^24.5 records, and none of them has the size of a KeyUpdate.",
            "Beyond that number the margin against forged records is smaller than the standard wants (2^-57). It needs long connections: some hundred GB, or less in small records.",
            "Likely: the records are counted; that none was a KeyUpdate follows from their sizes.",
            "Use a TLS library that sends KeyUpdate by itself, call SSL_key_update now and then, or end very long connections.",
            "  openssl s_client -connect HOST:PORT -servername NAME -msg   (type k for a KeyUpdate)",
            "RFC 8446, section 5.5; draft-irtf-cfrg-aead-limits",
        ),
        limit,
    ),
];

fn storm(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let s = f.of(role);
        let n = s.key_update_sized;
        if !f.is_tls13() || n <= STORM || n.saturating_mul(2) <= s.encrypted.records {
            return None;
        }
        let detail =
            format!("Of the {role}'s {} protected records, {n} have the size of a KeyUpdate.", s.encrypted.records);
        let remedy =
            format!("Find out which program the {role} runs; limit KeyUpdates without data on the other side.");
        Some(Hit::new(detail, remedy).at_any(s.last_record.map(|(_, _, m)| m)).possible().blame(role))
    })
}

fn limit(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let gcm = f.cipher_suite().is_some_and(|s| matches!(s.0, 0x1301 | 0x1302));
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let s = f.of(role);
        let whole = s.gaps.is_empty() && s.unreadable.is_none() && !s.mid_stream;
        if !f.is_tls13() || !gcm || !whole || s.encrypted.records <= GCM_RECORDS || s.key_update_sized > 0 {
            return None;
        }
        let detail = format!(
            "The {role} sent {} records under one key; AES-GCM is meant for at most {GCM_RECORDS}.",
            s.encrypted.records
        );
        let remedy =
            format!("On the {role}: send KeyUpdate in long connections, or begin a new connection now and then.");
        Some(Hit::new(detail, remedy).at_any(s.last_record.map(|(_, _, m)| m)).likely().blame(role))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{find, mark, server_hello};
    use super::*;
    use crate::span::Side;
    use crate::tls::names::ContentType;

    fn sent(records: u64, updates: u64) -> FlowFacts {
        let mut f = server_hello(0x0304);
        let s = &mut f.sides[Side::A];
        s.encrypted.records = records;
        s.key_update_sized = updates;
        s.last_record = Some((ContentType::APPLICATION_DATA, 22, mark(12)));
        f
    }

    #[test]
    fn many_updates() {
        assert!(find(&sent(100, 65), "key-update-storm").is_some());
        assert!(find(&sent(100, 64), "key-update-storm").is_none());
        assert!(find(&sent(1000, 65), "key-update-storm").is_none());
    }

    #[test]
    fn too_many_records_for_a_key() {
        // 2^24.5, rounded down.
        assert!(find(&sent(23_726_567, 0), "key-limit-exceeded").is_some());
        assert!(find(&sent(23_726_566, 0), "key-limit-exceeded").is_none());
        assert!(find(&sent(23_726_567, 1), "key-limit-exceeded").is_none());
        let mut f = sent(23_726_567, 0);
        f.server_hello.as_mut().expect("there").message.cipher_suite = 0x1303;
        assert!(find(&f, "key-limit-exceeded").is_none(), "ChaCha20-Poly1305 has no such limit");
    }
}
