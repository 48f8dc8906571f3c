//! Stapled OCSP responses (RFC 6960, section 4.2.1). What they say, not whether their signature is right.

use crate::reader::Decoded;
use crate::span::Timestamp;
use crate::{limits, text};

use super::der::{self, Der, ENUMERATED, INTEGER, OCTET_STRING, OID, SEQUENCE, Tlv, context, context_constructed};
use super::oid::{Oid, oid};
use super::signature::{self, SignatureHash};
use super::{name, time};

/// OCSPResponseStatus (RFC 6960, section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspResponseStatus {
    /// successful (0): the response has a body.
    Successful,
    /// malformedRequest (1).
    MalformedRequest,
    /// internalError (2).
    InternalError,
    /// tryLater (3).
    TryLater,
    /// sigRequired (5).
    SigRequired,
    /// unauthorized (6).
    Unauthorized,
    /// A number that is not assigned.
    Unknown(u8),
}

impl OcspResponseStatus {
    /// Name by the RFC.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
            Self::Unknown(_) => "unassigned",
        }
    }
}

/// What an OCSP responder says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// When, seconds since 1970.
        at: Option<i64>,
        /// CRLReason (RFC 5280, section 5.3.1), see [`CertStatus::reason`].
        reason: Option<u8>,
    },
    /// The responder does not know it.
    Unknown,
}

impl CertStatus {
    /// `good`, `revoked` or `unknown`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked { .. } => "revoked",
            Self::Unknown => "unknown",
        }
    }

    /// Name of the revocation's reason by RFC 5280.
    pub const fn reason(self) -> Option<&'static str> {
        let Self::Revoked { reason: Some(n), .. } = self else { return None };
        Some(match n {
            0 => "unspecified",
            1 => "keyCompromise",
            2 => "cACompromise",
            3 => "affiliationChanged",
            4 => "superseded",
            5 => "cessationOfOperation",
            6 => "certificateHold",
            8 => "removeFromCRL",
            9 => "privilegeWithdrawn",
            10 => "aACompromise",
            _ => return None,
        })
    }
}

/// One SingleResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspStatus {
    /// Serial number of the certificate it is about, as [`Certificate::serial`](super::Certificate::serial) writes it.
    pub serial: String,
    /// Hash of the issuer's name, lower-case hexadecimal.
    pub issuer_name_hash: String,
    /// Hash of the issuer's key, lower-case hexadecimal.
    pub issuer_key_hash: String,
    /// The verdict.
    pub status: CertStatus,
    /// From when it is known to be right, seconds since 1970; `None` when the time cannot be read.
    pub this_update: Option<i64>,
    /// Until when newer information will be there, seconds since 1970; `None` when there is always newer.
    pub next_update: Option<i64>,
}

impl OcspStatus {
    /// True when it is out of date at a time.
    pub fn is_expired_at(&self, at: Timestamp) -> bool {
        self.next_update.is_some_and(|n| at.secs() > n)
    }

    /// True when it is from a later time.
    pub fn is_from_the_future_at(&self, at: Timestamp) -> bool {
        self.this_update.is_some_and(|t| at.secs() < t)
    }
}

/// An OCSP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponse {
    /// Whether the responder answered at all.
    pub response_status: OcspResponseStatus,
    /// The responder: its name (RFC 4514) or `key:` and the hash of its key.
    pub responder: Option<String>,
    /// The single responses; empty unless successful.
    pub statuses: Vec<OcspStatus>,
    /// Algorithm of the responder's signature.
    pub signature_algorithm: Option<(String, SignatureHash)>,
}

impl OcspResponse {
    /// What it says of the certificate with this serial number.
    pub fn status_of(&self, serial: &str) -> Option<&OcspStatus> {
        self.statuses.iter().find(|s| s.serial == serial)
    }
}

const BASIC: Oid = oid("1.3.6.1.5.5.7.48.1.1");

