//! Record content types and handshake message types (IANA "TLS ContentType" and "TLS HandshakeType").
use super::{no_grease, registry};

registry! {
    /// Content type of a record.
    ContentType(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x14 CHANGE_CIPHER_SPEC "change_cipher_spec"
        "From here on the sender protects its records with the keys just negotiated. In TLS 1.3 it is an empty \
         gesture for middleboxes.";
    0x15 ALERT "alert"
        "An alert: the end of the connection or an error, with its reason.";
    0x16 HANDSHAKE "handshake"
        "A handshake message, or a part of one, or several.";
    0x17 APPLICATION_DATA "application_data"
        "Data of the application; in TLS 1.3 also every other encrypted record, whose real type is inside.";
    0x18 HEARTBEAT "heartbeat"
        "A heartbeat request or response (RFC 6520).";
    0x19 TLS12_CID "tls12_cid"
        "DTLS 1.2: an encrypted record that carries a connection identifier; its real type is inside (RFC 9146).";
    0x1a ACK "ACK"
        "DTLS 1.3: which handshake records have arrived (RFC 9147).";
}

registry! {
    /// Type of a handshake message. An unknown one is printed as `type_67`.
    HandshakeType(u8), id "0x{:02x}", unknown "type_{}", grease no_grease;
    0x00 HELLO_REQUEST "hello_request"
        "The server asks the client to start a new handshake within the connection (renegotiation). TLS 1.2 and \
         older.";
    0x01 CLIENT_HELLO "client_hello"
        "The client opens the handshake and offers its versions, cipher suites, groups, signature schemes and \
         extensions.";
    0x02 SERVER_HELLO "server_hello"
        "The server answers with the version, the cipher suite and the parameters it chose.";
    0x03 HELLO_VERIFY_REQUEST "hello_verify_request"
        "DTLS 1.2 and older: the server sends a cookie that the client must repeat, to prove that its address is \
         real.";
    0x04 NEW_SESSION_TICKET "new_session_ticket"
        "The server hands out a ticket with which the client can resume the session later (RFC 5077 and RFC \
         9846).";
    0x05 END_OF_EARLY_DATA "end_of_early_data"
        "TLS 1.3: the client has sent all of its early (0-RTT) data; what follows uses the handshake keys.";
    0x06 HELLO_RETRY_REQUEST "hello_retry_request"
        "The server wants another ClientHello, mostly with a key share for another group. A message of its own in \
         drafts of TLS 1.3 up to 21; since then a ServerHello with a special random.";
    0x08 ENCRYPTED_EXTENSIONS "encrypted_extensions"
        "TLS 1.3: the answers to the extensions of the ClientHello that need not be in the clear, such as ALPN.";
    0x09 REQUEST_CONNECTION_ID "request_connection_id"
        "DTLS 1.3: asks the peer for more connection identifiers (RFC 9147).";
    0x0a NEW_CONNECTION_ID "new_connection_id"
        "DTLS 1.3: gives the peer more connection identifiers (RFC 9147).";
    0x0b CERTIFICATE "certificate"
        "The certificate chain of the sender. A client that has none to show sends an empty list.";
    0x0c SERVER_KEY_EXCHANGE "server_key_exchange"
        "The ephemeral key of the server, signed unless the suite is anonymous. TLS 1.2 and older.";
    0x0d CERTIFICATE_REQUEST "certificate_request"
        "The server asks the client for a certificate and says which kinds and issuers it accepts.";
    0x0e SERVER_HELLO_DONE "server_hello_done"
        "The server has sent its first flight and waits for the client. TLS 1.2 and older.";
    0x0f CERTIFICATE_VERIFY "certificate_verify"
        "A signature over the handshake: proof that the sender holds the private key of its certificate.";
    0x10 CLIENT_KEY_EXCHANGE "client_key_exchange"
        "The share of the client in the key exchange: its ephemeral key, or the premaster secret encrypted for \
         the server. TLS 1.2 and older.";
    0x11 CLIENT_CERTIFICATE_REQUEST "client_certificate_request"
        "The client asks the server for another certificate with an exported authenticator (RFC 9261).";
    0x14 FINISHED "finished"
        "A check value over the whole handshake: the first message under the new keys, and proof that nobody \
         changed what was sent.";
    0x15 CERTIFICATE_URL "certificate_url"
        "The client names URLs of its certificates in place of the certificates (RFC 6066).";
    0x16 CERTIFICATE_STATUS "certificate_status"
        "The stapled OCSP answer of the server. TLS 1.2 and older; in TLS 1.3 it is an extension in Certificate.";
    0x17 SUPPLEMENTAL_DATA "supplemental_data"
        "Further data for authorization (RFC 4680).";
    0x18 KEY_UPDATE "key_update"
        "TLS 1.3: the sender changes its traffic keys, and may ask the peer to do the same.";
    0x19 COMPRESSED_CERTIFICATE "compressed_certificate"
        "A Certificate message that is compressed (RFC 8879).";
    0x1a EKT_KEY "ekt_key"
        "A key for encrypted key transport in SRTP conferences (RFC 8870).";
    0xfe MESSAGE_HASH "message_hash"
        "Never on the wire: stands for the first ClientHello in the transcript after a HelloRetryRequest.";
}

impl HandshakeType {
    /// The name in the protocol that is spoken: 9 and 10 have one in DTLS 1.3 only, anywhere else they are `type_9`
    /// and `type_10`.
    pub fn label(self, dtls13: bool) -> String {
        match self {
            Self::REQUEST_CONNECTION_ID | Self::NEW_CONNECTION_ID if !dtls13 => format!("type_{}", self.0),
            _ => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_id_messages_exist_in_dtls13_only() {
        assert_eq!(HandshakeType(9).label(false), "type_9");
        assert_eq!(HandshakeType(9).label(true), "request_connection_id");
        assert_eq!(HandshakeType(10).label(true), "new_connection_id");
        assert_eq!(HandshakeType(11).label(false), "certificate");
        assert_eq!(HandshakeType(7).label(true), "type_7");
        assert_eq!(HandshakeType(254).to_string(), "message_hash");
    }
}
