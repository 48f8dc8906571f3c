//! Certificate, CertificateRequest, CertificateVerify and CertificateStatus.

use crate::limits;
use crate::reader::{Decoded, Reader};
use crate::span::Span;
use crate::tls::ext::{self, Place};
use crate::tls::names::{CertificateStatusType, ClientCertificateType, SignatureScheme};

use super::Era;
use super::hello::extensions;
use super::parts::{
    Notes, bytes_text, code_point, code_points, count_text, opaque, scheme, size_text, small, vector_or_rest, within,
};
use super::types::{CertificateMessage, CertificateRequest, Context, Extensions};

/// Certificate (RFC 8446, section 4.4.2; RFC 5246, section 7.4.2).
pub(super) fn certificate(
    r: &mut Reader<'_>,
    m: &mut CertificateMessage,
    ctx: &Context,
    notes: &mut Notes,
) -> Decoded<()> {
    let is_tls13 = ctx.era() == Era::Tls13;
    if is_tls13 {
        opaque(r, "certificate_request_context", 1)?;
    }
    let v = vector_or_rest(r, "certificate_list", 3, notes)?;
    r.meaning(|| size_text(v.left()));
    if !is_tls13 && is_public_key(v.rest()) {
        m.raw_public_key = Some(Span::new(v.at(), v.left()));
        let mut v = v;
        v.remaining("ASN.1_subjectPublicKeyInfo");
        v.meaning(|| "SubjectPublicKeyInfo, DER".into());
        return Ok(());
    }
    within(v, "certificate_list", notes, |v, notes| {
        while !v.is_empty() {
            if is_tls13 {
                entry(v, m, notes)?;
            } else {
                der(v, "ASN.1Cert", m, notes)?;
            }
        }
        Ok(())
    });
    Ok(())
}

/// True for exactly one DER SEQUENCE that begins as a SubjectPublicKeyInfo does, with a SEQUENCE of an OID (RFC 5280,
/// section 4.1). A list of certificates cannot be one: its first three bytes would be the length of a certificate of more than
/// three million bytes; and a certificate that stands there without its lengths begins otherwise. Before TLS 1.3 a raw public
/// key has no length of its own (RFC 7250, section 3).
fn is_public_key(b: &[u8]) -> bool {
    const OID: u8 = 6;
    let whole = sequence(b).filter(|(content, len)| content.len() == *len);
    let algorithm = whole.and_then(|(content, _)| sequence(content));
    algorithm.is_some_and(|(content, _)| content.first() == Some(&OID))
}

/// What follows the header of a DER SEQUENCE, and its length by that header.
fn sequence(b: &[u8]) -> Option<(&[u8], usize)> {
    match b {
        [0x30, n @ 0..=0x7f, rest @ ..] => Some((rest, usize::from(*n))),
        [0x30, 0x81, n, rest @ ..] => Some((rest, usize::from(*n))),
        [0x30, 0x82, hi, lo, rest @ ..] => Some((rest, usize::from(u16::from_be_bytes([*hi, *lo])))),
        _ => None,
    }
}

/// A CertificateEntry.
fn entry(r: &mut Reader<'_>, m: &mut CertificateMessage, notes: &mut Notes) -> Decoded<()> {
    let mut g = r.group("CertificateEntry", entry_len(r.rest()));
    let is_leaf = m.entries.is_empty() && m.omitted == 0;
    der(&mut g, "cert_data", m, notes)?;
    let v = g.vector("extensions", 2)?;
    g.meaning(|| count_text(ext::count(v.rest())));
    let mut found = Extensions::default();
    within(v, "extensions", notes, |v, _| ext::read(v, Place::Certificate, &mut found));
    if is_leaf {
        m.ocsp_response = found.ocsp_response;
    }
    r.advance_to(&g);
    Ok(())
}

/// Bytes of the CertificateEntry at the start of `b`, at most all of them.
fn entry_len(b: &[u8]) -> usize {
    let Some([x, y, z]) = b.first_chunk() else { return b.len() };
    let cert = usize::from(*x) << 16 | usize::from(*y) << 8 | usize::from(*z);
    let at = cert.saturating_add(3);
    match b.get(at..).and_then(|b| b.first_chunk()) {
        Some(n) => at.saturating_add(2).saturating_add(usize::from(u16::from_be_bytes(*n))).min(b.len()),
        None => b.len(),
    }
}

/// One certificate with the length before it.
fn der(r: &mut Reader<'_>, what: &'static str, m: &mut CertificateMessage, notes: &mut Notes) -> Decoded<()> {
    let at = r.at();
    let mut v = r.vector(what, 3)?;
    r.meaning(|| size_text(v.left()));
    if m.entries.len() < limits::CHAIN_CERTIFICATES {
        m.entries.push(Span::new(v.at(), v.left()));
    } else {
        m.omitted = m.omitted.saturating_add(1);
    }
    if v.is_empty() {
        notes.illegal(what, at);
    }
    if v.is_recording() {
        v.remaining("Certificate");
        v.meaning(|| "X.509, DER".into());
    }
    Ok(())
}

