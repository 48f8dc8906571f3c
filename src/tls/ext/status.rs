//! Revocation and transparency of certificates.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::{
    ocsp_response,
    parts::{opaque, size_text, small},
};
use crate::tls::names::CertificateStatusType;

/// `status_request` (RFC 6066, section 8; RFC 8446, section 4.4.2.1): the request of the client (or of a server's
/// CertificateRequest), the empty answer of a TLS 1.2 ServerHello, the OCSP response beside a certificate.
pub(super) fn status_request(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    out.status_request = true;
    match place {
        Place::ServerHello => Ok(()),
        Place::Certificate => {
            if status_type(r)? == CertificateStatusType::OCSP {
                out.ocsp_response = Some(ocsp_response(r)?);
            } else {
                super::opaque(r);
            }
            Ok(())
        }
        // In a CertificateRequest most implementations send it empty.
        Place::CertificateRequest if r.is_empty() => Ok(()),
        _ => {
            if status_type(r)? == CertificateStatusType::OCSP {
                ocsp_request(r)
            } else {
                super::opaque(r);
                Ok(())
            }
        }
    }
}

/// `status_request_v2` (RFC 6961, section 2.2).
pub(super) fn status_request_v2(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place == Place::ServerHello {
        return Ok(());
    }
    let mut list = r.vector("certificate_status_req_list", 2)?;
    while !list.is_empty() {
        let kind = status_type(&mut list)?;
        let mut request = list.vector("request", 2)?;
        if matches!(kind, CertificateStatusType::OCSP | CertificateStatusType::OCSP_MULTI) {
            ocsp_request(&mut request)?;
            request.end("request")?;
        }
    }
    Ok(())
}

/// `signed_certificate_timestamp` (RFC 6962, section 3.3.1): an empty request, a list as the answer.
pub(super) fn signed_certificate_timestamp(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if matches!(place, Place::ClientHello | Place::CertificateRequest) {
        return Ok(());
    }
    let mut list = r.vector("sct_list", 2)?;
    r.meaning(|| size_text(list.left()));
    while !list.is_empty() {
        opaque(&mut list, "SerializedSCT", 2)?;
    }
    Ok(())
}

/// OCSPStatusRequest.
fn ocsp_request(r: &mut Reader<'_>) -> Decoded<()> {
    let mut ids = r.vector("responder_id_list", 2)?;
    r.meaning(|| size_text(ids.left()));
    while !ids.is_empty() {
        opaque(&mut ids, "ResponderID", 2)?;
    }
    opaque(r, "request_extensions", 2).map(drop)
}

fn status_type(r: &mut Reader<'_>) -> Decoded<CertificateStatusType> {
    small(r, "status_type", |t| CertificateStatusType(t).to_string()).map(CertificateStatusType)
}
