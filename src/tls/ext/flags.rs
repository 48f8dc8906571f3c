//! Extensions that say yes by being there, and those with one choice in them.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{illegal, number, opaque, small};

/// An extension without content that nobody asks for.
pub(super) fn flag(_: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    Ok(())
}

/// `extended_main_secret`, once `extended_master_secret` (RFC 7627, section 5.1).
pub(super) fn extended_master_secret(_: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    out.extended_master_secret = true;
    Ok(())
}

/// `encrypt_then_mac` (RFC 7366, section 2).
pub(super) fn encrypt_then_mac(_: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    out.encrypt_then_mac = true;
    Ok(())
}

/// `post_handshake_auth` (RFC 8446, section 4.2.6).
pub(super) fn post_handshake_auth(_: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    out.post_handshake_auth = true;
    Ok(())
}

/// `early_data` (RFC 8446, section 4.2.10): empty but in a ticket.
pub(super) fn early_data(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    out.early_data = true;
    if place == Place::NewSessionTicket {
        let v = r.u32("max_early_data_size")?;
        number(r, v);
    }
    Ok(())
}

/// `heartbeat` (RFC 6520, section 2).
pub(super) fn heartbeat(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let at = r.at();
    let mode = small(r, "HeartbeatMode", |m| match m {
        1 => "peer_allowed_to_send".into(),
        2 => "peer_not_allowed_to_send".into(),
        m => format!("unknown ({m})"),
    })?;
    out.heartbeat = Some(mode);
    if matches!(mode, 1 | 2) { Ok(()) } else { Err(illegal("HeartbeatMode", at)) }
}

/// `tls_flags` (draft-ietf-tls-tlsflags).
pub(super) fn tls_flags(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    opaque(r, "flags", 1).map(drop)
}
