//! Extensions of hellos and other messages (RFC 8446, section 4.2; IANA "TLS ExtensionType Values").
//!
//! To add one: a function in the file of its family (or a new file) and a line in [`EXTENSIONS`]. The function gets a
//! reader over the extension's content, reads all of it and puts what somebody needs into [`Extensions`]; with a recorder
//! attached the same reads make the field tree. What it does not read is damage.

mod certificates;
mod ech;
mod flags;
mod groups;
mod names;
mod psk;
mod signatures;
mod sizes;
mod status;
mod versions;

use crate::limits;
use crate::reader::{DecodeError, Decoded, Reader, Topic};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::bytes_text;
use crate::tls::names::ExtensionType;

/// A message that carries extensions: the form of many depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// ClientHello.
    ClientHello,
    /// ServerHello.
    ServerHello,
    /// HelloRetryRequest.
    HelloRetryRequest,
    /// EncryptedExtensions.
    EncryptedExtensions,
    /// An entry of a TLS 1.3 Certificate.
    Certificate,
    /// A TLS 1.3 CertificateRequest.
    CertificateRequest,
    /// A TLS 1.3 NewSessionTicket.
    NewSessionTicket,
}

impl Place {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Reads the content of an extension.
pub type Read = fn(&mut Reader<'_>, Place, &mut Extensions) -> Decoded<()>;

/// An extension that can be decoded.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    /// Its type.
    pub kind: ExtensionType,
    /// The messages it may stand in, one bit for each [`Place`].
    places: u8,
    /// Its decoder.
    read: Read,
}

impl Codec {
    const fn new(kind: ExtensionType, places: u8, read: Read) -> Self {
        Self { kind, places, read }
    }

