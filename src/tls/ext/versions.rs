//! Versions.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{code_point, code_point_vector, small_vector, version};

/// `supported_versions` (RFC 8446, section 4.2.1): the client's list, the server's choice.
pub(super) fn supported_versions(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    if place == Place::ClientHello {
        return code_point_vector(r, "versions", 1, "ProtocolVersion", version, &mut out.supported_versions);
    }
    out.supported_versions.push(code_point(r, "selected_version", version)?);
    Ok(())
}

/// `token_binding` (RFC 8472, section 2).
pub(super) fn token_binding(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let major = r.u8("major")?;
    r.meaning(|| major.to_string());
    let minor = r.u8("minor")?;
    r.meaning(|| minor.to_string());
    let name = |v| match v {
        0 => "rsa2048_pkcs1.5".into(),
        1 => "rsa2048_pss".into(),
        2 => "ecdsap256".into(),
        v => format!("0x{v:02x}"),
    };
    small_vector(r, "key_parameters_list", 1, "TokenBindingKeyParameters", name, &mut Vec::new())
}
