//! Kinds, forms and issuers of certificates.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::span::Span;
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{bytes_text, code_point_vector, opaque, size_text, small, small_vector};
use crate::tls::names::CertificateCompressionAlgorithm;

/// `cert_type` (RFC 6091).
pub(super) fn certificate_type(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    types(r, place, &mut Vec::new())
}

/// `client_certificate_type` (RFC 7250, section 3).
pub(super) fn client_certificate_type(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    types(r, place, &mut out.client_certificate_types)
}

/// `server_certificate_type` (RFC 7250, section 3).
pub(super) fn server_certificate_type(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    types(r, place, &mut out.server_certificate_types)
}

/// A list from the client, one from the server.
fn types(r: &mut Reader<'_>, place: Place, out: &mut Vec<u8>) -> Decoded<()> {
    // IANA "TLS Certificate Types".
    let name = |v| match v {
        0 => "X509".into(),
        1 => "OpenPGP".into(),
        2 => "Raw Public Key".into(),
        3 => "1609Dot2".into(),
        v => format!("0x{v:02x}"),
    };
    if place == Place::ClientHello {
        return small_vector(r, "certificate_types", 1, "CertificateType", name, out);
    }
    out.push(small(r, "certificate_type", name)?);
    Ok(())
}

/// `compress_certificate` (RFC 8879, section 3).
pub(super) fn compress_certificate(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let name = |v| (CertificateCompressionAlgorithm(v).to_string(), None);
    code_point_vector(r, "algorithms", 1, "CertificateCompressionAlgorithm", name, &mut out.compress_certificate)
}

/// `certificate_authorities` (RFC 8446, section 4.2.4).
pub(super) fn certificate_authorities(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let mut list = r.vector("authorities", 2)?;
    r.meaning(|| size_text(list.left()));
    while !list.is_empty() {
        let name = list.vector("DistinguishedName", 2)?;
        list.meaning(|| bytes_text(name.rest()));
        out.certificate_authorities.push(Span::new(name.at(), name.left()));
    }
    Ok(())
}

/// `oid_filters` (RFC 8446, section 4.2.5).
pub(super) fn oid_filters(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let mut list = r.vector("filters", 2)?;
    while !list.is_empty() {
        opaque(&mut list, "certificate_extension_oid", 1)?;
        opaque(&mut list, "certificate_extension_values", 2)?;
    }
    Ok(())
}

/// `trusted_ca_keys` (RFC 6066, section 6); the server answers with an empty one.
pub(super) fn trusted_ca_keys(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    const SHA1_BYTES: usize = 20;
    if place == Place::ServerHello {
        return Ok(());
    }
    let mut list = r.vector("trusted_authorities_list", 2)?;
    while !list.is_empty() {
        match list.u8("identifier_type")? {
            0 => {}
            1 | 3 => {
                let b = list.bytes("SHA1Hash", SHA1_BYTES)?;
                list.meaning(|| bytes_text(b));
            }
            2 => drop(opaque(&mut list, "DistinguishedName", 2)?),
            _ => return Err(list.illegal("identifier_type")),
        }
    }
    Ok(())
}

/// `trust_anchors` (draft-ietf-tls-trust-anchor-ids): a list of identifiers; empty beside a certificate.
pub(super) fn trust_anchors(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place == Place::Certificate {
        return Ok(());
    }
    let mut list = r.vector("trust_anchors", 2)?;
    while !list.is_empty() {
        opaque(&mut list, "TrustAnchorID", 1)?;
    }
    Ok(())
}
