//! ServerKeyExchange and ClientKeyExchange, whose form depends on the cipher suite (RFC 5246, sections 7.4.3 and 7.4.7;
//! RFC 8422, section 5.4; RFC 4279; RFC 5489; RFC 5054; RFC 4346, appendix D.1).

use crate::reader::{Decoded, Reader};
use crate::span::Span;
use crate::tls::names::{
    Authentication, CipherSuite, EcCurveType, KeyExchange, NamedGroup, ProtocolVersion, SuiteAttributes,
};

use super::certificate::signature;
use super::parts::{bytes_text, code_point, group, name_text, opaque, small};
use super::types::{Context, ServerKeyExchange, Tail};

/// What to look for in a key exchange message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// An elliptic-curve key.
    Ec,
    /// A Diffie-Hellman key.
    Dh,
    /// An RSA key (export) or a secret encrypted with one.
    Rsa,
    /// No key.
    None,
    /// SRP.
    Srp,
    /// Anything else.
    Unknown,
}

/// What the suite says of the messages: form of the key, whether a PSK's hint or identity comes first, whether the
/// server signs.
fn forms(a: SuiteAttributes) -> (Form, bool, bool) {
    let is_signed = !matches!(
        a.auth,
        Authentication::Anon | Authentication::Null | Authentication::Psk | Authentication::Srp | Authentication::Krb5
    );
    match a.kx {
        KeyExchange::Ecdhe | KeyExchange::Ecdh => (Form::Ec, false, is_signed),
        KeyExchange::Dhe | KeyExchange::Dh => (Form::Dh, false, is_signed),
        KeyExchange::Rsa => (Form::Rsa, false, is_signed),
        KeyExchange::Psk => (Form::None, true, false),
        KeyExchange::DhePsk => (Form::Dh, true, false),
        KeyExchange::EcdhePsk => (Form::Ec, true, false),
        KeyExchange::RsaPsk => (Form::Rsa, true, false),
        KeyExchange::Srp => (Form::Srp, false, is_signed),
        _ => (Form::Unknown, false, false),
    }
}

/// ServerKeyExchange.
pub(super) fn server_key_exchange(r: &mut Reader<'_>, m: &mut ServerKeyExchange, ctx: &Context) -> Decoded<()> {
    let attributes = ctx.cipher_suite.and_then(|s| CipherSuite(s).attributes());
    let (form, has_hint, is_signed) = match attributes {
        Some(a) => forms(a),
        None => guess(r.rest(), ctx),
    };
    let start = r.at();
    if has_hint {
        let hint = opaque(r, "psk_identity_hint", 2)?;
        r.meaning(|| name_text(hint));
    }
    match form {
        Form::Ec => ec_params(r, m)?,
        Form::Dh => {
            m.dh_bits = Some(bits(opaque(r, "dh_p", 2)?));
            r.meaning(|| format!("{} bits", m.dh_bits.unwrap_or_default()));
            opaque(r, "dh_g", 2)?;
            m.public_key = Tail::of(opaque(r, "dh_Ys", 2)?);
        }
        Form::Rsa if !has_hint => {
            let modulus = opaque(r, "rsa_modulus", 2)?;
            r.meaning(|| format!("{} bits", bits(modulus)));
            opaque(r, "rsa_exponent", 2)?;
        }
        Form::Rsa | Form::None => return r.end("psk_identity_hint"),
        Form::Srp => {
            let n = opaque(r, "srp_N", 2)?;
            r.meaning(|| format!("{} bits", bits(n)));
            opaque(r, "srp_g", 2)?;
            opaque(r, "srp_s", 1)?;
            opaque(r, "srp_B", 2)?;
        }
        Form::Unknown => {
            let b = r.remaining("params");
            r.meaning(|| bytes_text(b));
            return Ok(());
        }
    }
    if is_signed {
        let params = Span::new(start, r.at().saturating_sub(start));
        let (scheme, value) = signature(r, ctx)?;
        m.signature_scheme = scheme;
        m.signed = Some((params, value));
    }
    Ok(())
}