    /// True when the extension may stand in that message.
    pub const fn may_stand_in(&self, place: Place) -> bool {
        self.places & place.bit() != 0
    }
}

const CH: u8 = Place::ClientHello.bit();
const SH: u8 = Place::ServerHello.bit();
const HRR: u8 = Place::HelloRetryRequest.bit();
const EE: u8 = Place::EncryptedExtensions.bit();
const CT: u8 = Place::Certificate.bit();
const CR: u8 = Place::CertificateRequest.bit();
const NST: u8 = Place::NewSessionTicket.bit();

/// Every extension that is decoded, by number, with the messages it may stand in: IANA's column "TLS 1.3", and
/// ServerHello for what TLS 1.2 answers there.
#[rustfmt::skip]
pub const EXTENSIONS: &[Codec] = &[
    Codec::new(ExtensionType::SERVER_NAME, CH | SH | EE, names::server_name),
    Codec::new(ExtensionType::MAX_FRAGMENT_LENGTH, CH | SH | EE, sizes::max_fragment_length),
    Codec::new(ExtensionType::CLIENT_CERTIFICATE_URL, CH | SH, flags::flag),
    Codec::new(ExtensionType::TRUSTED_CA_KEYS, CH | SH, certificates::trusted_ca_keys),
    Codec::new(ExtensionType::TRUNCATED_HMAC, CH | SH, flags::flag),
    Codec::new(ExtensionType::STATUS_REQUEST, CH | SH | CR | CT, status::status_request),
    Codec::new(ExtensionType::CERT_TYPE, CH | SH, certificates::certificate_type),
    // Some TLS 1.2 servers send supported_groups, though no specification lets them; clients ignore it.
    Codec::new(ExtensionType::SUPPORTED_GROUPS, CH | SH | EE, groups::supported_groups),
    Codec::new(ExtensionType::EC_POINT_FORMATS, CH | SH, groups::ec_point_formats),
    Codec::new(ExtensionType::SRP, CH, names::srp),
    Codec::new(ExtensionType::SIGNATURE_ALGORITHMS, CH | CR, signatures::signature_algorithms),
    Codec::new(ExtensionType::USE_SRTP, CH | SH | EE, groups::use_srtp),
    Codec::new(ExtensionType::HEARTBEAT, CH | SH | EE, flags::heartbeat),
    Codec::new(ExtensionType::ALPN, CH | SH | EE, names::alpn),
    Codec::new(ExtensionType::STATUS_REQUEST_V2, CH | SH, status::status_request_v2),
    Codec::new(ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP, CH | SH | CR | CT, status::signed_certificate_timestamp),
    Codec::new(ExtensionType::CLIENT_CERTIFICATE_TYPE, CH | SH | EE, certificates::client_certificate_type),
    Codec::new(ExtensionType::SERVER_CERTIFICATE_TYPE, CH | SH | EE, certificates::server_certificate_type),
    Codec::new(ExtensionType::PADDING, CH, sizes::padding),
    Codec::new(ExtensionType::ENCRYPT_THEN_MAC, CH | SH, flags::encrypt_then_mac),
    Codec::new(ExtensionType::EXTENDED_MAIN_SECRET, CH | SH, flags::extended_master_secret),
    Codec::new(ExtensionType::TOKEN_BINDING, CH | SH | EE, versions::token_binding),
    Codec::new(ExtensionType::COMPRESS_CERTIFICATE, CH | CR, certificates::compress_certificate),
    Codec::new(ExtensionType::RECORD_SIZE_LIMIT, CH | SH | EE, sizes::record_size_limit),
    Codec::new(ExtensionType::TLS_CERT_WITH_EXTERN_PSK, CH | SH, flags::flag),
    Codec::new(ExtensionType::DELEGATED_CREDENTIAL, CH | CR | CT, signatures::delegated_credential),
    Codec::new(ExtensionType::SESSION_TICKET, CH | SH, psk::session_ticket),
    Codec::new(ExtensionType::KEY_SHARE_DRAFT, CH | SH | HRR, groups::key_share_draft),
    Codec::new(ExtensionType::PRE_SHARED_KEY, CH | SH, psk::pre_shared_key),
    Codec::new(ExtensionType::EARLY_DATA, CH | EE | NST, flags::early_data),
    Codec::new(ExtensionType::SUPPORTED_VERSIONS, CH | SH | HRR, versions::supported_versions),
    Codec::new(ExtensionType::COOKIE, CH | HRR, psk::cookie),
    Codec::new(ExtensionType::PSK_KEY_EXCHANGE_MODES, CH, psk::psk_key_exchange_modes),
    Codec::new(ExtensionType::TICKET_EARLY_DATA_INFO, NST, psk::ticket_early_data_info),
    Codec::new(ExtensionType::CERTIFICATE_AUTHORITIES, CH | CR, certificates::certificate_authorities),
    Codec::new(ExtensionType::OID_FILTERS, CR, certificates::oid_filters),
    Codec::new(ExtensionType::POST_HANDSHAKE_AUTH, CH, flags::post_handshake_auth),
    Codec::new(ExtensionType::SIGNATURE_ALGORITHMS_CERT, CH | CR, signatures::signature_algorithms_cert),
    Codec::new(ExtensionType::KEY_SHARE, CH | SH | HRR, groups::key_share),
    Codec::new(ExtensionType::CONNECTION_ID, CH | SH, psk::connection_id),
    Codec::new(ExtensionType::TICKET_REQUEST, CH | EE, psk::ticket_request),
    Codec::new(ExtensionType::TLS_FLAGS, CH | SH | HRR | EE | CT | CR | NST, flags::tls_flags),
    Codec::new(ExtensionType::NEXT_PROTOCOL_NEGOTIATION, CH | SH, names::next_protocol_negotiation),
    Codec::new(ExtensionType::APPLICATION_SETTINGS, CH | EE, names::application_settings),
    Codec::new(ExtensionType::APPLICATION_SETTINGS_NEW, CH | EE, names::application_settings),
    Codec::new(ExtensionType::CHANNEL_ID, CH | SH | EE, flags::flag),
    Codec::new(ExtensionType::TRUST_ANCHORS, CH | EE | CT, certificates::trust_anchors),
    Codec::new(ExtensionType::ECH_OUTER_EXTENSIONS, CH, ech::ech_outer_extensions),
    Codec::new(ExtensionType::ENCRYPTED_CLIENT_HELLO, CH | HRR | EE, ech::encrypted_client_hello),
    Codec::new(ExtensionType::RENEGOTIATION_INFO, CH | SH, psk::renegotiation_info),
    Codec::new(ExtensionType::ENCRYPTED_SERVER_NAME, CH | EE, ech::encrypted_server_name),
];

/// The decoder of an extension.
pub fn codec(kind: ExtensionType) -> Option<&'static Codec> {
    let at = EXTENSIONS.binary_search_by_key(&kind, |c| c.kind).ok()?;
    EXTENSIONS.get(at)
}

