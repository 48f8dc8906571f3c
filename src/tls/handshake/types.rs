//! What the handshake messages say, once decoded. Lists keep wire order and GREASE. A message that is damaged keeps what
//! was readable before the damage; the error says where it is.

use crate::reader::DecodeError;
use crate::span::Span;
use crate::tls::names::{ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme};

/// Any handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// RFC 5246, section 7.4.1.1.
    HelloRequest,
    /// RFC 8446, section 4.1.2.
    ClientHello(Box<ClientHello>),
    /// RFC 8446, section 4.1.3; also a HelloRetryRequest (see [`ServerHello::hello_retry`]).
    ServerHello(Box<ServerHello>),
    /// RFC 8446, section 4.6.1; RFC 5077.
    NewSessionTicket(NewSessionTicket),
    /// RFC 8446, section 4.3.1.
    EncryptedExtensions(Box<Extensions>),
    /// RFC 8446, section 4.4.2; RFC 5246, section 7.4.2.
    Certificate(CertificateMessage),
    /// RFC 5246, section 7.4.3.
    ServerKeyExchange(ServerKeyExchange),
    /// RFC 8446, section 4.3.2; RFC 5246, section 7.4.4.
    CertificateRequest(Box<CertificateRequest>),
    /// RFC 5246, section 7.4.5.
    ServerHelloDone,
    /// RFC 8446, section 4.4.3; RFC 5246, section 7.4.8. The scheme is absent before TLS 1.2; where the signature stands.
    CertificateVerify(Option<SignatureScheme>, Span),
    /// RFC 5246, section 7.4.7.
    ClientKeyExchange,
    /// RFC 8446, section 4.4.4; RFC 5246, section 7.4.9.
    Finished,
    /// RFC 6066, section 8: where in the message the OCSP response (DER) stands.
    CertificateStatus(Option<Span>),
    /// RFC 8446, section 4.6.3: `request_update`.
    KeyUpdate(u8),
    /// A message whose content matters to nobody here.
    Other(HandshakeType),
}

/// A decoded message and what was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedHandshake {
    /// What was readable.
    pub message: Handshake,
    /// The first thing that was not.
    pub error: Option<DecodeError>,
}

/// ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// `legacy_version`.
    pub legacy_version: u16,
    /// `random`.
    pub random: [u8; 32],
    /// `legacy_session_id`.
    pub session_id: Vec<u8>,
    /// `cipher_suites`.
    pub cipher_suites: Vec<u16>,
    /// `legacy_compression_methods`.
    pub compression_methods: Vec<u8>,
    /// The extensions; empty when there is no extension block.
    pub extensions: Extensions,
    /// Bytes of the message body.
    pub length: usize,
    /// It came in SSL 2.0's format (then `cipher_suites` are the three-byte specs that begin with 00, and the others
    /// stand in `ssl2_specs`).
    pub ssl2_format: bool,
    /// SSL 2.0 cipher kinds offered.
    pub ssl2_specs: Vec<u32>,
}

/// ServerHello or HelloRetryRequest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// `legacy_version`.
    pub legacy_version: u16,
    /// `random`.
    pub random: [u8; 32],
    /// `legacy_session_id_echo` (or the session's id, before TLS 1.3).
    pub session_id: Vec<u8>,
    /// `cipher_suite`.
    pub cipher_suite: u16,
    /// `legacy_compression_method`.
    pub compression_method: u8,
    /// The extensions.
    pub extensions: Extensions,
    /// It is a HelloRetryRequest: by its random (RFC 8446, section 4.1.3) or by message type 6 (drafts).
    pub hello_retry: bool,
    /// It came in SSL 2.0's format (then `cipher_suite` is 0: the client chooses from `ssl2_specs`).
    pub ssl2_format: bool,
    /// SSL 2.0 cipher kinds the server takes.
    pub ssl2_specs: Vec<u32>,
    /// SSL 2.0 has no Certificate message: where the certificate (DER) stands in this one.
    pub ssl2_certificate: Option<Span>,
}

impl ServerHello {
    /// The negotiated version: `supported_versions` where the ServerHello has it, else `legacy_version`.
    pub fn version(&self) -> ProtocolVersion {
        ProtocolVersion(self.extensions.supported_versions.first().copied().unwrap_or(self.legacy_version))
    }

    /// The downgrade sentinel in the last eight bytes of `random` (RFC 8446, section 4.1.3): the version it names.
    pub fn downgrade_sentinel(&self) -> Option<&'static str> {
        match self.random.last_chunk::<8>() {
            Some(b"DOWNGRD\x01") => Some("TLS 1.2"),
            Some(b"DOWNGRD\x00") => Some("TLS 1.1"),
            _ => None,
        }
    }
}

