//! The hellos as a report shows them, and their fingerprints.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::facts::{FlowFacts, Placed};
use crate::text::escape_bytes;
use crate::tls::fingerprint::{self, HelloView};
use crate::tls::handshake;
use crate::tls::names::{
    CipherSuite, CompressionMethod, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme, Ssl2CipherKind,
};

use super::value::{Code, Codes, Hex};

/// The first ClientHello, as offered; lists keep wire order and GREASE.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ClientHello<'a> {
    /// Frame with which it was complete.
    pub frame: u64,
    /// The version field.
    pub legacy_version: Code<ProtocolVersion>,
    /// The extension `supported_versions`.
    pub versions: Codes<'a, u16, ProtocolVersion>,
    /// Cipher suites. SSL 2.0's own kinds have six digits.
    pub cipher_suites: Suites<'a>,
    /// Types of the extensions.
    pub extensions: Codes<'a, u16, ExtensionType>,
    /// The extension `supported_groups`.
    pub groups: Codes<'a, u16, NamedGroup>,
    /// Groups of the extension `key_share`.
    pub key_shares: Codes<'a, u16, NamedGroup>,
    /// The extension `signature_algorithms`.
    pub signature_schemes: Codes<'a, u16, SignatureScheme>,
    /// The server name that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Cow<'a, str>>,
    /// Protocols of the extension `application_layer_protocol_negotiation`.
    pub alpn: Texts<'a>,
    /// The session id, in hexadecimal.
    pub session_id: Hex<'a>,
    /// The random, in hexadecimal.
    pub random: Hex<'a>,
    /// Compression methods.
    pub compression_methods: Codes<'a, u8, CompressionMethod>,
    /// The extension `encrypted_client_hello` is there.
    pub encrypted_client_hello: bool,
    /// The extension `pre_shared_key` is there.
    pub psk_offered: bool,
    /// Bytes of the message's body.
    pub length: usize,
}

impl<'a> ClientHello<'a> {
    /// As a report shows it.
    pub fn new(h: &'a Placed<handshake::ClientHello>) -> Self {
        let m = &h.message;
        let e = &m.extensions;
        let only_ssl2 = m.ssl2_format && ProtocolVersion(m.legacy_version) == ProtocolVersion::SSL2;
        Self {
            frame: h.mark.frame.0,
            legacy_version: Code(ProtocolVersion(m.legacy_version)),
            versions: Codes::new(&e.supported_versions),
            cipher_suites: if only_ssl2 {
                Suites::Ssl2(Codes::new(&m.ssl2_specs))
            } else {
                Suites::Tls(Codes::new(&m.cipher_suites))
            },
            extensions: Codes::new(&e.types),
            groups: Codes::new(&e.groups),
            key_shares: Codes::new(&e.key_shares),
            signature_schemes: Codes::new(&e.signature_schemes),
            server_name: e.host_name().map(escape_bytes),
            alpn: Texts(&e.alpn),
            session_id: Hex(&m.session_id),
            random: Hex(&m.random),
            compression_methods: Codes::new(&m.compression_methods),
            encrypted_client_hello: e.encrypted_client_hello,
            psk_offered: e.psk.is_some(),
            length: m.length,
        }
    }
}

/// The first ServerHello; a HelloRetryRequest where no other was seen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerHello<'a> {
    /// Frame with which it was complete.
    pub frame: u64,
    /// The version field.
    pub legacy_version: Code<ProtocolVersion>,
    /// Types of the extensions.
    pub extensions: Codes<'a, u16, ExtensionType>,
    /// The session id, in hexadecimal.
    pub session_id: Hex<'a>,
    /// The random, in hexadecimal.
    pub random: Hex<'a>,
    /// Group of the extension `key_share`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_group: Option<Code<NamedGroup>>,
    /// `TLS 1.2` or `TLS 1.1`, where the random says that its sender knows better (RFC 8446, section 4.1.3).
    pub downgrade_sentinel: Option<&'static str>,
}

impl<'a> ServerHello<'a> {
    /// As a report shows it.
    pub fn new(h: &'a Placed<handshake::ServerHello>) -> Self {
        let m = &h.message;
        Self {
            frame: h.mark.frame.0,
            legacy_version: Code(ProtocolVersion(m.legacy_version)),
            extensions: Codes::new(&m.extensions.types),
            session_id: Hex(&m.session_id),
            random: Hex(&m.random),
            selected_group: m.extensions.key_shares.first().map(|g| Code(NamedGroup(*g))),
            downgrade_sentinel: m.downgrade_sentinel(),
        }
    }
}

/// Cipher suites, or cipher kinds of SSL 2.0.
#[derive(Clone, Copy, Debug)]
pub enum Suites<'a> {
    /// Suites of SSL 3.0 and later.
    Tls(Codes<'a, u16, CipherSuite>),
    /// Kinds of SSL 2.0.
    Ssl2(Codes<'a, u32, Ssl2CipherKind>),
}

impl Serialize for Suites<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tls(c) => c.serialize(s),
            Self::Ssl2(c) => c.serialize(s),
        }
    }
}

impl JsonSchema for Suites<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Suites".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(g: &mut SchemaGenerator) -> Schema {
        Codes::<u16, CipherSuite>::json_schema(g)
    }
}

/// Short texts from the wire, escaped.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a>(pub &'a [Box<[u8]>]);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(|b| escape_bytes(b)))
    }
}

impl JsonSchema for Texts<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(g: &mut SchemaGenerator) -> Schema {
        Vec::<String>::json_schema(g)
    }
}

/// Fingerprints of the hellos; one that its definition does not cover is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fingerprints {
    /// JA3 of the ClientHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3: Option<String>,
    /// JA3S of the ServerHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja3s: Option<String>,
    /// JA4 of the ClientHello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<String>,
}

impl Fingerprints {
    /// Of the first ClientHello and the first ServerHello; hellos in SSL 2.0's format have none.
    pub fn new(facts: &FlowFacts) -> Option<Self> {
        let client = facts.client_hello.as_ref().map(|h| &h.message).filter(|h| !h.ssl2_format);
        let server = facts.server_hello.as_ref().map(|h| &h.message).filter(|h| !h.ssl2_format);
        if client.is_none() && server.is_none() {
            return None;
        }
        let hello = client.map(|h| hello_view(h));
        Some(Self {
            ja3: hello.as_ref().map(|h| fingerprint::ja3(h).md5),
            ja3s: server.map(|h| fingerprint::ja3s(h.legacy_version, h.cipher_suite, &h.extensions.types).md5),
            ja4: hello.as_ref().and_then(fingerprint::ja4),
        })
    }
}

fn hello_view(h: &handshake::ClientHello) -> HelloView<'_> {
    let e = &h.extensions;
    HelloView {
        legacy_version: h.legacy_version,
        supported_versions: &e.supported_versions,
        cipher_suites: &h.cipher_suites,
        extensions: &e.types,
        groups: &e.groups,
        point_formats: &e.point_formats,
        signature_schemes: &e.signature_schemes,
        alpn_first: e.alpn.first().map(AsRef::as_ref),
        has_server_name: e.has(ExtensionType::SERVER_NAME),
        quic: false,
        dtls: ProtocolVersion(h.legacy_version).is_dtls(),
    }
}
