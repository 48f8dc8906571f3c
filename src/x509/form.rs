//! Where a certificate's encoding is not DER (X.690, sections 8, 10 and 11) or its times not in the form of RFC 5280. A peer
//! that reads strictly refuses such a certificate as a whole, whatever it says.
//!
//! Only what is told for certain: elements whose universal tag says what they are, and the fields that X.509 names.

use super::der::{
    BIT_STRING, BOOLEAN, Der, ENUMERATED, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, Tlv, UTC_TIME,
    context_constructed,
};
use super::extension;

/// Faults that are kept of one certificate; whoever repairs one makes the certificate anew.
const FAULTS: usize = 4;

/// Elements within elements that are looked into: names and extensions need eight.
const DEPTH: usize = 16;

/// Seconds since 1970 of 1950-01-01 and 2050-01-01: RFC 5280, section 4.1.2.5 wants a UTCTime for what lies between.
const UTC_TIMES: std::ops::Range<i64> = -631_152_000..2_524_608_000;

/// A place at which a certificate's bytes are not in the form that they must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormFault {
    /// Offset of the element from the first byte of the certificate.
    pub at: usize,
    /// The field of the certificate that it stands in.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: FormFaultKind,
}

/// How an encoding differs from what DER and RFC 5280 want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFaultKind {
    /// A length that is written with more bytes than it needs (X.690, section 10.1).
    LongLength,
    /// The indefinite length (X.690, section 10.1). What is inside is not looked at.
    IndefiniteLength,
    /// A string in pieces (X.690, section 10.2).
    Pieces,
    /// TRUE as another byte than 0xff (X.690, section 11.1).
    Boolean(u8),
    /// An INTEGER with a first byte that it does not need (X.690, section 8.3.2).
    LongInteger,
    /// Unused bits of a BIT STRING that are not zero (X.690, section 11.2.1).
    UnusedBits,
    /// A default value that is written out (X.690, section 11.5).
    Default,
    /// A SET OF whose elements are not in order (X.690, section 11.6).
    SetOrder,
    /// A time without seconds.
    NoSeconds,
    /// A time that does not end in `Z`.
    NotZulu,
    /// A time with fractions of a second.
    Fraction,
    /// A time of the years 1950 to 2049 as a GeneralizedTime.
    EarlyGeneralizedTime,
}

impl FormFaultKind {
    /// True for what many certificates have that work everywhere: a default value written out (public CAs did so with
    /// CA:FALSE until 2013), names in a set out of order (OpenSSL, Go, GnuTLS and NSS do not look), and a GeneralizedTime too
    /// early.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::Default | Self::SetOrder | Self::EarlyGeneralizedTime)
    }

    /// True when it is the form of a time (RFC 5280, section 4.1.2.5).
    pub const fn is_of_time(self) -> bool {
        matches!(self, Self::NoSeconds | Self::NotZulu | Self::Fraction | Self::EarlyGeneralizedTime)
    }
}

/// The first faults of a certificate, by their place.
pub(super) fn faults(der: &[u8]) -> Vec<FormFault> {
    let mut walk = Walk::default();
    if let Some(mut parts) =
        walk.take(&mut Der::new(der), "Certificate").filter(|t| t.tag == SEQUENCE).map(|t| t.inside())
    {
        if let Some(tbs) = walk.take(&mut parts, "tbsCertificate").filter(|t| t.tag == SEQUENCE) {
            walk.tbs(&tbs);
        }
        walk.all(parts, "signature");
    }
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Vec<FormFault>,
}

impl Walk {
    fn fault(&mut self, at: usize, field: &'static str, kind: FormFaultKind) {
        if self.found.len() < FAULTS {
            self.found.push(FormFault { at, field, kind });
        }
    }

