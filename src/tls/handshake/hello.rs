//! ClientHello, ServerHello and HelloRetryRequest (RFC 8446, sections 4.1.2 to 4.1.4; RFC 5246, section 7.4.1; drafts).

use crate::reader::{Decoded, Reader};
use crate::tls::ext::{self, Place};
use crate::tls::names::{CompressionMethod, ProtocolVersion};

use super::parts::{
    Notes, bytes_text, code_point, code_points, count_text, small, suite, vector_or_rest, version, within,
};
use super::types::{ClientHello, Extensions, ServerHello};

/// `random` of a ServerHello that is a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446, section 4.1.3).
pub(crate) const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Longest `legacy_session_id`.
const SESSION_ID_BYTES: usize = 32;

/// First draft of TLS 1.3 whose ServerHello has the form of TLS 1.2 again, HelloRetryRequest included.
const DRAFT_WITH_OLD_FORM: u8 = 22;

/// First draft of TLS 1.3 whose HelloRetryRequest names the cipher suite.
const DRAFT_WITH_RETRY_SUITE: u8 = 19;

/// True for a message (header and body) that is a HelloRetryRequest in the form of a ServerHello.
pub(crate) fn is_hello_retry(message: &[u8]) -> bool {
    message.first() == Some(&2) && message.get(6..38) == Some(&HELLO_RETRY_RANDOM)
}

/// ClientHello.
pub(super) fn client_hello(r: &mut Reader<'_>, m: &mut ClientHello, notes: &mut Notes) -> Decoded<()> {
    m.length = r.left();
    m.legacy_version = code_point(r, "legacy_version", version)?;
    m.random = random(r)?;
    session_id(r, "legacy_session_id", &mut m.session_id, notes)?;

    let at = r.at();
    let v = vector_or_rest(r, "cipher_suites", 2, notes)?;
    r.meaning(|| count_text(v.left() / 2));
    if v.is_empty() {
        notes.illegal("cipher_suites", at);
    }
    within(v, "cipher_suites", notes, |v, _| code_points(v, "cipher_suite", suite, &mut m.cipher_suites));

    let at = r.at();
    let v = vector_or_rest(r, "legacy_compression_methods", 1, notes)?;
    r.meaning(|| count_text(v.left()));
    if v.is_empty() {
        notes.illegal("legacy_compression_methods", at);
    }
    m.compression_methods = v.rest().to_vec();
    if v.is_recording() {
        within(v, "legacy_compression_methods", notes, |v, _| {
            while !v.is_empty() {
                small(v, "compression_method", compression)?;
            }
            Ok(())
        });
    }
    extensions(r, Place::ClientHello, &mut m.extensions, notes)
}

/// ServerHello, and HelloRetryRequest in its form.
pub(super) fn server_hello(r: &mut Reader<'_>, m: &mut ServerHello, notes: &mut Notes) -> Decoded<()> {
    m.legacy_version = code_point(r, "legacy_version", version)?;
    m.random = random(r)?;
    m.hello_retry = m.random == HELLO_RETRY_RANDOM;
    if m.hello_retry {
        r.meaning(|| "SHA-256 of \"HelloRetryRequest\"".into());
    } else if let Some(v) = m.downgrade_sentinel() {
        r.meaning(|| format!("{}, with the downgrade sentinel of {v}", bytes_text(&m.random)));
    }
    let is_short_form = ProtocolVersion(m.legacy_version).draft().is_some_and(|d| d < DRAFT_WITH_OLD_FORM);
    if is_short_form {
        m.cipher_suite = code_point(r, "cipher_suite", suite)?;
    } else {
        session_id(r, "legacy_session_id_echo", &mut m.session_id, notes)?;
        m.cipher_suite = code_point(r, "cipher_suite", suite)?;
        m.compression_method = small(r, "legacy_compression_method", compression)?;
    }
    let place = if m.hello_retry { Place::HelloRetryRequest } else { Place::ServerHello };
    extensions(r, place, &mut m.extensions, notes)
}

/// HelloRetryRequest as a message of its own (drafts of TLS 1.3 up to 21).
pub(super) fn hello_retry_request(r: &mut Reader<'_>, m: &mut ServerHello, notes: &mut Notes) -> Decoded<()> {
    m.hello_retry = true;
    m.legacy_version = code_point(r, "server_version", version)?;
    if ProtocolVersion(m.legacy_version).draft().is_some_and(|d| d >= DRAFT_WITH_RETRY_SUITE) {
        m.cipher_suite = code_point(r, "cipher_suite", suite)?;
    }
    extensions(r, Place::HelloRetryRequest, &mut m.extensions, notes)
}

/// The extension block; from hellos it may be missing (SSL 3.0 to TLS 1.2).
pub(super) fn extensions(r: &mut Reader<'_>, place: Place, out: &mut Extensions, notes: &mut Notes) -> Decoded<()> {
    if r.is_empty() && matches!(place, Place::ClientHello | Place::ServerHello) {
        return Ok(());
    }
    let v = vector_or_rest(r, "extensions", 2, notes)?;
    r.meaning(|| count_text(ext::count(v.rest())));
    within(v, "extensions", notes, |v, _| ext::read(v, place, out));
    r.end("extensions")
}

fn random(r: &mut Reader<'_>) -> Decoded<[u8; 32]> {
    let b = r.bytes("random", 32)?;
    r.meaning(|| bytes_text(b));
    Ok(b.first_chunk().copied().unwrap_or_default())
}

fn session_id(r: &mut Reader<'_>, what: &'static str, out: &mut Vec<u8>, notes: &mut Notes) -> Decoded<()> {
    let at = r.at();
    let v = vector_or_rest(r, what, 1, notes)?;
    r.meaning(|| bytes_text(v.rest()));
    if v.left() > SESSION_ID_BYTES {
        notes.illegal(what, at);
    }
    *out = v.rest().to_vec();
    Ok(())
}

fn compression(v: u8) -> String {
    CompressionMethod(v).to_string()
}
