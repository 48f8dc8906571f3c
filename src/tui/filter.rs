//! The filter: what can be typed after `/`, and which flows it lets through.
//!
//! Words separated by spaces must all hold. A word matches anywhere in the row; `key:value` matches one column, `a,b`
//! means either; `/re/` is a regular expression; `!` in front negates; `"…"` keeps spaces and colons.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use regex::Regex;

use crate::diagnose::Severity;
use crate::facts::Outcome;
use crate::flow::Prefix;
use crate::span::Role;
use crate::tls::names::{AlertDescription, ProtocolVersion};

use super::row::{Mark, Mtls, Row, endpoint};

/// The keys, as the message about an unknown one and the help list them.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("name:", "server name (SNI)"),
    ("ip:", "address of either end; a prefix such as 10.0.0.0/8 too"),
    ("port:", "port of either end"),
    ("client:", "address of the client, with or without its port"),
    ("server:", "address of the server, with or without its port"),
    ("version:", "1.3, TLS 1.2, ssl …"),
    ("cipher:", "cipher suite"),
    ("mtls:", "yes (a client certificate was sent), asked, no"),
    ("finding:", "code of a finding, or a part of it; in quotes the whole code"),
    ("cert:", "subject, name or beginning of the SHA-256 of a certificate in clear"),
    ("alert:", "name or number of an alert"),
    ("is:", "failed, ok, incomplete, warning, error, resumed, tls"),
];

/// A filter that was understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    negated: bool,
    /// One of them must hold.
    any: Vec<Test>,
}

#[derive(Clone, Debug)]
enum Test {
    Anywhere(Text),
    Name(Text),
    Ip(Net),
    Port(u16),
    End(Role, Net, Option<u16>),
    Version(Text),
    Cipher(Text),
    Mtls(Want),
    Finding(Text),
    Code(String),
    Certificate(Text),
    Alert(Text),
    AlertNumber(u8),
    Is(State),
}

/// A text to look for, without regard to case.
#[derive(Clone, Debug)]
enum Text {
    Word(String),
    Regex(Box<Regex>),
}

#[derive(Clone, Debug)]
enum Net {
    Prefix(Prefix),
    Text(String),
}

#[derive(Clone, Copy, Debug)]
enum Want {
    Yes,
    No,
    Asked,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Failed,
    Ok,
    Incomplete,
    Rejected,
    Warning,
    Error,
    Resumed,
    Tls,
}

/// Scratch space for matching: one row's text is written into it.
#[derive(Debug, Default)]
pub(crate) struct Scratch(String);

impl Filter {
    /// Understands what was typed.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub(crate) fn parse(s: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for word in words(s)? {
            let (negated, body) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word.as_str()),
            };
            if body.is_empty() {
                return Err("a ! needs something behind it".into());
            }
            terms.push(Term { negated, any: term(body)? });
        }
        Ok(Self { terms })
    }

    /// Everything passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Does the row pass?
    pub(crate) fn matches(&self, row: &Row, scratch: &mut Scratch) -> bool {
        scratch.0.clear();
        self.terms.iter().all(|t| t.any.iter().any(|test| test.holds(row, &mut scratch.0)) != t.negated)
    }
}

/// Splits at spaces outside of quotes and regular expressions. A quoted word keeps its quotes in front, as a sign.
fn words(s: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut closing: Option<char> = None;
    let mut escaped = false;
    for c in s.chars() {
        if let Some(end) = closing {
            word.push(c);
            if c == end && !escaped {
                closing = None;
            }
            escaped = c == '\\' && !escaped && end == '/';
            continue;
        }
        match c {
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            '"' => closing = Some('"'),
            '/' if word.is_empty() || word == "!" || word.ends_with(':') => closing = Some('/'),
            _ => {}
        }
        word.push(c);
    }
    match closing {
        Some('/') => Err(format!("the regular expression {word} has no closing /")),
        Some(_) => Err("a quote is not closed".into()),
        None => {
            if !word.is_empty() {
                out.push(word);
            }
            Ok(out)
        }
    }
}

fn term(body: &str) -> Result<Vec<Test>, String> {
    let Some((key, value)) = body.split_once(':').filter(|(k, _)| is_key(k)) else {
        return Ok(vec![Test::Anywhere(text(body)?)]);
    };
    let key = key.to_ascii_lowercase();
    if !KEYS.iter().any(|(k, _)| k.trim_end_matches(':') == key) {
        let known: Vec<&str> = KEYS.iter().map(|(k, _)| k.trim_end_matches(':')).collect();
        return Err(format!("{key}: is unknown; known are {}; quote it to look for the text", known.join(" ")));
    }
    if value.is_empty() {
        return Err(format!("{key}: needs a value"));
    }
    let values: Vec<&str> = if value.starts_with(['/', '"']) { vec![value] } else { value.split(',').collect() };
    values.into_iter().filter(|v| !v.is_empty()).map(|v| test(&key, v)).collect()
}