    /// The next element, judged by itself; `None` at the end and where none can be told any more.
    fn take<'a>(&mut self, d: &mut Der<'a>, field: &'static str) -> Option<Tlv<'a>> {
        let at = d.at();
        if d.is_indefinite() {
            self.fault(at, field, FormFaultKind::IndefiniteLength);
            return None;
        }
        let t = d.next(field).ok()?;
        for kind in of_element(&t).into_iter().flatten() {
            self.fault(at, field, kind);
        }
        Some(t)
    }

    /// Every element, and what is inside of it.
    fn all(&mut self, d: Der<'_>, field: &'static str) {
        let mut open = vec![d];
        while let Some(d) = open.last_mut() {
            match self.take(d, field) {
                Some(t) if is_constructed(t.tag) && open.len() < DEPTH => open.push(t.inside()),
                Some(_) => {}
                None => drop(open.pop()),
            }
        }
    }

    fn tbs(&mut self, tbs: &Tlv<'_>) {
        let mut fields = tbs.inside();
        if fields.peek() == Some(context_constructed(0))
            && let Some(explicit) = self.take(&mut fields, "version")
        {
            let mut inside = explicit.inside();
            let value = self.take(&mut inside, "version");
            if value.is_some_and(|v| v.tag == INTEGER && v.content == [0]) {
                self.fault(explicit.start(), "version", FormFaultKind::Default);
            }
        }
        for field in ["serialNumber", "signature", "issuer"] {
            let Some(t) = self.take(&mut fields, field) else { return };
            self.inside(&t, field);
        }
        let Some(validity) = self.take(&mut fields, "validity") else { return };
        let mut times = validity.inside();
        for field in ["notBefore", "notAfter"] {
            let Some(t) = self.take(&mut times, field) else { break };
            for kind in of_time(&t).into_iter().flatten() {
                self.fault(t.start(), field, kind);
            }
        }
        let Some(subject) = self.take(&mut fields, "subject") else { return };
        self.inside(&subject, "subject");
        let Some(spki) = self.take(&mut fields, "subjectPublicKeyInfo") else { return };
        self.inside(&spki, "subjectPublicKeyInfo");
        while let Some(t) = self.take(&mut fields, "tbsCertificate") {
            if t.tag == context_constructed(3) {
                self.extensions(&t);
            }
        }
    }

    fn inside(&mut self, t: &Tlv<'_>, field: &'static str) {
        if is_constructed(t.tag) {
            self.all(t.inside(), field);
        }
    }

    fn extensions(&mut self, explicit: &Tlv<'_>) {
        let Some(list) = self.take(&mut explicit.inside(), "extensions").filter(|t| t.tag == SEQUENCE) else { return };
        let mut all = list.inside();
        while let Some(one) = self.take(&mut all, "extensions") {
            if one.tag == SEQUENCE {
                self.extension(&one);
            }
        }
    }

    fn extension(&mut self, one: &Tlv<'_>) {
        let mut fields = one.inside();
        let Some(kind) = self.take(&mut fields, "extensions").filter(|t| t.tag == OID) else { return };
        // What an extension that is not known holds need not be DER.
        let known = extension::name(kind.content);
        let field = known.unwrap_or("extensions");
        let Some(mut value) = self.take(&mut fields, field) else { return };
        if value.tag == BOOLEAN {
            if value.content == [0] {
                self.fault(value.start(), field, FormFaultKind::Default);
            }
            let Some(next) = self.take(&mut fields, field) else { return };
            value = next;
        }
        if value.tag != OCTET_STRING || known.is_none() {
            return;
        }
        self.all(value.inside(), field);
        if field == extension::BASIC_CONSTRAINTS
            && let Some(ca) = Der::new(value.content).next(field).ok().and_then(|s| s.inside().next(field).ok())
            && (ca.tag, ca.content) == (BOOLEAN, &[0][..])
        {
            self.fault(value.at.saturating_add(ca.start()), field, FormFaultKind::Default);
        }
    }
}

