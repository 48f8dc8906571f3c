//! Names: of the server, of application protocols, of users.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{bytes_text, illegal, name_text, opaque, size_text, small};

/// NameType of a host name (RFC 6066, section 3).
const HOST_NAME: u8 = 0;

/// `server_name` (RFC 6066, section 3). A server acknowledges with an empty one.
pub(super) fn server_name(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    if place != Place::ClientHello {
        out.server_name = Some(Vec::new());
        return Ok(());
    }
    let at = r.at();
    let mut list = r.vector("ServerNameList", 2)?;
    r.meaning(|| size_text(list.left()));
    let names = out.server_name.insert(Vec::new());
    let mut damage = if list.is_empty() { Err(illegal("ServerNameList", at)) } else { Ok(()) };
    while !list.is_empty() {
        let kind = small(&mut list, "name_type", |t| match t {
            HOST_NAME => "host_name".into(),
            t => format!("unknown ({t})"),
        });
        let at = list.at();
        let name = kind.and_then(|kind| Ok((kind, opaque(&mut list, "HostName", 2)?)));
        let (kind, name) = match name {
            Ok(name) => name,
            Err(e) => {
                list.undecoded(&e);
                if names.is_empty() {
                    out.server_name = None;
                }
                return Err(e);
            }
        };
        if kind == HOST_NAME {
            list.meaning(|| name_text(name));
            names.push(name.into());
            if name.is_empty() {
                damage = damage.and(Err(illegal("HostName", at)));
            }
        }
    }
    damage
}

/// `application_layer_protocol_negotiation` (RFC 7301, section 3.1).
pub(super) fn alpn(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let mut list = r.vector("ProtocolNameList", 2)?;
    r.meaning(|| size_text(list.left()));
    let mut damage = Ok(());
    while !list.is_empty() {
        let at = list.at();
        let name = protocol(&mut list)?;
        out.alpn.push(name.into());
        if name.is_empty() {
            damage = damage.and(Err(illegal("ProtocolName", at)));
        }
    }
    damage
}

/// `application_settings` (draft-vvv-tls-alps): the client lists protocols, the server sends settings of its own form.
pub(super) fn application_settings(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place != Place::ClientHello {
        super::opaque(r);
        return Ok(());
    }
    let mut list = r.vector("supported_protocols", 2)?;
    while !list.is_empty() {
        protocol(&mut list)?;
    }
    Ok(())
}

/// `next_protocol_negotiation` (draft-agl-tls-nextprotoneg-04): empty from the client, a list from the server.
pub(super) fn next_protocol_negotiation(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place == Place::ClientHello {
        return r.end("next_protocol_negotiation");
    }
    let mut damage = Ok(());
    while !r.is_empty() {
        let at = r.at();
        if protocol(r)?.is_empty() {
            damage = damage.and(Err(illegal("ProtocolName", at)));
        }
    }
    damage
}

/// `srp` (RFC 5054, section 2.8.1): the name of the user.
pub(super) fn srp(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let user = opaque(r, "srp_I", 1)?;
    r.meaning(|| bytes_text(user));
    Ok(())
}

fn protocol<'a>(r: &mut Reader<'a>) -> Decoded<&'a [u8]> {
    let name = opaque(r, "ProtocolName", 1)?;
    r.meaning(|| name_text(name));
    Ok(name)
}