/// Without a known suite: the form that fits exactly.
fn guess(body: &[u8], ctx: &Context) -> (Form, bool, bool) {
    let ec = |r: &mut Reader<'_>| ec_params(r, &mut ServerKeyExchange::default());
    let dh = |r: &mut Reader<'_>| {
        // A prime of less than 512 bits is no prime but a guess gone wrong.
        let p = opaque(r, "dh_p", 2)?;
        if bits(p) < 512 {
            return Err(r.illegal("dh_p"));
        }
        opaque(r, "dh_g", 2)?;
        opaque(r, "dh_Ys", 2).map(drop)
    };
    let fits = |read: &dyn Fn(&mut Reader<'_>) -> Decoded<()>, is_signed: bool| {
        let mut r = Reader::new(body);
        read(&mut r).is_ok() && (!is_signed || signature(&mut r, ctx).is_ok()) && r.is_empty()
    };
    for (form, read) in [(Form::Ec, &ec as &dyn Fn(&mut Reader<'_>) -> Decoded<()>), (Form::Dh, &dh)] {
        for is_signed in [true, false] {
            if fits(read, is_signed) {
                return (form, false, is_signed);
            }
        }
    }
    (Form::Unknown, false, false)
}

/// ServerECDHParams (RFC 8422, section 5.4; RFC 4492 for the explicit curves).
fn ec_params(r: &mut Reader<'_>, m: &mut ServerKeyExchange) -> Decoded<()> {
    let curve_type = EcCurveType(small(r, "curve_type", |t| EcCurveType(t).to_string())?);
    match curve_type {
        EcCurveType::NAMED_CURVE => m.group = Some(NamedGroup(code_point(r, "namedcurve", group)?)),
        EcCurveType::EXPLICIT_PRIME => {
            m.explicit_curve = true;
            opaque(r, "prime_p", 1)?;
            explicit_curve(r)?;
        }
        EcCurveType::EXPLICIT_CHAR2 => {
            m.explicit_curve = true;
            r.u16("m")?;
            // ECBasisType (RFC 4492, section 5.4).
            match r.u8("basis")? {
                1 => drop(opaque(r, "k", 1)?),
                2 => {
                    opaque(r, "k1", 1)?;
                    opaque(r, "k2", 1)?;
                    opaque(r, "k3", 1)?;
                }
                _ => return Err(r.illegal("basis")),
            }
            explicit_curve(r)?;
        }
        _ => return Err(r.illegal("curve_type")),
    }
    m.public_key = Tail::of(opaque(r, "point", 1)?);
    Ok(())
}

/// What both kinds of explicit curves end with.
fn explicit_curve(r: &mut Reader<'_>) -> Decoded<()> {
    for what in ["a", "b", "base", "order", "cofactor"] {
        opaque(r, what, 1)?;
    }
    Ok(())
}

/// Bits of a number without its leading zeros.
fn bits(number: &[u8]) -> u32 {
    let mut digits = number.iter().copied().skip_while(|b| *b == 0);
    match digits.next() {
        Some(top) => {
            let rest = u32::try_from(digits.count()).unwrap_or(u32::MAX);
            rest.saturating_mul(8).saturating_add(8u32.saturating_sub(top.leading_zeros()))
        }
        None => 0,
    }
}

/// ClientKeyExchange. It leaves no facts, so that it is looked into only for the field tree, and never damaged.
pub(super) fn client_key_exchange(r: &mut Reader<'_>, ctx: &Context) -> Decoded<()> {
    let mut probe = Reader::new(r.rest());
    let fits = client_key(&mut probe, ctx).is_ok() && probe.is_empty();
    if fits {
        return client_key(r, ctx);
    }
    let b = r.remaining("exchange_keys");
    r.meaning(|| bytes_text(b));
    Ok(())
}

fn client_key(r: &mut Reader<'_>, ctx: &Context) -> Decoded<()> {
    let Some(a) = ctx.cipher_suite.and_then(|s| CipherSuite(s).attributes()) else {
        return Err(r.illegal("exchange_keys"));
    };
    let (form, has_identity, _) = forms(a);
    if has_identity {
        let identity = opaque(r, "psk_identity", 2)?;
        r.meaning(|| name_text(identity));
    }
    match form {
        Form::Ec => opaque(r, "ecdh_Yc", 1).map(drop),
        Form::Dh => opaque(r, "dh_Yc", 2).map(drop),
        // SSL 3.0 has no length before it.
        Form::Rsa if ctx.version == Some(ProtocolVersion::SSL3) => {
            let b = r.remaining("EncryptedPreMasterSecret");
            r.meaning(|| bytes_text(b));
            Ok(())
        }
        Form::Rsa => opaque(r, "EncryptedPreMasterSecret", 2).map(drop),
        Form::Srp => opaque(r, "srp_A", 2).map(drop),
        Form::None => Ok(()),
        Form::Unknown => Err(r.illegal("exchange_keys")),
    }
}
