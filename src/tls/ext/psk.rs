//! Resumption and pre-shared keys; other opaque values that one side hands the other.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::parts::{bytes_text, number, opaque, size_text, small_vector};
use crate::tls::handshake::{Extensions, Tail};
use crate::tls::names::PskKeyExchangeMode;

/// `pre_shared_key` (RFC 8446, section 4.2.11).
pub(super) fn pre_shared_key(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    if place != Place::ClientHello {
        let v = r.u16("selected_identity")?;
        number(r, v);
        out.psk = Some(v);
        return Ok(());
    }
    let mut list = r.vector("identities", 2)?;
    r.meaning(|| size_text(list.left()));
    let mut n = 0u16;
    while !list.is_empty() {
        let identity = opaque(&mut list, "identity", 2)?;
        let age = list.u32("obfuscated_ticket_age")?;
        if n == 0 && age != 0 {
            out.psk_ticket = Tail::of(identity);
        }
        number(&list, age);
        n = n.saturating_add(1);
    }
    out.psk = Some(n);
    let mut list = r.vector("binders", 2)?;
    r.meaning(|| size_text(list.left()));
    while !list.is_empty() {
        opaque(&mut list, "PskBinderEntry", 1)?;
    }
    Ok(())
}

/// `psk_key_exchange_modes` (RFC 8446, section 4.2.9).
pub(super) fn psk_key_exchange_modes(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    small_vector(r, "ke_modes", 1, "PskKeyExchangeMode", |m| PskKeyExchangeMode(m).to_string(), &mut out.psk_modes)
}

/// `session_ticket` (RFC 5077, section 3.2): the ticket fills the content.
pub(super) fn session_ticket(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let b = r.remaining("ticket");
    r.meaning(|| bytes_text(b));
    out.session_ticket = Some(b.len());
    out.session_ticket_tail = Tail::of(b);
    Ok(())
}

/// `ticket_early_data_info` (drafts of TLS 1.3 up to 18).
pub(super) fn ticket_early_data_info(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let v = r.u32("max_early_data_size")?;
    number(r, v);
    Ok(())
}

/// `ticket_request` (RFC 9149, section 3).
pub(super) fn ticket_request(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    let fields: &[&'static str] =
        if place == Place::ClientHello { &["new_session_count", "resumption_count"] } else { &["expected_count"] };
    for what in fields {
        let v = r.u8(what)?;
        number(r, v);
    }
    Ok(())
}

/// `cookie` (RFC 8446, section 4.2.2).
pub(super) fn cookie(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    out.cookie = Some(opaque(r, "cookie", 2)?.len());
    Ok(())
}

/// `renegotiation_info` (RFC 5746, section 3.2).
pub(super) fn renegotiation_info(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    out.renegotiation_info = Some(opaque(r, "renegotiated_connection", 1)?.len());
    Ok(())
}

/// `connection_id` (RFC 9146, section 3).
pub(super) fn connection_id(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    opaque(r, "cid", 1).map(drop)
}
