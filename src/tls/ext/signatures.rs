//! Signature schemes.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{code_point, code_point_vector, opaque, scheme};

/// `signature_algorithms` (RFC 8446, section 4.2.3; RFC 5246, section 7.4.1.4.1).
pub(super) fn signature_algorithms(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    list(r, &mut out.signature_schemes)
}

/// `signature_algorithms_cert` (RFC 8446, section 4.2.3).
pub(super) fn signature_algorithms_cert(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    list(r, &mut Vec::new())
}

/// `delegated_credential` (RFC 9345, section 4.1): schemes in the requests, the credential beside the certificate.
pub(super) fn delegated_credential(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place != Place::Certificate {
        return list(r, &mut Vec::new());
    }
    let valid = r.u32("valid_time")?;
    r.meaning(|| crate::text::count(valid.into(), "second"));
    code_point(r, "dc_cert_verify_algorithm", scheme)?;
    opaque(r, "ASN1_subjectPublicKeyInfo", 3)?;
    code_point(r, "algorithm", scheme)?;
    opaque(r, "signature", 2).map(drop)
}

fn list(r: &mut Reader<'_>, out: &mut Vec<u16>) -> Decoded<()> {
    code_point_vector(r, "supported_signature_algorithms", 2, "SignatureScheme", scheme, out)
}