/// Reads an OCSPResponse.
///
/// # Errors
/// Where it is no OCSPResponse of the basic kind.
pub fn parse_ocsp(der: &[u8]) -> Decoded<OcspResponse> {
    let mut outer = Der::new(der);
    let mut response = outer.expect("OCSPResponse", SEQUENCE)?.inside();
    outer.end("OCSPResponse")?;
    let status = response.expect("responseStatus", ENUMERATED)?;
    let mut out = OcspResponse {
        response_status: match status.content {
            [0] => OcspResponseStatus::Successful,
            [1] => OcspResponseStatus::MalformedRequest,
            [2] => OcspResponseStatus::InternalError,
            [3] => OcspResponseStatus::TryLater,
            [5] => OcspResponseStatus::SigRequired,
            [6] => OcspResponseStatus::Unauthorized,
            [n] => OcspResponseStatus::Unknown(*n),
            _ => return Err(status.illegal("responseStatus")),
        },
        responder: None,
        statuses: Vec::new(),
        signature_algorithm: None,
    };
    if let Some(explicit) = response.optional("responseBytes", context_constructed(0))? {
        let mut bytes = explicit.inside().expect("responseBytes", SEQUENCE)?.inside();
        let kind = bytes.expect("responseType", OID)?;
        if !BASIC.is(kind.content) {
            return Err(kind.illegal("responseType"));
        }
        let basic = bytes.expect("response", OCTET_STRING)?;
        bytes.end("responseBytes")?;
        read_basic(basic.inside(), &mut out)?;
    }
    response.end("OCSPResponse")?;
    Ok(out)
}

fn read_basic(mut d: Der<'_>, out: &mut OcspResponse) -> Decoded<()> {
    let mut basic = d.expect("BasicOCSPResponse", SEQUENCE)?.inside();
    d.end("BasicOCSPResponse")?;
    let mut data = basic.expect("tbsResponseData", SEQUENCE)?.inside();
    data.optional("version", context_constructed(0))?;
    let responder = data.next("responderID")?;
    out.responder = Some(match responder.tag {
        0xa1 => name::read(&responder.inside().next("byName")?).text,
        0xa2 => {
            let hash = responder.inside().expect("byKey", OCTET_STRING)?.content;
            format!("key:{}", text::hex(hash.get(..limits::CERTIFICATE_SERIAL).unwrap_or(hash)))
        }
        _ => return Err(responder.illegal("responderID")),
    });
    data.next("producedAt")?;
    let mut responses = data.expect("responses", SEQUENCE)?.inside();
    while !responses.is_empty() {
        let one = responses.expect("SingleResponse", SEQUENCE)?;
        if out.statuses.len() < limits::CERTIFICATE_LIST {
            out.statuses.push(read_single(&one)?);
        }
    }
    data.optional("responseExtensions", context_constructed(1))?;
    data.end("tbsResponseData")?;
    out.signature_algorithm = Some(signature::read(&basic.next("signatureAlgorithm")?)?);
    basic.next("signature")?.bits("signature")?;
    basic.optional("certs", context_constructed(0))?;
    basic.end("BasicOCSPResponse")
}

