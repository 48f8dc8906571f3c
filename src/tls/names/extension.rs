//! Extensions of hello, certificate and ticket messages (IANA "TLS ExtensionType Values").
use super::{is_grease, registry};

registry! {
    /// Type of an extension.
    ExtensionType(u16), id "0x{:04x}", unknown "0x{:04x}", grease is_grease;
    0x0000 SERVER_NAME "server_name"
        "The host name the client wants to reach (SNI), so that one address can serve several certificates (RFC \
         6066). The server answers with an empty one when it used it.";
    0x0001 MAX_FRAGMENT_LENGTH "max_fragment_length"
        "The client asks for smaller records of at most 512 to 4096 bytes (RFC 6066); record_size_limit replaced \
         it.";
    0x0002 CLIENT_CERTIFICATE_URL "client_certificate_url"
        "The client may name a URL of its certificate in place of the certificate itself (RFC 6066).";
    0x0003 TRUSTED_CA_KEYS "trusted_ca_keys"
        "The client says which root certificates it has (RFC 6066); certificate_authorities replaced it.";
    0x0004 TRUNCATED_HMAC "truncated_hmac"
        "Shortens the record MAC to 10 bytes (RFC 6066). Considered unsafe.";
    0x0005 STATUS_REQUEST "status_request"
        "The client asks for a stapled OCSP answer on the server certificate (RFC 6066). In TLS 1.3 the answer is \
         in the Certificate message.";
    0x0006 USER_MAPPING "user_mapping"
        "Hints that map a client certificate to a user account (RFC 4681).";
    0x0007 CLIENT_AUTHZ "client_authz"
        "The client can send authorization data (RFC 5878).";
    0x0008 SERVER_AUTHZ "server_authz"
        "The server can send authorization data (RFC 5878).";
    0x0009 CERT_TYPE "cert_type"
        "OpenPGP keys in place of X.509 certificates (RFC 6091). Historic.";
    0x000a SUPPORTED_GROUPS "supported_groups"
        "The key-exchange groups (elliptic curves, finite fields, post-quantum hybrids) the client supports, best \
         first (RFC 8422, RFC 7919, RFC 9846).";
    0x000b EC_POINT_FORMATS "ec_point_formats"
        "The encodings of elliptic-curve points the sender can read (RFC 8422). Only the uncompressed one is \
         left.";
    0x000c SRP "srp"
        "The user name for the Secure Remote Password protocol (RFC 5054).";
    0x000d SIGNATURE_ALGORITHMS "signature_algorithms"
        "The signature schemes the sender accepts in CertificateVerify, ServerKeyExchange and, without \
         signature_algorithms_cert, in certificates (RFC 9846).";
    0x000e USE_SRTP "use_srtp"
        "Negotiates SRTP protection profiles, so that DTLS makes the keys for media (RFC 5764). Typical of \
         WebRTC.";
    0x000f HEARTBEAT "heartbeat"
        "The sender takes heartbeats and may be sent requests (RFC 6520). Known for Heartbleed.";
    0x0010 ALPN "application_layer_protocol_negotiation"
        "ALPN: the application protocols the client speaks, such as h2 and http/1.1, and the one the server chose \
         (RFC 7301).";
    0x0011 STATUS_REQUEST_V2 "status_request_v2"
        "The client asks for OCSP answers on the whole chain (RFC 6961). Deprecated.";
    0x0012 SIGNED_CERTIFICATE_TIMESTAMP "signed_certificate_timestamp"
        "Proof that the certificate is in Certificate Transparency logs (RFC 6962).";
    0x0013 CLIENT_CERTIFICATE_TYPE "client_certificate_type"
        "The kinds of client certificate that can be used, such as raw public keys (RFC 7250).";
    0x0014 SERVER_CERTIFICATE_TYPE "server_certificate_type"
        "The kinds of server certificate that can be used, such as raw public keys (RFC 7250).";
    0x0015 PADDING "padding"
        "Zeros that lengthen the ClientHello, to step around bugs of old servers (RFC 7685).";
    0x0016 ENCRYPT_THEN_MAC "encrypt_then_mac"
        "CBC suites compute the MAC over the ciphertext, which ends padding oracles (RFC 7366).";
    0x0017 EXTENDED_MAIN_SECRET "extended_main_secret"
        "Binds the session secret to the whole handshake (RFC 7627; known as extended_master_secret). Its absence \
         in TLS 1.2 permits triple-handshake attacks.";
    0x0018 TOKEN_BINDING "token_binding"
        "Binds web tokens to the connection (RFC 8472). Hardly used any more.";
    0x0019 CACHED_INFO "cached_info"
        "The client has parts of the server handshake, such as its chain, in a cache (RFC 7924).";
    0x001a TLS_LTS "tls_lts"
        "A profile of TLS 1.2 for long-term support (draft-gutmann-tls-lts).";
    0x001b COMPRESS_CERTIFICATE "compress_certificate"
        "The algorithms with which the sender can decompress a Certificate message (RFC 8879).";
    0x001c RECORD_SIZE_LIMIT "record_size_limit"
        "The largest record the sender is willing to receive (RFC 8449).";
    0x001d PWD_PROTECT "pwd_protect"
        "TLS-PWD: the user name, encrypted (RFC 8492).";
    0x001e PWD_CLEAR "pwd_clear"
        "TLS-PWD: the user name in the clear (RFC 8492).";
    0x001f PASSWORD_SALT "password_salt"
        "TLS-PWD: the salt of the stored password (RFC 8492).";
    0x0020 TICKET_PINNING "ticket_pinning"
        "Pins a server by a ticket it handed out (RFC 8672).";
    0x0021 TLS_CERT_WITH_EXTERN_PSK "tls_cert_with_extern_psk"
        "Authentication by certificate together with an external pre-shared key (RFC 8773).";
    0x0022 DELEGATED_CREDENTIAL "delegated_credential"
        "The client accepts delegated credentials: short-lived keys signed by the certificate (RFC 9345).";
    0x0023 SESSION_TICKET "session_ticket"
        "Session tickets: empty to ask for one, else the ticket to resume with (RFC 5077). TLS 1.2 and older.";
    0x0024 TLMSP "TLMSP"
        "Transport Layer Middlebox Security Protocol (ETSI TS 103 523-2).";
    0x0025 TLMSP_PROXYING "TLMSP_proxying"
        "Transport Layer Middlebox Security Protocol, proxying (ETSI TS 103 523-2).";
    0x0026 TLMSP_DELEGATE "TLMSP_delegate"
        "Transport Layer Middlebox Security Protocol, delegation (ETSI TS 103 523-2).";
    0x0027 SUPPORTED_EKT_CIPHERS "supported_ekt_ciphers"
        "The ciphers for encrypted key transport in SRTP conferences (RFC 8870).";
    0x0028 KEY_SHARE_DRAFT "key_share_draft"
        "The key_share extension under its first number, in drafts of TLS 1.3 up to 22. Reserved since.";
    0x0029 PRE_SHARED_KEY "pre_shared_key"
        "TLS 1.3: the identities and binders of the pre-shared keys or tickets the client would resume with, and \
         the one the server took (RFC 9846). Always last.";
    0x002a EARLY_DATA "early_data"
        "TLS 1.3: the client sends data in its first flight (0-RTT); the server says with it that it took them \
         (RFC 9846).";
    0x002b SUPPORTED_VERSIONS "supported_versions"
        "The protocol versions the client offers, and the one the server chose (RFC 9846). It, not the version \
         field, decides on TLS 1.3.";
    0x002c COOKIE "cookie"
        "A cookie from a HelloRetryRequest that the client must repeat (RFC 9846).";
    0x002d PSK_KEY_EXCHANGE_MODES "psk_key_exchange_modes"
        "How the client would use a pre-shared key: alone or with an ephemeral key exchange (RFC 9846).";
    0x002e TICKET_EARLY_DATA_INFO "ticket_early_data_info"
        "Maximum size of early data for a ticket, in drafts of TLS 1.3 up to 18. Reserved since.";
    0x002f CERTIFICATE_AUTHORITIES "certificate_authorities"
        "The names of the certification authorities whose certificates the sender accepts (RFC 9846).";
    0x0030 OID_FILTERS "oid_filters"
        "TLS 1.3: which certificate extensions a client certificate must have (RFC 9846).";
    0x0031 POST_HANDSHAKE_AUTH "post_handshake_auth"
        "TLS 1.3: the client can be asked for a certificate after the handshake (RFC 9846).";
    0x0032 SIGNATURE_ALGORITHMS_CERT "signature_algorithms_cert"
        "The signature schemes the sender accepts in certificates, where they differ from signature_algorithms \
         (RFC 9846).";
    0x0033 KEY_SHARE "key_share"
        "TLS 1.3: the ephemeral public keys of the client, one per group, and the share of the server; in a \
         HelloRetryRequest the group that is wanted (RFC 9846).";
    0x0034 TRANSPARENCY_INFO "transparency_info"
        "Certificate Transparency version 2 data (RFC 9162).";
    0x0035 CONNECTION_ID_DEPRECATED "connection_id (deprecated)"
        "The DTLS connection identifier under its first number, in drafts (RFC 9146).";
    0x0036 CONNECTION_ID "connection_id"
        "DTLS: the identifier the peer shall put into its records, so that a connection outlives a change of \
         address (RFC 9146).";
    0x0037 EXTERNAL_ID_HASH "external_id_hash"
        "Binds the handshake to an external identity, such as that of a WebRTC session (RFC 8844).";
    0x0038 EXTERNAL_SESSION_ID "external_session_id"
        "Binds the handshake to an external session description (RFC 8844).";
    0x0039 QUIC_TRANSPORT_PARAMETERS "quic_transport_parameters"
        "The transport parameters of QUIC, such as its timeouts and flow-control windows (RFC 9001).";
    0x003a TICKET_REQUEST "ticket_request"
        "TLS 1.3: how many session tickets the client would like (RFC 9149).";
    0x003b DNSSEC_CHAIN "dnssec_chain"
        "A DNSSEC-signed chain for DANE authentication of the server (RFC 9102).";
    0x003c SEQUENCE_NUMBER_ENCRYPTION_ALGORITHMS "sequence_number_encryption_algorithms"
        "DTLS 1.3: algorithms for the encryption of record sequence numbers \
         (draft-pismenny-tls-dtls-plaintext-sequence-number).";
    0x003d RRC "rrc"
        "DTLS: return routability check after a change of address (RFC 9853).";
    0x003e TLS_FLAGS "tls_flags"
        "TLS 1.3: a set of one-bit extensions in one (draft-ietf-tls-tlsflags).";
    0x3374 NEXT_PROTOCOL_NEGOTIATION "next_protocol_negotiation"
        "NPN: what the world had before ALPN; the client chose the protocol (draft-agl-tls-nextprotoneg). Not \
         registered.";
    0x4469 APPLICATION_SETTINGS "application_settings"
        "ALPS: settings of the application protocol, such as of HTTP/2, within the handshake \
         (draft-vvv-tls-alps). First number; not registered. Typical of Chrome.";
    0x44cd APPLICATION_SETTINGS_NEW "application_settings_new"
        "ALPS under its second number: settings of the application protocol within the handshake \
         (draft-vvv-tls-alps). Not registered. Typical of Chrome.";
    0x754f CHANNEL_ID_OLD "channel_id_old"
        "Channel ID under its first number: a key of the browser that identifies it to the server \
         (draft-balfanz-tls-channelid). Not registered.";
    0x7550 CHANNEL_ID "channel_id"
        "Channel ID: a key of the browser that identifies it to the server (draft-balfanz-tls-channelid). Not \
         registered.";
    0xca34 TRUST_ANCHORS "trust_anchors"
        "Short identifiers of the trust anchors the client has, so that the server can choose a chain \
         (draft-ietf-tls-trust-anchor-ids). Not registered.";
    0xfd00 ECH_OUTER_EXTENSIONS "ech_outer_extensions"
        "Within the encrypted inner ClientHello only: which extensions to copy from the outer one (RFC 9849).";
    0xfe0d ENCRYPTED_CLIENT_HELLO "encrypted_client_hello"
        "Encrypted Client Hello: the real ClientHello, server name included, encrypted for the server; or random \
         bytes that look like it (RFC 9849).";
    0xff01 RENEGOTIATION_INFO "renegotiation_info"
        "Secure renegotiation: ties a new handshake to the one before it; empty in the first (RFC 5746).";
    0xffa5 QUIC_TRANSPORT_PARAMETERS_DRAFT "quic_transport_parameters_draft"
        "The transport parameters of QUIC under the number of the drafts up to 32. Not registered.";
    0xffce ENCRYPTED_SERVER_NAME "encrypted_server_name"
        "ESNI: the server name, encrypted; forerunner of Encrypted Client Hello (draft-ietf-tls-esni up to 06). \
         Not registered.";
}