/// Bytes before an extension's content: type and length.
const HEADER_BYTES: usize = 4;

/// Reads the extensions of one message from the content of their block. An error is a block whose lengths are wrong;
/// damage inside an extension is put into [`Extensions::malformed`].
pub fn read(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    let mut seen = Seen::default();
    out.types.reserve((r.left() / HEADER_BYTES).min(limits::TYPICAL_EXTENSIONS));
    while !r.is_empty() {
        let mut entry = r.group("", entry_len(r.rest()));
        let kind = ExtensionType(entry.rest().first_chunk().map(|b| u16::from_be_bytes(*b)).unwrap_or_default());
        entry.rename(|| kind.to_string());
        entry.topic(Topic::Extension(kind.0));
        entry.u16("extension_type")?;
        entry.meaning(|| kind.id());
        let is_again = seen.add(&out.types, kind.0);
        out.types.push(kind.0);
        let mut content = match entry.vector("extension_data", 2) {
            Ok(v) => v,
            Err(e) => {
                r.advance_to(&entry);
                malformed(out, kind, e);
                return Err(e);
            }
        };
        if is_again {
            out.duplicate = out.duplicate.or(Some(kind));
            if content.is_recording() {
                read_one(&mut content, kind, place, &mut Extensions::default());
            }
        } else {
            read_one(&mut content, kind, place, out);
        }
        r.advance_to(&entry);
    }
    Ok(())
}

/// Number of extensions in the content of a block.
pub(crate) fn count(mut block: &[u8]) -> usize {
    let mut n = 0usize;
    while !block.is_empty() {
        block = block.get(entry_len(block)..).unwrap_or_default();
        n = n.saturating_add(1);
    }
    n
}

/// Bytes of the extension at the start of `b`, at most all of them.
fn entry_len(b: &[u8]) -> usize {
    match b.first_chunk() {
        Some([_, _, x, y]) => HEADER_BYTES.saturating_add(usize::from(u16::from_be_bytes([*x, *y]))).min(b.len()),
        None => b.len(),
    }
}

fn read_one(content: &mut Reader<'_>, kind: ExtensionType, place: Place, out: &mut Extensions) {
    let result = match codec(kind) {
        Some(codec) if codec.may_stand_in(place) => {
            (codec.read)(content, place, out).and_then(|()| content.end("extension_data"))
        }
        found => {
            if found.is_some() {
                out.misplaced = out.misplaced.or(Some(kind));
            }
            opaque(content);
            return;
        }
    };
    if let Err(e) = result {
        content.undecoded(&e);
        malformed(out, kind, e);
    }
}

/// Content that is not looked into.
fn opaque(content: &mut Reader<'_>) {
    if !content.is_empty() {
        let b = content.remaining("content");
        content.meaning(|| bytes_text(b));
    }
}

fn malformed(out: &mut Extensions, kind: ExtensionType, e: DecodeError) {
    if out.malformed.len() < limits::MALFORMED_EXTENSIONS {
        out.malformed.push((kind, e));
    }
}

/// The types met so far: looked for in their list while it is short, then in a set of bits.
#[derive(Debug, Default)]
struct Seen {
    bits: Vec<u64>,
}

impl Seen {
    /// Adds a type behind `earlier`; true when it stands there already.
    fn add(&mut self, earlier: &[u16], kind: u16) -> bool {
        if earlier.len() < limits::TYPICAL_EXTENSIONS {
            return earlier.contains(&kind);
        }
        if self.bits.is_empty() {
            self.bits = vec![0; (1 << 16) / 64];
            for t in earlier {
                self.set(*t);
            }
        }
        self.set(kind)
    }

    /// Sets a bit; true when it was set.
    fn set(&mut self, kind: u16) -> bool {
        let mask = 1u64 << (kind & 63);
        match self.bits.get_mut(usize::from(kind >> 6)) {
            Some(word) => {
                let was = *word & mask != 0;
                *word |= mask;
                was
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