/// The extensions of one message, by wire order, and the contents that somebody needs. An extension that does not decode
/// stands in `types` and in `malformed`; the others are not lost with it. Of an extension sent twice the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Types in wire order.
    pub types: Vec<u16>,
    /// Extensions that did not decode, capped.
    pub malformed: Vec<(ExtensionType, DecodeError)>,
    /// An extension type that stands there twice (the first such).
    pub duplicate: Option<ExtensionType>,
    /// An extension that is known but may not stand in this message (the first such). Its content is not decoded.
    pub misplaced: Option<ExtensionType>,
    /// `server_name`: host names as sent (RFC 6066, section 3). `Some(empty)` when the list holds no host name; a server's
    /// empty acknowledgement is `Some(empty)` too.
    pub server_name: Option<Vec<Box<[u8]>>>,
    /// `application_layer_protocol_negotiation` (RFC 7301).
    pub alpn: Vec<Box<[u8]>>,
    /// `supported_versions`: the list of a ClientHello, the one of a ServerHello.
    pub supported_versions: Vec<u16>,
    /// `supported_groups`.
    pub groups: Vec<u16>,
    /// Groups of `key_share` entries; of a HelloRetryRequest the selected group.
    pub key_shares: Vec<u16>,
    /// What the public key of the last `key_share` entry (a server has one) is known again by.
    pub key_share: Option<Tail>,
    /// `ec_point_formats`.
    pub point_formats: Vec<u8>,
    /// `signature_algorithms`.
    pub signature_schemes: Vec<u16>,
    /// `certificate_authorities`: where each DER name stands in the message.
    pub certificate_authorities: Vec<Span>,
    /// `pre_shared_key`: number of identities offered, or the selected one.
    pub psk: Option<u16>,
    /// What the first identity offered is known again by, where it is a ticket: external keys have the age 0 (RFC 8446,
    /// section 4.2.11).
    pub psk_ticket: Option<Tail>,
    /// `psk_key_exchange_modes`.
    pub psk_modes: Vec<u8>,
    /// `session_ticket`: length of the ticket (0: empty, support only).
    pub session_ticket: Option<usize>,
    /// What that ticket is known again by.
    pub session_ticket_tail: Option<Tail>,
    /// `status_request` was there.
    pub status_request: bool,
    /// In a CertificateEntry: where the OCSP response stands.
    pub ocsp_response: Option<Span>,
    /// `extended_master_secret` was there.
    pub extended_master_secret: bool,
    /// `encrypt_then_mac` was there.
    pub encrypt_then_mac: bool,
    /// `renegotiation_info`: length of `renegotiated_connection` (0 in a first handshake).
    pub renegotiation_info: Option<usize>,
    /// `early_data` was there.
    pub early_data: bool,
    /// `cookie` length.
    pub cookie: Option<usize>,
    /// `encrypted_client_hello` was there (outer or inner form).
    pub encrypted_client_hello: bool,
    /// `config_id` of an outer `encrypted_client_hello` (RFC 9849, section 5).
    pub ech_config: Option<u8>,
    /// `record_size_limit` (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// `max_fragment_length` code (RFC 6066, section 4).
    pub max_fragment_length: Option<u8>,
    /// `heartbeat` mode (RFC 6520).
    pub heartbeat: Option<u8>,
    /// `post_handshake_auth` was there.
    pub post_handshake_auth: bool,
    /// `client_certificate_type` (RFC 7250): the list of a ClientHello, the one of a server.
    pub client_certificate_types: Vec<u8>,
    /// `server_certificate_type`, likewise.
    pub server_certificate_types: Vec<u8>,
    /// `compress_certificate` algorithms (RFC 8879).
    pub compress_certificate: Vec<u16>,
}

impl Extensions {
    /// True when an extension of that type is there.
    pub fn has(&self, t: ExtensionType) -> bool {
        self.types.contains(&t.0)
    }

    /// The first host name of `server_name`.
    pub fn host_name(&self) -> Option<&[u8]> {
        self.server_name.as_ref().and_then(|l| l.first()).map(AsRef::as_ref)
    }
}

/// The last sixteen bytes of a value that is random as a whole (a public key, a ticket, a session's id): enough to know it
/// again, and little to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tail(pub [u8; 16]);

impl Tail {
    /// Of a value; `None` for one so short that it may be a name or a counter.
    pub fn of(value: &[u8]) -> Option<Self> {
        value.last_chunk().copied().map(Self)
    }
}

/// NewSessionTicket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewSessionTicket {
    /// `ticket_lifetime` (or `ticket_lifetime_hint`) in seconds.
    pub lifetime: u32,
    /// Bytes of the ticket.
    pub ticket: usize,
    /// What it is known again by.
    pub tail: Option<Tail>,
}

/// Certificate: where each certificate (DER) stands in the message, leaf first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateMessage {
    /// The entries (capped by `limits::CHAIN_CERTIFICATES`).
    pub entries: Vec<Span>,
    /// Entries beyond the cap.
    pub omitted: usize,
    /// A raw public key (RFC 7250) instead of certificates (TLS 1.2): where its SubjectPublicKeyInfo stands.
    pub raw_public_key: Option<Span>,
    /// An OCSP response stapled to the leaf (TLS 1.3).
    pub ocsp_response: Option<Span>,
}

/// ServerKeyExchange (TLS 1.2 and before).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerKeyExchange {
    /// The named group of an ECDHE exchange.
    pub group: Option<NamedGroup>,
    /// Bits of the prime of a DHE exchange.
    pub dh_bits: Option<u32>,
    /// The curve is given by its parameters, not by name.
    pub explicit_curve: bool,
    /// Scheme of the signature (TLS 1.2).
    pub signature_scheme: Option<SignatureScheme>,
    /// Where the parameters that the server signs stand in the message, and the signature behind them.
    pub signed: Option<(Span, Span)>,
    /// What the server's public key of the exchange is known again by.
    pub public_key: Option<Tail>,
}

/// CertificateRequest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRequest {
    /// `certificate_types` (TLS 1.2 and before).
    pub types: Vec<u8>,
    /// `supported_signature_algorithms` or the extension `signature_algorithms`.
    pub signature_schemes: Vec<u16>,
    /// The acceptable CAs: where each DER name stands in the message (capped by `limits::CA_NAMES`).
    pub authorities: Vec<Span>,
    /// Names beyond the cap.
    pub omitted: usize,
}

/// What a decoder must know of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Negotiated version, once known.
    pub version: Option<ProtocolVersion>,
    /// Negotiated cipher suite, once known (the form of ServerKeyExchange depends on it).
    pub cipher_suite: Option<u16>,
}
