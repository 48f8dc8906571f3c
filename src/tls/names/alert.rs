//! Alerts: RFC 9846 (and RFC 8446), section 6, and the extensions that add some.
use super::{no_grease, registry};

registry! {
    /// Level of an alert. In TLS 1.3 it says nothing: all but close_notify and user_canceled are errors.
    AlertLevel(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x01 WARNING "warning"
        "The connection may go on, though the peer may close it. In TLS 1.3 the level means nothing.";
    0x02 FATAL "fatal"
        "The connection ends at once and its session must not be resumed.";
}

registry! {
    /// Description of an alert (IANA "TLS Alerts").
    AlertDescription(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x00 CLOSE_NOTIFY "close_notify"
        "The sender will send no more data on this connection: the orderly end, not an error. Either side sends \
         it; without it the peer cannot tell a cut connection from a finished one.";
    0x01 END_OF_EARLY_DATA "end_of_early_data"
        "The client has sent all of its early data. Only in drafts of TLS 1.3 up to 18; later a handshake message \
         took its place.";
    0x0a UNEXPECTED_MESSAGE "unexpected_message"
        "A message came that does not fit the state of the handshake. Seen with broken or mismatched \
         implementations, middleboxes that garble the stream, and plaintext sent where TLS is spoken.";
    0x14 BAD_RECORD_MAC "bad_record_mac"
        "A record failed its integrity check or could not be decrypted. The two sides have different keys \
         (damaged traffic, a bug, a middlebox), or a server could not skip early data; always fatal.";
    0x15 DECRYPTION_FAILED "decryption_failed"
        "A record decrypted to something malformed. Only TLS 1.0 and older sent it; it gives padding oracles \
         away, so bad_record_mac replaced it.";
    0x16 RECORD_OVERFLOW "record_overflow"
        "A record was longer than the protocol allows. Usually the peer read bytes that are no TLS record, or \
         ignored a negotiated record_size_limit.";
    0x1e DECOMPRESSION_FAILURE "decompression_failure"
        "Compressed data did not decompress to something acceptable. Only with TLS-level compression, which TLS \
         1.3 removed.";
    0x28 HANDSHAKE_FAILURE "handshake_failure"
        "No acceptable set of security parameters: mostly a server that shares no cipher suite, group or \
         signature scheme with the client, or (TLS 1.2 and older) that wanted a client certificate and got none.";
    0x29 NO_CERTIFICATE "no_certificate"
        "SSL 3.0 only: the client has no suitable certificate for the server that asked for one. TLS sends an \
         empty Certificate message instead.";
    0x2a BAD_CERTIFICATE "bad_certificate"
        "A certificate was corrupt or its signature did not verify. Some stacks send it for any certificate \
         problem, TLS 1.2 servers also when the client sent none.";
    0x2b UNSUPPORTED_CERTIFICATE "unsupported_certificate"
        "A certificate is of a kind the receiver cannot use: a key type, key usage or extended key usage that \
         does not fit, such as a server certificate used as a client.";
    0x2c CERTIFICATE_REVOKED "certificate_revoked"
        "A certificate was revoked by its issuer, by what a CRL or an OCSP answer says.";
    0x2d CERTIFICATE_EXPIRED "certificate_expired"
        "A certificate is outside its period of validity (expired, or not valid yet), or the clock of the side \
         that checks is wrong.";
    0x2e CERTIFICATE_UNKNOWN "certificate_unknown"
        "A certificate was refused for a reason that has no alert of its own, often a failed name check. Java and \
         browsers send it for most certificate errors.";
    0x2f ILLEGAL_PARAMETER "illegal_parameter"
        "A field in a handshake message was wrong or contradicted another field. Points to a bug in the peer or \
         to something that rewrites the handshake.";
    0x30 UNKNOWN_CA "unknown_ca"
        "The certificate chain leads to no trusted certification authority: a private or self-signed issuer, a \
         missing intermediate, or a trust store that lacks the root.";
    0x31 ACCESS_DENIED "access_denied"
        "The certificate was valid but access control refused to go on. A server sends it for a client whose \
         identity is not permitted.";
    0x32 DECODE_ERROR "decode_error"
        "A message could not be parsed: a field out of range or a wrong length. Points to a bug, an intolerant \
         server, or damaged data.";
    0x33 DECRYPT_ERROR "decrypt_error"
        "A cryptographic check of the handshake failed: a signature, a Finished value or a PSK binder. Often a \
         private key that does not belong to the certificate, or a handshake changed on its way.";
    0x34 TOO_MANY_CIDS_REQUESTED "too_many_cids_requested"
        "DTLS 1.3: the peer asked for more connection identifiers than this side will give (RFC 9147).";
    0x3c EXPORT_RESTRICTION "export_restriction"
        "A negotiation broke export rules, such as a key that was too long. Historic (TLS 1.0).";
    0x46 PROTOCOL_VERSION "protocol_version"
        "The peer offered no protocol version that this side supports: a server set to newer versions only, or a \
         client whose lowest version is too high for an old server.";
    0x47 INSUFFICIENT_SECURITY "insufficient_security"
        "The peer offers only cipher suites or parameters that this side holds too weak. Sent by a server in \
         place of handshake_failure when it is policy that refuses.";
    0x50 INTERNAL_ERROR "internal_error"
        "The sender failed for a reason that has nothing to do with the peer or the protocol, such as a missing \
         key file, a failed backend or no memory. Look at its own log.";
    0x56 INAPPROPRIATE_FALLBACK "inappropriate_fallback"
        "The client retried with a lower version and said so (TLS_FALLBACK_SCSV), and the server supports a \
         higher one: a needless fallback or a downgrade attack (RFC 7507).";
    0x5a USER_CANCELED "user_canceled"
        "The handshake was given up for a reason that is no protocol failure, such as a person who closed a \
         dialog. A close_notify follows.";
    0x64 NO_RENEGOTIATION "no_renegotiation"
        "This side does not want to renegotiate. Answer to a HelloRequest or to a ClientHello within a \
         connection, TLS 1.2 and older; normally a warning.";
    0x6d MISSING_EXTENSION "missing_extension"
        "A handshake message lacks an extension that it must carry, such as supported_groups or key_share for TLS \
         1.3.";
    0x6e UNSUPPORTED_EXTENSION "unsupported_extension"
        "A message carries an extension that must not be there: mostly a server that answered with one the client \
         had not offered.";
    0x6f CERTIFICATE_UNOBTAINABLE "certificate_unobtainable"
        "The server could not fetch the certificate from the URL that the client gave (client_certificate_url, \
         RFC 6066).";
    0x70 UNRECOGNIZED_NAME "unrecognized_name"
        "The server has no service for the host name the client asked for (server_name). As a warning, some \
         servers still go on with a default certificate.";
    0x71 BAD_CERTIFICATE_STATUS_RESPONSE "bad_certificate_status_response"
        "The stapled OCSP answer was missing, invalid or not acceptable to the client.";
    0x72 BAD_CERTIFICATE_HASH_VALUE "bad_certificate_hash_value"
        "A certificate that was fetched from a URL does not match the hash the client gave (RFC 6066).";
    0x73 UNKNOWN_PSK_IDENTITY "unknown_psk_identity"
        "The server does not know the identity of the pre-shared key, or will not say so by sending \
         decrypt_error.";
    0x74 CERTIFICATE_REQUIRED "certificate_required"
        "TLS 1.3: the server requires a client certificate and the client sent none. As it comes after the client \
         had finished, the client may have taken the connection for established.";
    0x75 GENERAL_ERROR "general_error"
        "An error that fits none of the other descriptions (RFC 9846).";
    0x78 NO_APPLICATION_PROTOCOL "no_application_protocol"
        "The client and the server share no application protocol in ALPN (RFC 7301).";
    0x79 ECH_REQUIRED "ech_required"
        "The server did not accept Encrypted Client Hello, and the client would have sent the inner hello only \
         (RFC 9849). Sent by the client, which then retries with the configurations it was given.";
}

impl AlertDescription {
    /// True for the two alerts that close a connection in order: `close_notify` and `user_canceled`.
    pub const fn is_closure(self) -> bool {
        matches!(self, Self::CLOSE_NOTIFY | Self::USER_CANCELED)
    }

    /// True for alerts about the peer's certificate, its absence included.
    pub const fn is_about_certificate(self) -> bool {
        matches!(self.0, 41..=46 | 48 | 111 | 113 | 114 | 116)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_told_apart() {
        assert!(AlertDescription::CLOSE_NOTIFY.is_closure());
        assert!(!AlertDescription::HANDSHAKE_FAILURE.is_closure());
        assert!(AlertDescription::UNKNOWN_CA.is_about_certificate());
        assert!(AlertDescription::CERTIFICATE_REQUIRED.is_about_certificate());
        assert!(!AlertDescription::ILLEGAL_PARAMETER.is_about_certificate());
        assert_eq!(AlertDescription(46).to_string(), "certificate_unknown");
        assert_eq!(AlertDescription(46).id(), "0x2e");
    }
}