impl ExtensionType {
    /// The name that number 23 had before RFC 9846.
    pub const EXTENDED_MASTER_SECRET: Self = Self::EXTENDED_MAIN_SECRET;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        // Numbers that a well known decoder has confused: padding and encrypt_then_mac (RFC 7685, RFC 7366).
        assert_eq!(ExtensionType(21).to_string(), "padding");
        assert_eq!(ExtensionType(22).to_string(), "encrypt_then_mac");
        assert_eq!(ExtensionType(17513), ExtensionType::APPLICATION_SETTINGS);
        assert_eq!(ExtensionType(17613), ExtensionType::APPLICATION_SETTINGS_NEW);
        assert_eq!(ExtensionType(13172), ExtensionType::NEXT_PROTOCOL_NEGOTIATION);
        assert_eq!(ExtensionType(30032), ExtensionType::CHANNEL_ID);
        assert_eq!(ExtensionType(65281), ExtensionType::RENEGOTIATION_INFO);
        assert_eq!(ExtensionType(65037), ExtensionType::ENCRYPTED_CLIENT_HELLO);
        assert_eq!(ExtensionType(65445), ExtensionType::QUIC_TRANSPORT_PARAMETERS_DRAFT);
        assert_eq!(ExtensionType(65486), ExtensionType::ENCRYPTED_SERVER_NAME);
        assert_eq!(ExtensionType::ALPN.0, 16);
    }
}
