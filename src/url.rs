//! The parts of a URL that somebody is reached by (RFC 3986, section 3).

/// Scheme and authority of a URL, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// `http`; `None` where no `://` stands.
    pub scheme: Option<&'a str>,
    /// Host name or address, without the brackets of IPv6. May be empty.
    pub host: &'a str,
    /// What stands behind the host's colon.
    pub port: Option<&'a str>,
}

/// Never fails: what is no URL has odd parts.
pub fn parse(url: &str) -> Url<'_> {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(s, r)| (Some(s), r));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let end = authority.rsplit('@').next().unwrap_or_default();
    let (host, rest) = match end.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest),
        None => end.split_at(end.find(':').unwrap_or(end.len())),
    };
    Url { scheme, host, port: rest.strip_prefix(':') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (url, scheme, host, port) in [
            ("http://a.example/b?c#d", Some("http"), "a.example", None),
            ("HTTP://a.example:80?c", Some("HTTP"), "a.example", Some("80")),
            ("ldap://me:secret@a.example:389/o=x@y", Some("ldap"), "a.example", Some("389")),
            ("http://[2001:db8::1]:8080/", Some("http"), "2001:db8::1", Some("8080")),
            ("http://[2001:db8::1]#x", Some("http"), "2001:db8::1", None),
            ("a.example:8443/x", None, "a.example", Some("8443")),
            ("ldap:///CN=x", Some("ldap"), "", None),
            ("http://", Some("http"), "", None),
            ("http://[x", Some("http"), "[x", None),
            ("", None, "", None),
        ] {
            assert_eq!(parse(url), Url { scheme, host, port }, "{url}");
        }
    }
}
