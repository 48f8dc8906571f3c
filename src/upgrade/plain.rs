//! What a stream is that is not TLS, as far as its first bytes tell.

/// A protocol in clear, known by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// An HTTP/1 request line, or HTTP/2's connection preface (RFC 9112, RFC 9113).
    HttpRequest,
    /// A request to an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).
    Connect,
    /// An HTTP/1 status line, with its status (0: none that can be read).
    HttpResponse(u16),
    /// An HTTP/1 answer in plain text of a server that speaks TLS on this port and says so.
    HttpsWanted,
    /// HTTP/2 frames sent by a server (a SETTINGS frame first).
    Http2,
    /// SSH's identification string (RFC 4253, section 4.2).
    Ssh,
    /// SMTP, FTP, POP3 or IMAP greeting.
    MailGreeting,
    /// Greeting of another server that speaks first: MySQL, VNC, NATS.
    Greeting,
    /// The first command of a client of SMTP, LMTP, POP3, FTP or IMAP.
    MailCommand,
    /// PostgreSQL's request to go on with TLS.
    SslRequest,
    /// The PROXY protocol's header, version 1 or 2.
    ProxyHeader,
    /// A DTLS record (RFC 6347, section 4.1).
    Dtls,
    /// A QUIC packet with a long header (RFC 9000, section 17.2).
    Quic,
    /// Other text.
    Text,
    /// Other bytes.
    Binary,
}

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE ", b"PRI * HTTP/2"];

/// First commands of mail and FTP clients (RFC 5321, 2033, 1939, 2449, 2595, 4217).
const COMMANDS: [&[u8]; 7] = [b"EHLO ", b"HELO ", b"LHLO ", b"CAPA\r", b"STLS\r", b"AUTH TLS", b"STARTTLS"];

/// What an IMAP client says first, behind its tag (RFC 3501, section 6).
const TAGGED: [&[u8]; 3] = [b" CAPABILI", b" STARTTLS", b" LOGIN "];

/// PostgreSQL's SSLRequest: length and code ("SSL Session Encryption" in its protocol documentation).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The first twelve bytes of a PROXY header, version 2.
const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Longest PROXY header of version 1, with its line end.
const PROXY_1_BYTES: usize = 107;

/// What nginx, Go and Apache answer to plain HTTP on a port for HTTPS.
const HTTPS_WANTED: [&[u8]; 3] = [
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
];

/// Bytes of an answer that are searched for what it wants.
const ANSWER_BYTES: usize = 2048;

impl Plain {
    /// The same with what the first segment says behind its first bytes.
    pub fn in_view_of(self, segment: &[u8]) -> Self {
        let answer = segment.get(..ANSWER_BYTES).unwrap_or(segment);
        let says = |phrase: &&[u8]| answer.windows(phrase.len()).any(|w| w == *phrase);
        match self {
            Self::HttpResponse(400) if HTTPS_WANTED.iter().any(says) => Self::HttpsWanted,
            _ => self,
        }
    }

    /// From the first bytes of a stream.
    pub fn of(first: &[u8]) -> Self {
        let begins = |p: &[u8]| first.len() >= p.len() && first.starts_with(p);
        let word = first.iter().take(8).take_while(|b| b.is_ascii_alphanumeric()).count();
        let tagged = word > 0 && first.get(word..).is_some_and(|rest| TAGGED.iter().any(|t| rest.starts_with(t)));
        if METHODS.iter().any(|m| begins(m)) {
            Self::HttpRequest
        } else if begins(b"CONNECT ") {
            Self::Connect
        } else if begins(b"HTTP/") {
            Self::HttpResponse(status(first))
        } else if tagged || COMMANDS.iter().any(|c| begins(c)) {
            Self::MailCommand
        } else if begins(&SSL_REQUEST) {
            Self::SslRequest
        } else if begins(b"SSH-") {
            Self::Ssh
        } else if begins(b"PROXY ") || begins(PROXY_2) {
            Self::ProxyHeader
        } else if begins(b"220 ") || begins(b"220-") || begins(b"+OK") || begins(b"* OK") {
            Self::MailGreeting
        } else if matches!(first, [0, 0, len, 4, 0 | 1, 0, 0, 0, 0, ..] if len % 6 == 0) {
            Self::Http2
        } else if begins(b"RFB 00") || begins(b"INFO {") || matches!(first, [_, _, 0, 0, 10, b'1'..=b'9', ..]) {
            Self::Greeting
        } else if matches!(first, [20..=26, 0xfe, 0xfc | 0xfd | 0xff, ..]) {
            Self::Dtls
        } else if matches!(first, [0xc0..=0xff, 0, 0, 0, 1, ..] | [0xc0..=0xff, 0x6b, 0x33, 0x43, 0xcf, ..]) {
            Self::Quic
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
            Self::Connect => "a CONNECT request for an HTTP proxy",
            Self::HttpResponse(_) => "a plain HTTP response",
            Self::HttpsWanted => "a plain HTTP response that asks for HTTPS",
            Self::Http2 => "plain HTTP/2 frames",
            Self::Ssh => "an SSH banner",
            Self::MailGreeting => "a plain-text greeting (SMTP, FTP, POP3 or IMAP)",
            Self::Greeting => "a greeting of a server that speaks first (MySQL, VNC or NATS)",
            Self::MailCommand => "a plain-text command (SMTP, FTP, POP3 or IMAP)",
            Self::SslRequest => "PostgreSQL's SSLRequest",
            Self::Dtls => "a DTLS record",
            Self::Quic => "a QUIC packet",
            Self::ProxyHeader => "a PROXY protocol header",
            Self::Text => "plain text",
            Self::Binary => "bytes that are not TLS",
        }
    }
}