/// `name` is a key; `10.0.0.1`, `fe80` and `C` are the beginning of an address or a path.
fn is_key(k: &str) -> bool {
    k.len() > 1 && k.chars().all(|c| c.is_ascii_alphabetic()) && !k.chars().all(|c| c.is_ascii_hexdigit())
}

fn test(key: &str, v: &str) -> Result<Test, String> {
    let lower = unquote(v).to_ascii_lowercase();
    Ok(match key {
        "name" => Test::Name(text(v)?),
        "ip" => Test::Ip(net(&lower)?),
        "port" => Test::Port(lower.parse().map_err(|_| format!("port:{lower} is no port (0 to 65535)"))?),
        "version" => Test::Version(match v.starts_with('/') {
            true => text(v)?,
            false => Text::Word(squeeze(&lower)),
        }),
        "cipher" => Test::Cipher(text(v)?),
        "mtls" => Test::Mtls(match lower.as_str() {
            "yes" | "mutual" => Want::Yes,
            "no" => Want::No,
            "asked" => Want::Asked,
            _ => return Err(format!("mtls:{lower} is unknown; there are yes, no and asked")),
        }),
        "client" => end(Role::Client, &lower)?,
        "server" => end(Role::Server, &lower)?,
        "cert" => Test::Certificate(text(v)?),
        "finding" if v.starts_with('"') => Test::Code(lower),
        "finding" => Test::Finding(text(v)?),
        "alert" => match lower.parse::<u8>() {
            Ok(n) => Test::AlertNumber(n),
            Err(_) => Test::Alert(match text(v)? {
                Text::Word(w) => Text::Word(w.replace(['-', ' '], "_")),
                re => re,
            }),
        },
        "is" => Test::Is(match lower.as_str() {
            "failed" => State::Failed,
            "ok" | "established" => State::Ok,
            "incomplete" => State::Incomplete,
            "rejected" => State::Rejected,
            "warning" => State::Warning,
            "error" => State::Error,
            "resumed" => State::Resumed,
            "tls" => State::Tls,
            _ => {
                let known = "failed, ok, incomplete, rejected, warning, error, resumed and tls";
                return Err(format!("is:{lower} is unknown; there are {known}"));
            }
        }),
        _ => return Err(format!("{key}: is unknown")),
    })
}

fn net(v: &str) -> Result<Net, String> {
    match v.parse() {
        Ok(prefix) => Ok(Net::Prefix(prefix)),
        Err(_) if v.contains('/') => Err(format!("ip:{v} is no address prefix such as 10.0.0.0/8")),
        Err(_) => Ok(Net::Text(v.to_owned())),
    }
}

/// An address, or an address with its port: `10.0.0.1:443`, `[2001:db8::1]:443`.
fn end(role: Role, v: &str) -> Result<Test, String> {
    if let Ok(a) = v.parse::<SocketAddr>() {
        return Ok(Test::End(role, net(&a.ip().to_string())?, Some(a.port())));
    }
    Ok(Test::End(role, net(v)?, None))
}

fn text(v: &str) -> Result<Text, String> {
    if let Some(re) = v.strip_prefix('/') {
        let re = re.strip_suffix('/').unwrap_or(re);
        let re = regex::RegexBuilder::new(re).case_insensitive(true).size_limit(1 << 20).build();
        return re.map(|r| Text::Regex(Box::new(r))).map_err(|e| {
            let e = e.to_string();
            // The last line says what; those before it draw the place.
            let why = e.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("the regular expression is wrong: {why}")
        });
    }
    Ok(Text::Word(unquote(v).to_ascii_lowercase()))
}

fn unquote(v: &str) -> String {
    v.replace('"', "")
}

/// `TLS 1.3`, `tls1.3` and `TLSv1.3` are the same.
fn squeeze(s: &str) -> String {
    s.chars().filter(|c| *c != ' ' && *c != 'v').collect()
}

impl Text {
    fn is_in(&self, s: &str) -> bool {
        match self {
            Self::Word(w) => contains_ignore_case(s, w),
            Self::Regex(r) => r.is_match(s),
        }
    }
}

/// `needle` is lower case (ASCII). By hand because it runs over every row with every key that is typed.
fn contains_ignore_case(hay: &str, needle: &str) -> bool {
    let (h, n) = (hay.as_bytes(), needle.as_bytes());
    let Some(low) = n.first() else { return true };
    let up = low.to_ascii_uppercase();
    let Some(starts) = h.len().checked_sub(n.len()).and_then(|last| h.get(..=last)) else { return false };
    let here = |at: usize| h.get(at..at.saturating_add(n.len())).is_some_and(|w| w.eq_ignore_ascii_case(n));
    starts.iter().enumerate().any(|(at, c)| (c == low || *c == up) && here(at))
}

