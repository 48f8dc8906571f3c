//! Groups, key shares and forms of points.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::parts::{code_point, code_point_vector, group, illegal, opaque, size_text, small_vector};
use crate::tls::handshake::{Extensions, Tail};
use crate::tls::names::EcPointFormat;

/// `supported_groups` (RFC 8446, section 4.2.7; RFC 8422, section 5.1.1).
pub(super) fn supported_groups(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    code_point_vector(r, "named_group_list", 2, "NamedGroup", group, &mut out.groups)
}

/// `ec_point_formats` (RFC 8422, section 5.1.2).
pub(super) fn ec_point_formats(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let name = |f| EcPointFormat(f).to_string();
    small_vector(r, "ec_point_format_list", 1, "ECPointFormat", name, &mut out.point_formats)
}

/// `key_share` (RFC 8446, section 4.2.8).
pub(super) fn key_share(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    // What stands there under the number of the drafts does not count beside this one.
    out.key_shares.clear();
    shares(r, place, &mut out.key_shares, &mut out.key_share)
}

/// `key_share` under its number in drafts of TLS 1.3 up to 22. As the number is used no more, content of another form is
/// no damage.
pub(super) fn key_share_draft(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    let mut found = Vec::new();
    let mut probe = Reader::new(r.rest());
    let fits = shares(&mut probe, place, &mut found, &mut None).is_ok() && probe.is_empty();
    if !fits {
        super::opaque(r);
        return Ok(());
    }
    if out.key_shares.is_empty() {
        out.key_shares = found;
    }
    shares(r, place, &mut Vec::new(), &mut None)
}

fn shares(r: &mut Reader<'_>, place: Place, out: &mut Vec<u16>, last: &mut Option<Tail>) -> Decoded<()> {
    match place {
        Place::ClientHello => {
            let mut list = r.vector("client_shares", 2)?;
            r.meaning(|| size_text(list.left()));
            let mut damage = Ok(());
            while !list.is_empty() {
                let e = share(&mut list, out, last)?;
                damage = damage.and(e);
            }
            damage
        }
        Place::HelloRetryRequest => {
            out.push(code_point(r, "selected_group", group)?);
            Ok(())
        }
        _ => share(r, out, last)?,
    }
}

/// A KeyShareEntry. The inner result is damage behind which the next can be read: a key without bytes.
fn share(r: &mut Reader<'_>, out: &mut Vec<u16>, last: &mut Option<Tail>) -> Decoded<Decoded<()>> {
    let v = code_point(r, "group", group)?;
    out.push(v);
    let at = r.at();
    let key = opaque(r, "key_exchange", 2)?;
    *last = Tail::of(key);
    Ok(if key.is_empty() { Err(illegal("key_exchange", at)) } else { Ok(()) })
}

/// `use_srtp` (RFC 5764, section 4.1.1).
pub(super) fn use_srtp(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let name = |v| (format!("0x{v:04x}"), None);
    code_point_vector(r, "SRTPProtectionProfiles", 2, "SRTPProtectionProfile", name, &mut Vec::new())?;
    opaque(r, "srtp_mki", 1).map(drop)
}