/// The three digits of a status line (RFC 9112, section 4); 0 when they are not there.
fn status(first: &[u8]) -> u16 {
    match first.iter().position(|b| *b == b' ').and_then(|at| first.get(at..)) {
        Some([_, a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..]) => {
            [a, b, c].iter().fold(0, |n: u16, d| n.saturating_mul(10).saturating_add(u16::from(d.saturating_sub(b'0'))))
        }
        _ => 0,
    }
}

/// Length of the PROXY header that a stream begins with ("The PROXY protocol", sections 2.1 and 2.2): TLS may follow it in
/// the same segment. `None` when there is none, or not all of it.
pub fn proxy_header_len(first: &[u8]) -> Option<usize> {
    if first.starts_with(PROXY_2) {
        let [hi, lo] = first.get(14..)?.first_chunk::<2>()?;
        return Some(usize::from(u16::from_be_bytes([*hi, *lo])).saturating_add(16)).filter(|n| *n <= first.len());
    }
    let line = first.get(..PROXY_1_BYTES.min(first.len())).filter(|l| l.starts_with(b"PROXY "))?;
    line.windows(2).position(|w| w == b"\r\n").map(|at| at.saturating_add(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        for (bytes, want) in [
            (&b"GET / HTTP/1.1\r\n"[..], Plain::HttpRequest),
            (b"CONNECT a:1 HTTP", Plain::Connect),
            (b"HTTP/1.1 400 Bad Request\r\n", Plain::HttpResponse(400)),
            (b"HTTP/1.0 ok", Plain::HttpResponse(0)),
            (b"EHLO client.exam", Plain::MailCommand),
            (b"A0001 CAPABILITY", Plain::MailCommand),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Plain::SslRequest),
            (b"\x4a\x00\x00\x00\x0a8.0.36", Plain::Greeting),
            (b"\x16\xfe\xff\x00\x00", Plain::Dtls),
            (b"\xc3\x00\x00\x00\x01\x08", Plain::Quic),
            (b"SSH-2.0-OpenSSH_9.2", Plain::Ssh),
            (b"220 mail.example ESMTP\r\n", Plain::MailGreeting),
            (b"GETTING", Plain::Text),
            (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00", Plain::Http2),
            (b"\x00\x01", Plain::Binary),
        ] {
            assert_eq!(Plain::of(bytes), want);
        }
    }

    /// Bodies as nginx 1.22 and Go's net/http send them.
    #[test]
    fn an_answer_may_ask_for_https() {
        let nginx = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title>";
        let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        for answer in [&nginx[..], go] {
            assert_eq!(Plain::of(answer).in_view_of(answer), Plain::HttpsWanted);
        }
        let other = b"HTTP/1.1 400 Bad Request\r\n\r\nno such field";
        assert_eq!(Plain::of(other).in_view_of(other), Plain::HttpResponse(400));
    }

    #[test]
    fn a_proxy_header_ends_where_it_says() {
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 443\r\n\x16\x03";
        assert_eq!(proxy_header_len(v1), Some(v1.len() - 2));
        assert_eq!(proxy_header_len(&v1[..20]), None);
        let mut v2 = [PROXY_2, &[0x21, 0x11, 0, 12], &[7; 12]].concat();
        assert_eq!(proxy_header_len(&v2), Some(28));
        v2.pop();
        assert_eq!(proxy_header_len(&v2), None);
        assert_eq!(proxy_header_len(b"GET / HTTP/1.1\r\n"), None);
    }
}