/// The elements inside are elements again.
fn is_constructed(tag: u8) -> bool {
    tag & 0x20 != 0
}

/// What is wrong with the form of one element.
fn of_element(t: &Tlv<'_>) -> [Option<FormFaultKind>; 2] {
    let header = t.raw.len().saturating_sub(t.content.len());
    let tag_bytes = if t.tag & 0x1f == 0x1f { header } else { 1 };
    let length_bytes = match t.content.len() {
        0..=0x7f => 1usize,
        n => {
            let zeros = usize::try_from(n.leading_zeros()).unwrap_or_default() / 8;
            size_of::<usize>().saturating_sub(zeros).saturating_add(1)
        }
    };
    let long = header > tag_bytes.saturating_add(length_bytes);
    let value = match (t.tag, t.content) {
        (BOOLEAN, [b @ 1..=0xfe]) => Some(FormFaultKind::Boolean(*b)),
        (INTEGER | ENUMERATED, [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..]) => Some(FormFaultKind::LongInteger),
        (BIT_STRING, [unused @ 1..=7, .., last]) if last.trailing_zeros() < u32::from(*unused) => {
            Some(FormFaultKind::UnusedBits)
        }
        (SET, _) if !is_sorted(t.inside()) => Some(FormFaultKind::SetOrder),
        // The universal types that are strings or times, in their constructed form.
        (0x23 | 0x24 | 0x2c | 0x32..=0x3e, _) => Some(FormFaultKind::Pieces),
        _ => None,
    };
    [long.then_some(FormFaultKind::LongLength), value]
}

/// The elements of a SET OF stand in the order of their encodings, the shorter one as if zeros followed (X.690, section
/// 11.6). What does not parse is not judged.
fn is_sorted(mut set: Der<'_>) -> bool {
    let mut before: &[u8] = &[];
    while let Ok(t) = set.next("SET OF") {
        let zeros = || std::iter::repeat(&0u8);
        let longest = before.len().max(t.raw.len());
        let padded = |b: &'_ [u8]| b.iter().chain(zeros()).take(longest).copied().collect::<Vec<_>>();
        if !before.is_empty() && padded(before) > padded(t.raw) {
            return false;
        }
        before = t.raw;
    }
    true
}