/// Can the word be a part of an address and port?
fn like_address(w: &str) -> bool {
    w.bytes().all(|c| c.is_ascii_hexdigit() || matches!(c, b'.' | b':' | b'[' | b']'))
}

/// Is the word in any part of the row? The cheap parts first; addresses are made into text only for words that can be in
/// one.
fn is_anywhere(r: &Row, t: &Text, scratch: &mut String) -> bool {
    let Text::Word(w) = t else {
        if scratch.is_empty() {
            write_all(r, scratch);
        }
        return t.is_in(scratch);
    };
    let any = |s: &str| contains_ignore_case(s, w);
    if r.name.as_deref().is_some_and(any)
        || any(r.result())
        || any(r.outcome.name())
        || any(r.mtls.name())
        || r.alpn.as_deref().is_some_and(any)
        || r.version.is_some_and(|v| v.name().map_or_else(|| any(&v.to_string()), any))
        || r.cipher.is_some_and(|c| c.name().map_or_else(|| any(&c.to_string()), any))
        || r.findings.iter().any(|f| any(f.code) || any(&f.title))
        || r.alerts.iter().any(|a| a.name().map_or_else(|| any(&a.to_string()), any))
    {
        return true;
    }
    if !like_address(w) {
        return false;
    }
    scratch.clear();
    let _ = write!(scratch, "{}\n{}", endpoint(r.end(Role::Client)), endpoint(r.end(Role::Server)));
    let found = t.is_in(scratch);
    scratch.clear();
    found
}

impl Test {
    fn holds(&self, r: &Row, scratch: &mut String) -> bool {
        match self {
            Self::Anywhere(t) => is_anywhere(r, t, scratch),
            Self::Name(t) => r.name.as_ref().is_some_and(|n| t.is_in(n)),
            Self::Ip(net) => [r.ends.a.ip, r.ends.b.ip].into_iter().any(|ip| net.holds(ip)),
            Self::Port(p) => r.ends.a.port == *p || r.ends.b.port == *p,
            Self::Version(t) => match (r.version, t) {
                (None, _) => false,
                (Some(v), Text::Word(w)) => squeeze(&v.to_string().to_ascii_lowercase()).contains(w.as_str()),
                (Some(v), re) => re.is_in(&v.to_string()),
            },
            Self::Cipher(t) => r.cipher.is_some_and(|c| t.is_in(&c.to_string())),
            Self::Mtls(w) => match w {
                Want::Yes => matches!(r.mtls, Mtls::Mutual | Mtls::Sent),
                Want::No => r.mtls == Mtls::No,
                Want::Asked => matches!(r.mtls, Mtls::Asked | Mtls::Empty | Mtls::Mutual | Mtls::Sent),
            },
            Self::End(role, net, port) => {
                let e = r.end(*role);
                net.holds(e.ip) && port.is_none_or(|p| p == e.port)
            }
            Self::Code(c) => r.findings.iter().any(|f| f.code == c),
            Self::Certificate(t) => r.certificates.iter().any(|(_, c)| {
                let hash = |w: &str| w.len() >= 8 && crate::text::hex(&c.sha256).starts_with(w);
                t.is_in(&c.subject) || t.is_in(&c.names) || matches!(t, Text::Word(w) if hash(w))
            }),
            Self::Finding(t) => r.findings.iter().any(|f| t.is_in(f.code)),
            Self::Alert(t) => r.alerts.iter().any(|a| t.is_in(&a.to_string())),
            Self::AlertNumber(n) => r.alerts.contains(&AlertDescription(*n)),
            Self::Is(s) => match s {
                State::Failed => r.mark() == Mark::Failed,
                State::Ok => r.outcome == Outcome::Established,
                State::Incomplete => r.outcome == Outcome::Incomplete,
                State::Rejected => r.outcome == Outcome::Rejected,
                State::Warning => r.findings.iter().any(|f| f.severity == Severity::Warning),
                State::Error => r.findings.iter().any(|f| f.severity == Severity::Error),
                State::Resumed => r.resumed,
                State::Tls => r.is_tls,
            },
        }
    }
}

impl Net {
    fn holds(&self, ip: IpAddr) -> bool {
        match self {
            Self::Text(t) => ip.to_string().contains(t.as_str()),
            Self::Prefix(p) => p.holds(ip),
        }
    }
}