/// CertificateRequest (RFC 8446, section 4.3.2; RFC 5246, section 7.4.4; RFC 4346, section 7.4.4).
pub(super) fn certificate_request(
    r: &mut Reader<'_>,
    m: &mut CertificateRequest,
    ctx: &Context,
    notes: &mut Notes,
) -> Decoded<()> {
    let has_schemes = match ctx.era() {
        Era::Tls13 => {
            opaque(r, "certificate_request_context", 1)?;
            let mut found = Extensions::default();
            let read = extensions(r, Place::CertificateRequest, &mut found, notes);
            m.signature_schemes = found.signature_schemes;
            m.authorities = found.certificate_authorities;
            m.omitted = m.authorities.len().saturating_sub(limits::CA_NAMES);
            m.authorities.truncate(limits::CA_NAMES);
            return read;
        }
        Era::Tls12 => true,
        Era::Old => false,
        Era::Unknown => !fits(r.rest(), false) || fits(r.rest(), true),
    };
    let v = vector_or_rest(r, "certificate_types", 1, notes)?;
    r.meaning(|| count_text(v.left()));
    m.types = v.rest().to_vec();
    if v.is_recording() {
        within(v, "certificate_types", notes, |v, _| {
            while !v.is_empty() {
                small(v, "ClientCertificateType", |t| ClientCertificateType(t).to_string())?;
            }
            Ok(())
        });
    }
    if has_schemes {
        let v = vector_or_rest(r, "supported_signature_algorithms", 2, notes)?;
        r.meaning(|| count_text(v.left() / 2));
        within(v, "supported_signature_algorithms", notes, |v, _| {
            code_points(v, "SignatureAndHashAlgorithm", scheme, &mut m.signature_schemes)
        });
    }
    let v = vector_or_rest(r, "certificate_authorities", 2, notes)?;
    r.meaning(|| size_text(v.left()));
    within(v, "certificate_authorities", notes, |v, _| {
        while !v.is_empty() {
            let name = v.vector("DistinguishedName", 2)?;
            v.meaning(|| bytes_text(name.rest()));
            if m.authorities.len() < limits::CA_NAMES {
                m.authorities.push(Span::new(name.at(), name.left()));
            } else {
                m.omitted = m.omitted.saturating_add(1);
            }
        }
        Ok(())
    });
    Ok(())
}

/// True when the body is exactly a CertificateRequest with (TLS 1.2) or without (before) signature algorithms.
fn fits(body: &[u8], has_schemes: bool) -> bool {
    let mut r = Reader::new(body);
    let mut read = || -> Decoded<()> {
        r.vector("certificate_types", 1)?;
        if has_schemes && r.vector("supported_signature_algorithms", 2)?.left() % 2 != 0 {
            return Err(r.illegal("supported_signature_algorithms"));
        }
        let mut names = r.vector("certificate_authorities", 2)?;
        while !names.is_empty() {
            names.vector("DistinguishedName", 2)?;
        }
        r.end("certificate_authorities")
    };
    read().is_ok()
}

/// A signature and, from TLS 1.2 on, its scheme before it; where its value stands. All of CertificateVerify (RFC 8446,
/// section 4.4.3; RFC 5246, section 7.4.8).
pub(super) fn signature(r: &mut Reader<'_>, ctx: &Context) -> Decoded<(Option<SignatureScheme>, Span)> {
    let has_scheme = match ctx.era() {
        Era::Tls12 | Era::Tls13 => true,
        Era::Old => false,
        Era::Unknown => {
            let mut with = Reader::new(r.rest());
            let mut without = with.clone();
            let is_whole = |r: &mut Reader<'_>| r.vector("signature", 2).is_ok() && r.is_empty();
            (with.u16("algorithm").is_ok() && is_whole(&mut with)) || !is_whole(&mut without)
        }
    };
    let found = if has_scheme { Some(SignatureScheme(code_point(r, "algorithm", scheme)?)) } else { None };
    let value = r.vector("signature", 2)?;
    r.meaning(|| bytes_text(value.rest()));
    Ok((found, Span::new(value.at(), value.left())))
}

/// CertificateStatus (RFC 6066, section 8).
pub(super) fn certificate_status(r: &mut Reader<'_>, m: &mut Option<Span>, notes: &mut Notes) -> Decoded<()> {
    *m = status(r, notes)?;
    Ok(())
}

/// A certificate's status: where its OCSP response stands; of several (RFC 6961) the first.
fn status(r: &mut Reader<'_>, notes: &mut Notes) -> Decoded<Option<Span>> {
    let kind = CertificateStatusType(small(r, "status_type", |t| CertificateStatusType(t).to_string())?);
    match kind {
        CertificateStatusType::OCSP => ocsp_response(r).map(Some),
        CertificateStatusType::OCSP_MULTI => {
            let mut first = None;
            let v = r.vector("ocsp_response_list", 3)?;
            within(v, "ocsp_response_list", notes, |v, _| {
                while !v.is_empty() {
                    // Of a certificate without a response the entry is empty.
                    let span = ocsp_response(v)?;
                    first = first.or(Some(span));
                }
                Ok(())
            });
            Ok(first.filter(|s: &Span| s.len > 0))
        }
        _ => {
            r.remaining("response");
            Ok(None)
        }
    }
}

/// One OCSP response with its length: where its DER stands.
pub(crate) fn ocsp_response(r: &mut Reader<'_>) -> Decoded<Span> {
    let v = r.vector("OCSPResponse", 3)?;
    r.meaning(|| bytes_text(v.rest()));
    Ok(Span::new(v.at(), v.left()))
}