/// What is wrong with the form of a time of a certificate. What is no time at all is not judged.
fn of_time(t: &Tlv<'_>) -> [Option<FormFaultKind>; 3] {
    let none = [None; 3];
    let year_digits = match t.tag {
        UTC_TIME => 2usize,
        GENERALIZED_TIME => 4,
        _ => return none,
    };
    let digits = t.content.iter().take_while(|b| b.is_ascii_digit()).count();
    let Some((text, zone)) = t.content.split_at_checked(digits) else { return none };
    let has_seconds = match digits.saturating_sub(year_digits) {
        10 => true,
        8 => false,
        _ => return none,
    };
    let fraction = |b: &&u8| matches!(b, b'.' | b',') || b.is_ascii_digit();
    let (part, zone) = match zone.first() {
        Some(b'.' | b',') if has_seconds => zone.split_at(zone.iter().take_while(fraction).count()),
        _ => (&b""[..], zone),
    };
    let is_offset = |z: &[u8]| matches!(z, [b'+' | b'-', rest @ ..] if matches!(rest.len(), 2 | 4) && rest.iter().all(u8::is_ascii_digit));
    if !(matches!(zone, b"Z" | b"") || is_offset(zone)) {
        return none;
    }
    let whole = [text, if has_seconds { &b""[..] } else { b"00" }, b"Z"].concat();
    let Some(secs) = super::time::read(t.tag, &whole) else { return none };
    let early = t.tag == GENERALIZED_TIME && UTC_TIMES.contains(&secs);
    [
        if !has_seconds {
            Some(FormFaultKind::NoSeconds)
        } else {
            (!part.is_empty()).then_some(FormFaultKind::Fraction)
        },
        (zone != b"Z").then_some(FormFaultKind::NotZulu),
        early.then_some(FormFaultKind::EarlyGeneralizedTime),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::Certificate;
    use crate::x509::cert::tests::{Fields, SERIAL, VALIDITY, VERSION};
    use crate::x509::der::{UTF8_STRING, tlv};
    use crate::x509::extension::tests::ce;
    use crate::x509::key::tests::rsa;

    fn of(fields: &Fields) -> Vec<(&'static str, FormFaultKind)> {
        faults(&fields.der()).into_iter().map(|f| (f.field, f.kind)).collect()
    }

    fn times(from: (u8, &str), to: (u8, &str)) -> Fields {
        let [a, b] = [from, to].map(|(tag, s)| tlv(tag, &[s.as_bytes()]));
        Fields::new().with(VALIDITY, tlv(SEQUENCE, &[&a, &b]))
    }

    #[test]
    fn certificates_of_other_makers_are_in_form() {
        assert_eq!(of(&Fields::new()), []);
        assert_eq!(faults(&rsa(256)), []);
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
            let p = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            assert_eq!(faults(p.self_signed(&key).unwrap().der()), []);
        }
    }

    #[test]
    fn what_der_forbids() {
        use FormFaultKind as K;
        let version = |n: &[u8]| Fields::new().with(VERSION, tlv(0xa0, &[&tlv(INTEGER, &[n])]));
        let serial = |raw: &[u8]| Fields::new().with(SERIAL, raw.to_vec());
        let extension = |n, value: &[u8]| Fields::new().extensions(&[ce(n, true, value)]);
        let flag = |b| {
            let parts = [tlv(OID, &[&[0x55, 0x1d, 19]]), vec![1, 1, b], tlv(OCTET_STRING, &[&[0x30, 0]])];
            Fields::new().extensions(&[tlv(SEQUENCE, &[&parts.concat()])])
        };
        let cn = |s: &[u8]| tlv(SEQUENCE, &[&tlv(OID, &[&[0x55, 4, 3]]), &tlv(UTF8_STRING, &[s])]);
        let pair = |a: &[u8], b: &[u8]| Fields::new().with(5, tlv(SEQUENCE, &[&tlv(SET, &[&cn(a), &cn(b)])]));
        for (fields, field, kind) in [
            (version(&[0]), "version", K::Default),
            (version(&[0, 2]), "version", K::LongInteger),
            (serial(&[2, 2, 0, 5]), "serialNumber", K::LongInteger),
            (serial(&[2, 2, 0xff, 0x85]), "serialNumber", K::LongInteger),
            (serial(&[2, 0x81, 1, 5]), "serialNumber", K::LongLength),
            (serial(&[2, 0x82, 0, 1, 5]), "serialNumber", K::LongLength),
            (flag(0), "basicConstraints", K::Default),
            (flag(1), "basicConstraints", K::Boolean(1)),
            (extension(19, &[0x30, 3, 1, 1, 0]), "basicConstraints", K::Default),
            (extension(19, &[0x30, 3, 1, 1, 1]), "basicConstraints", K::Boolean(1)),
            (extension(15, &[3, 2, 5, 0xa8]), "keyUsage", K::UnusedBits),
            (extension(14, &[0x24, 4, 4, 2, 1, 2]), "subjectKeyIdentifier", K::Pieces),
            (extension(14, &[0x24, 0x80, 4, 2, 1, 2, 0, 0]), "subjectKeyIdentifier", K::IndefiniteLength),
            (pair(b"b", b"a"), "subject", K::SetOrder),
        ] {
            assert_eq!(of(&fields), [(field, kind)], "{field}");
            let found = faults(&fields.der())[0];
            assert!(found.at < fields.der().len() && !found.kind.is_of_time());
            assert_eq!(found.kind.is_harmless(), matches!(kind, K::Default | K::SetOrder));
        }
        for good in [serial(&[2, 2, 0, 0x85]), serial(&[2, 2, 0xff, 0x7f]), serial(&[2, 1, 0]), flag(0xff)] {
            assert_eq!(of(&good), []);
        }
        for good in [pair(b"a", b"b"), pair(b"a", b"a"), pair(b"z", b"aa"), extension(15, &[3, 2, 5, 0xa0])] {
            assert_eq!(of(&good), []);
        }
        // What an extension that is not known here holds need not be DER.
        assert_eq!(of(&extension(99, &[0x30, 0x80, 1, 1, 1])), []);
    }

    #[test]
    fn the_place_is_that_of_the_element() {
        let good = Fields::new().der();
        // Certificate and TBSCertificate take four bytes each, the version five.
        assert_eq!(good.get(13..18), Some(&[2, 3, 0, 0xab, 1][..]));
        let f = Fields::new().with(SERIAL, vec![2, 3, 0, 0x2b, 1]);
        assert_eq!(faults(&f.der()), [FormFault { at: 13, field: "serialNumber", kind: FormFaultKind::LongInteger }]);
        let f = Fields::new().extensions(&[ce(19, true, &[0x30, 3, 1, 1, 0])]);
        let at = faults(&f.der())[0].at;
        assert_eq!(f.der().get(at.saturating_sub(2)..at.saturating_add(3)), Some(&[0x30, 3, 1, 1, 0][..]));
    }

    #[test]
    fn forms_of_times() {
        use FormFaultKind as K;
        let good = (UTC_TIME, "360101000000Z");
        for (bad, kinds) in [
            ((UTC_TIME, "2601010000Z"), &[K::NoSeconds][..]),
            ((UTC_TIME, "260101000000"), &[K::NotZulu]),
            ((UTC_TIME, "260101000000+0100"), &[K::NotZulu]),
            ((UTC_TIME, "2601010000-0500"), &[K::NoSeconds, K::NotZulu]),
            ((GENERALIZED_TIME, "20260101000000Z"), &[K::EarlyGeneralizedTime]),
            ((GENERALIZED_TIME, "20491231235959Z"), &[K::EarlyGeneralizedTime]),
            ((GENERALIZED_TIME, "20520101000000.5Z"), &[K::Fraction]),
            ((GENERALIZED_TIME, "20520101000000"), &[K::NotZulu]),
        ] {
            let expected: Vec<_> = kinds.iter().map(|k| ("notBefore", *k)).collect();
            assert_eq!(of(&times(bad, good)), expected, "{bad:?}");
            assert!(kinds.iter().all(|k| k.is_of_time()));
        }
        for fine in [
            (GENERALIZED_TIME, "20500101000000Z"),
            (GENERALIZED_TIME, "19491231235959Z"),
            (UTC_TIME, "never"),
            (GENERALIZED_TIME, "99991231235959Z"),
            (UTC_TIME, "269901000000"),
        ] {
            assert_eq!(of(&times(good, fine)), [], "{fine:?}");
        }
    }

    #[test]
    fn few_are_kept_of_many_and_depth_is_no_trouble() {
        let f = Fields::new().with(SERIAL, vec![2, 2, 0, 0]).with(VERSION, tlv(0xa0, &[&[2, 2, 0, 2]]));
        assert_eq!(of(&f).len(), 2);
        let mut deep = vec![];
        for _ in 0..3000 {
            deep = tlv(SEQUENCE, &[&deep]);
        }
        assert_eq!(faults(&Fields::new().with(5, deep).der()), []);
        let many = tlv(SEQUENCE, &[&[2, 2, 0, 0].repeat(50)]);
        assert_eq!(faults(&Fields::new().with(5, many).der()).len(), FAULTS);
        let der = f.der();
        for n in 0..der.len() {
            faults(&der[..n]);
        }
        assert_eq!(Certificate::parse(&der).form_faults().len(), 2);
    }
}