/// Everything a word is looked for in. Fields are kept apart by a character that nobody types.
fn write_all(r: &Row, out: &mut String) {
    let name = r.name.as_deref().unwrap_or("");
    let alpn = r.alpn.as_deref().unwrap_or("");
    let client = endpoint(r.end(Role::Client));
    let server = endpoint(r.end(Role::Server));
    let _ =
        write!(out, "{name}\n{client}\n{server}\n{alpn}\n{}\n{}\n{}\n", r.outcome.name(), r.result(), r.mtls.name());
    if let Some(v) = r.version {
        let _ = writeln!(out, "{v}");
    }
    if let Some(c) = r.cipher {
        let _ = writeln!(out, "{c}");
    }
    for f in &r.findings {
        let _ = writeln!(out, "{}\n{}", f.code, f.title);
    }
    for a in &r.alerts {
        let _ = writeln!(out, "{a}");
    }
}

/// The version in the list's column.
pub(crate) fn version_name(v: Option<ProtocolVersion>) -> String {
    v.map_or_else(|| "–".into(), |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Endpoints};
    use crate::span::{FrameNo, Side, Timestamp};
    use crate::tls::names::CipherSuite;

    fn row() -> Row {
        Row {
            id: 12,
            ends: Endpoints {
                a: Endpoint { ip: [10, 0, 0, 2].into(), port: 51234 },
                b: Endpoint { ip: [10, 1, 0, 1].into(), port: 8443 },
            },
            client: Side::A,
            first: FrameNo(1),
            last: FrameNo(9),
            siblings: Default::default(),
            time: Timestamp(0),
            duration_us: 10,
            name: Some("Api.Example.org".into()),
            version: Some(ProtocolVersion::TLS12),
            cipher: Some(CipherSuite(0xc02f)),
            alpn: Some("h2".into()),
            outcome: Outcome::Failed,
            cause: Some("client-cert-missing"),
            mtls: Mtls::Empty,
            resumed: false,
            is_tls: true,
            note: "",
            alerts: [AlertDescription(40)].into_iter().collect(),
            findings: Box::new([]),
            certificates: Box::new([]),
            hello: None,
            is_open: false,
        }
    }

    fn holds(f: &str) -> bool {
        Filter::parse(f).unwrap().matches(&row(), &mut Scratch::default())
    }

    #[test]
    fn words_match_anywhere() {
        for yes in [
            "",
            "api",
            "EXAMPLE",
            "10.0.0.2",
            "51234",
            "failed",
            "client-cert",
            "ecdhe",
            "h2",
            "api 8443",
            "handshake_failure",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in ["nothing", "api nothing", "!api", "!api api"] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn keys_match_their_column() {
        for yes in [
            "name:api",
            "!name:nope",
            "ip:10.0.0.2",
            "ip:10.0.0.0/8",
            "ip:10.1",
            "port:8443",
            "port:1,8443",
            "version:1.2",
            "version:tls1.2",
            "version:TLSv1.2",
            "version:1.3,1.2",
            "cipher:aes_128",
            "client:10.0.0.2",
            "client:10.0.0.2:51234",
            "server:10.1.0.0/16",
            "server:10.1.0.1:8443",
            "mtls:asked",
            "alert:40",
            "alert:handshake-failure",
            "is:failed",
            "!is:ok",
            "name:/^api\\./",
            "/exam.le/",
            "is:failed name:api !mtls:yes",
            "\"api.example\"",
            "10.1.0.1:8443",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "name:8443",
            "ip:192.0.2.1",
            "ip:10.2.0.0/16",
            "port:443",
            "version:1.3",
            "mtls:yes",
            "mtls:no",
            "alert:41",
            "client:10.1.0.1",
            "server:10.1.0.1:443",
            "cert:anything",
            "finding:\"client-cert\"",
            "is:ok",
            "ip:::1/0",
        ] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (wrong, says) in [
            ("nam:x", "nam: is unknown; known are name ip"),
            ("port:http", "port:http is no port"),
            ("mtls:maybe", "there are yes, no and asked"),
            ("is:broken", "is:broken is unknown"),
            ("/(/", "the regular expression is wrong: unclosed group"),
            ("/abc", "has no closing /"),
            ("name:", "name: needs a value"),
            ("!", "needs something behind it"),
            ("\"x", "a quote is not closed"),
            ("ip:10.0.0.0/33", "is no address prefix"),
        ] {
            let e = Filter::parse(wrong).unwrap_err();
            assert!(e.contains(says), "{wrong}: {e}");
        }
    }

    #[test]
    fn addresses_are_words_not_keys() {
        for a in ["fe80::1", "10.0.0.1:443", "::1", "cafe:1"] {
            assert!(Filter::parse(a).is_ok(), "{a}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(s in "\\PC{0,40}") {
            if let Ok(f) = Filter::parse(&s) {
                f.matches(&row(), &mut Scratch::default());
            }
        }
    }
}
