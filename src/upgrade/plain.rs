//! What a stream is that is not TLS, as far as its first bytes tell.

/// A protocol in clear, known by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// An HTTP/1 request line, or HTTP/2's connection preface (RFC 9112, RFC 9113).
    HttpRequest,
    /// An HTTP/1 status line.
    HttpResponse,
    /// HTTP/2 frames sent by a server (a SETTINGS frame first).
    Http2,
    /// SSH's identification string (RFC 4253, section 4.2).
    Ssh,
    /// SMTP, FTP, POP3 or IMAP greeting.
    MailGreeting,
    /// The PROXY protocol's header, version 1 or 2.
    ProxyHeader,
    /// Other text.
    Text,
    /// Other bytes.
    Binary,
}

const METHODS: [&[u8]; 10] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE ", b"PRI * HTTP/2"];

impl Plain {
    /// From the first bytes of a stream.
    pub fn of(first: &[u8]) -> Self {
        let begins = |p: &[u8]| first.len() >= p.len() && first.starts_with(p);
        if METHODS.iter().any(|m| begins(m)) {
            Self::HttpRequest
        } else if begins(b"HTTP/") {
            Self::HttpResponse
        } else if begins(b"SSH-") {
            Self::Ssh
        } else if begins(b"PROXY ") || begins(b"\r\n\r\n\0\r\nQUIT\n") {
            Self::ProxyHeader
        } else if begins(b"220 ") || begins(b"220-") || begins(b"+OK") || begins(b"* OK") {
            Self::MailGreeting
        } else if matches!(first, [0, 0, len, 4, 0 | 1, 0, 0, 0, 0, ..] if len % 6 == 0) {
            Self::Http2
        } else if first.iter().all(|b| matches!(b, 9 | 10 | 13 | 0x20..=0x7e)) {
            Self::Text
        } else {
            Self::Binary
        }
    }

    /// For a sentence: "sent {…}".
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpRequest => "a plain HTTP request",
            Self::HttpResponse => "a plain HTTP response",
            Self::Http2 => "plain HTTP/2 frames",
            Self::Ssh => "an SSH banner",
            Self::MailGreeting => "a plain-text greeting (SMTP, FTP, POP3 or IMAP)",
            Self::ProxyHeader => "a PROXY protocol header",
            Self::Text => "plain text",
            Self::Binary => "bytes that are not TLS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        for (bytes, want) in [
            (&b"GET / HTTP/1.1\r\n"[..], Plain::HttpRequest),
            (b"HTTP/1.1 400 Bad Request\r\n", Plain::HttpResponse),
            (b"SSH-2.0-OpenSSH_9.2", Plain::Ssh),
            (b"220 mail.example ESMTP\r\n", Plain::MailGreeting),
            (b"GETTING", Plain::Text),
            (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00", Plain::Http2),
            (b"\x00\x01", Plain::Binary),
        ] {
            assert_eq!(Plain::of(bytes), want);
        }
    }
}