fn read_single(single: &Tlv<'_>) -> Decoded<OcspStatus> {
    let mut fields = single.inside();
    let mut id = fields.expect("certID", SEQUENCE)?.inside();
    let hex = |t: Tlv<'_>| text::hex(t.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(t.content));
    id.expect("hashAlgorithm", SEQUENCE)?;
    let issuer_name_hash = hex(id.expect("issuerNameHash", OCTET_STRING)?);
    let issuer_key_hash = hex(id.expect("issuerKeyHash", OCTET_STRING)?);
    let serial = hex(id.expect("serialNumber", INTEGER)?);
    id.end("certID")?;

    let verdict = fields.next("certStatus")?;
    let status = match verdict.tag {
        t if t == context(0) => CertStatus::Good,
        t if t == context_constructed(1) => {
            let mut info = verdict.inside();
            let at = time::seconds(&info.next("revocationTime")?);
            let reason = match info.optional("revocationReason", context_constructed(0))? {
                Some(explicit) => {
                    let n = explicit.inside().expect("revocationReason", ENUMERATED)?;
                    der::small_uint(n.content).and_then(|n| u8::try_from(n).ok())
                }
                None => None,
            };
            CertStatus::Revoked { at, reason }
        }
        t if t == context(2) => CertStatus::Unknown,
        _ => return Err(verdict.illegal("certStatus")),
    };
    let this_update = time::seconds(&fields.next("thisUpdate")?);
    let next_update = match fields.optional("nextUpdate", context_constructed(0))? {
        Some(explicit) => time::seconds(&explicit.inside().next("nextUpdate")?),
        None => None,
    };
    fields.optional("singleExtensions", context_constructed(1))?;
    fields.end("SingleResponse")?;
    Ok(OcspStatus { serial, issuer_name_hash, issuer_key_hash, status, this_update, next_update })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{BIT_STRING, GENERALIZED_TIME, tlv};
    use crate::x509::name::tests::name as dn;

    fn time(s: &str) -> Vec<u8> {
        tlv(GENERALIZED_TIME, &[s.as_bytes()])
    }

    fn single(status: &[u8]) -> Vec<u8> {
        let id = tlv(
            SEQUENCE,
            &[
                &tlv(SEQUENCE, &[&tlv(OID, &[&[0x2b, 0x0e, 3, 2, 0x1a]])]),
                &tlv(OCTET_STRING, &[&[1; 20]]),
                &tlv(OCTET_STRING, &[&[2; 20]]),
                &tlv(INTEGER, &[&[0, 0xab]]),
            ],
        );
        let next = tlv(0xa0, &[&time("20260108000000Z")]);
        tlv(SEQUENCE, &[&id, status, &time("20260101000000Z"), &next])
    }

    fn response(status: &[u8], responder: &[u8]) -> Vec<u8> {
        let data = tlv(SEQUENCE, &[responder, &time("20260101000000Z"), &tlv(SEQUENCE, &[&single(status)])]);
        let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])]);
        let basic = tlv(SEQUENCE, &[&data, &algorithm, &tlv(BIT_STRING, &[&[0, 1]])]);
        let id = tlv(OID, &[&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]]);
        let bytes = tlv(SEQUENCE, &[&id, &tlv(OCTET_STRING, &[&basic])]);
        tlv(SEQUENCE, &[&tlv(ENUMERATED, &[&[0]]), &tlv(0xa0, &[&bytes])])
    }

    fn key() -> Vec<u8> {
        tlv(0xa2, &[&tlv(OCTET_STRING, &[&[9; 20]])])
    }

    #[test]
    fn the_three_verdicts() {
        let r = parse_ocsp(&response(&[0x80, 0], &key())).unwrap();
        assert_eq!(r.response_status, OcspResponseStatus::Successful);
        assert_eq!(r.responder.as_deref(), Some("key:0909090909090909090909090909090909090909"));
        assert_eq!(r.signature_algorithm, Some(("ecdsa-with-SHA256".into(), SignatureHash::Sound)));
        let s = r.status_of("00ab").unwrap();
        assert_eq!(
            (s.status, s.this_update, s.next_update),
            (CertStatus::Good, Some(1_767_225_600), Some(1_767_830_400))
        );
        let at = |secs| Timestamp::from_parts(secs, 0);
        assert!(s.is_from_the_future_at(at(1_767_225_599)) && !s.is_from_the_future_at(at(1_767_225_600)));
        assert!(s.is_expired_at(at(1_767_830_401)) && !s.is_expired_at(at(1_767_830_400)));
        assert!(r.status_of("ab").is_none());

        let revoked = tlv(0xa1, &[&time("20251231000000Z"), &tlv(0xa0, &[&tlv(ENUMERATED, &[&[1]])])]);
        let by_name = tlv(0xa1, &[&dn(&[(&[0x55, 4, 3], 12, b"R")])]);
        let r = parse_ocsp(&response(&revoked, &by_name)).unwrap();
        assert_eq!(r.responder.as_deref(), Some("CN=R"));
        assert_eq!(r.statuses[0].status, CertStatus::Revoked { at: Some(1_767_139_200), reason: Some(1) });
        assert_eq!((r.statuses[0].status.name(), r.statuses[0].status.reason()), ("revoked", Some("keyCompromise")));
        assert_eq!(parse_ocsp(&response(&[0x82, 0], &key())).unwrap().statuses[0].status, CertStatus::Unknown);
    }

    #[test]
    fn refusals_of_the_responder() {
        let r = parse_ocsp(&tlv(SEQUENCE, &[&tlv(ENUMERATED, &[&[3]])])).unwrap();
        assert_eq!(
            (r.response_status, r.response_status.name(), r.statuses.len()),
            (OcspResponseStatus::TryLater, "tryLater", 0)
        );
        assert!(parse_ocsp(&tlv(SEQUENCE, &[&tlv(ENUMERATED, &[&[3, 3]])])).is_err());
    }

    #[test]
    fn every_truncation_and_trailing_bytes_are_errors() {
        let good = response(&[0x80, 0], &key());
        for n in 0..good.len() {
            assert!(parse_ocsp(&good[..n]).is_err(), "{n}");
        }
        let mut long = good.clone();
        long.push(0);
        assert!(parse_ocsp(&long).is_err());
        assert!(parse_ocsp(&response(&[0x83, 0], &key())).is_err());
        assert!(parse_ocsp(&response(&[0x80, 0], &[0xa3, 0])).is_err());
    }
}
