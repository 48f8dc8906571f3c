//! Addresses and names taken out of a flow before anything is said of it: what rules and reports then say names others in
//! their place, the same for the same in all of a report.
//!
//! Changed are addresses (to documentation addresses; loopback stays), host names label by label (the last label, `*` and
//! `localhost` stay, so that a name which fits a certificate still does), the values of distinguished names (countries
//! stay, and the names of public certification authorities), e-mail addresses, URLs, serial numbers, key identifiers and
//! fingerprints of certificates. Names get another length, digits keep theirs. Ports, times, lengths of packets and messages,
//! versions, suites, randoms and session ids stay, and so do bytes that signatures are verified over, which no report
//! shows: with the capture at hand one can tell which flow was which.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::capture::SourceInfo;
use crate::diagnose::is_public_authority;
use crate::dns;
use crate::facts::FlowFacts;
use crate::flow::Endpoint;
use crate::limits;
use crate::span::Side;
use crate::text;
use crate::url;
use crate::x509::{Certificate, San, a_label, bad_a_label, to_unicode};

/// What has been renamed so far.
#[derive(Debug, Default)]
pub struct Names {
    addresses: HashMap<IpAddr, IpAddr>,
    labels: HashMap<String, usize>,
    values: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    certificates: HashMap<[u8; 32], Arc<Certificate>>,
}

/// The number of a text in the order in which they came.
fn number(known: &mut HashMap<String, usize>, text: &str) -> usize {
    if let Some(n) = known.get(text) {
        return *n;
    }
    let n = known.len().saturating_add(1);
    if n <= limits::RENAMED {
        known.insert(text.to_owned(), n);
    }
    n
}

impl Names {
    /// No further name is given: what comes is called alike.
    pub(crate) fn is_full(&self) -> bool {
        let most = [&self.labels, &self.values, &self.numbers].into_iter().map(HashMap::len).max().unwrap_or(0);
        most.max(self.addresses.len()) >= limits::RENAMED
    }

    /// Renames everything in what is known of a flow.
    pub fn redact(&mut self, f: &mut FlowFacts) {
        f.transcript = None;
        for end in [&mut f.ends.a, &mut f.ends.b] {
            *end = self.endpoint(*end);
        }
        for said in f.tcp.unreachable.iter_mut().chain(f.tcp.too_big.iter_mut()).flatten() {
            said.from = self.address(said.from);
        }
        for hello in [f.client_hello.as_deref_mut(), f.second_hello.as_deref_mut()].into_iter().flatten() {
            for name in hello.message.extensions.server_name.iter_mut().flatten() {
                *name = self.host(&String::from_utf8_lossy(name)).into_bytes().into();
            }
        }
        if let Some(r) = f.certificate_request.as_deref_mut() {
            r.authorities.iter_mut().for_each(|a| *a = self.distinguished(a));
            // Compared with issuers of certificates, which are renamed alike; never shown.
            r.authorities_raw = r.authorities.iter().map(|a| a.as_bytes().into()).collect();
        }
        for side in [Side::A, Side::B] {
            for c in f.sides[side].certificates.iter_mut().flat_map(|c| c.chain.iter_mut()) {
                *c = self.certificate(c);
            }
        }
        if let Some(o) = f.ocsp.as_deref_mut() {
            o.responder = o.responder.take().map(|r| match r.strip_prefix("key:") {
                Some(key) => format!("key:{}", self.hex(key)),
                None => self.distinguished(&r),
            });
            for s in &mut o.statuses {
                s.serial = self.serial(&s.serial);
                for digits in [&mut s.issuer_name_hash, &mut s.issuer_key_hash] {
                    *digits = self.hex(digits);
                }
            }
        }
    }

    /// Renames what is known of a name that was asked for, as in flows.
    pub(crate) fn redact_lookup(&mut self, ends: [IpAddr; 2], m: &mut dns::Message) -> [IpAddr; 2] {
        m.name = self.host(&String::from_utf8_lossy(&m.name)).into_bytes().into();
        ends.map(|ip| self.address(ip))
    }

    /// A server as a baseline knows it: `192.0.2.1:443 (name.example)`; anything else stays.
    pub(crate) fn server(&mut self, server: &str) -> String {
        let (end, name) = server.split_once(" (").unwrap_or((server, ""));
        let Ok(end) = end.parse::<SocketAddr>() else { return server.to_owned() };
        let end = self.endpoint(Endpoint { ip: end.ip(), port: end.port() });
        match name.strip_suffix(')') {
            Some(name) => format!("{end} ({})", self.host(name)),
            None => end.to_string(),
        }
    }

    fn endpoint(&mut self, e: Endpoint) -> Endpoint {
        Endpoint { ip: self.address(e.ip), port: e.port }
    }

    /// An address of the documentation ranges (RFC 5737, RFC 3849), then of that for benchmarks (RFC 2544).
    fn address(&mut self, ip: IpAddr) -> IpAddr {
        if ip.is_loopback() || ip.is_unspecified() {
            return ip;
        }
        if let Some(known) = self.addresses.get(&ip) {
            return *known;
        }
        let n = u32::try_from(self.addresses.len().min(limits::RENAMED)).unwrap_or(u32::MAX);
        let new = match ip {
            IpAddr::V4(_) => {
                let host = n.checked_rem(254).unwrap_or(0).saturating_add(1);
                let net = match n.checked_div(254) {
                    Some(0) => [192, 0, 2, 0],
                    Some(1) => [198, 51, 100, 0],
                    Some(2) => [203, 0, 113, 0],
                    _ => return self.keep(ip, Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() | n).into()),
                };
                Ipv4Addr::from_bits(Ipv4Addr::from(net).to_bits() | host).into()
            }
            IpAddr::V6(_) => {
                let base = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).to_bits();
                Ipv6Addr::from_bits(base | u128::from(n.saturating_add(1))).into()
            }
        };
        self.keep(ip, new)
    }

    fn keep(&mut self, ip: IpAddr, new: IpAddr) -> IpAddr {
        if self.addresses.len() < limits::RENAMED {
            self.addresses.insert(ip, new);
        }
        new
    }

    /// A host name label by label, or an address.
    fn host(&mut self, name: &str) -> String {
        if let Ok(ip) = name.parse::<IpAddr>() {
            return self.address(ip).to_string();
        }
        // A port stays: it does not belong there, which a rule says.
        if let Some((host, port)) = name.rsplit_once(':').filter(|(h, p)| !h.contains(':') && p.parse::<u16>().is_ok())
        {
            return format!("{}:{port}", self.host(host));
        }
        let labels: Vec<&str> = name.split('.').collect();
        let last = labels.len().saturating_sub(1);
        let new = labels.iter().enumerate().map(|(i, l)| match *l {
            "" | "*" => (*l).to_owned(),
            l if l.eq_ignore_ascii_case("localhost") => l.to_owned(),
            l if i == last && last > 0 && l.bytes().all(|b| b.is_ascii_alphabetic()) => l.to_owned(),
            // Names in other scripts stay such names, in both of their forms.
            l if bad_a_label(l).is_some() => format!("xn--name{}-", number(&mut self.labels, &l.to_ascii_lowercase())),
            l => {
                let text = to_unicode(l).unwrap_or_else(|| l.to_lowercase());
                let plain = format!("name{}", number(&mut self.labels, &text));
                let is_encoded = text.is_ascii() != l.is_ascii();
                if is_encoded { a_label(&plain, FOREIGN).unwrap_or(plain) } else { plain + &odd(l) }
            }
        });
        new.collect::<Vec<_>>().join(".")
    }

    /// What stands in a name of a certificate: a host name, an e-mail address, or any words.
    fn value(&mut self, v: &str) -> String {
        if v.is_empty() {
            return String::new();
        }
        if let Some((user, host)) = v.split_once('@') {
            return format!("user{}@{}", number(&mut self.values, user), self.host(host));
        }
        let like_host = v.contains('.') && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._*:".contains(&b));
        if like_host || self.labels.contains_key(&v.to_ascii_lowercase()) {
            return self.host(v);
        }
        format!("words {}", number(&mut self.values, v))
    }

    /// A distinguished name in the form of RFC 4514.
    fn distinguished(&mut self, dn: &str) -> String {
        if is_public_authority(dn) {
            return dn.to_owned();
        }
        let mut out = String::new();
        for (part, joint) in parts(dn) {
            match part.split_once('=') {
                Some(("C", country)) => out.push_str(&format!("C={country}")),
                Some((kind, value)) => out.push_str(&format!("{kind}={}", self.value(value))),
                None => out.push_str(&self.value(part)),
            }
            out.extend(joint);
        }
        out
    }

    /// As many other hexadecimal digits.
    fn hex(&mut self, digits: &str) -> String {
        let n = number(&mut self.numbers, digits);
        let new = text::hex(&Sha256::digest(n.to_be_bytes()));
        new.chars().cycle().take(digits.chars().count()).collect()
    }

    /// A serial number: its first byte stays, which says whether it is negative.
    fn serial(&mut self, digits: &str) -> String {
        match digits.split_at_checked(2) {
            Some((first, rest)) => format!("{first}{}", self.hex(rest)),
            None => digits.to_owned(),
        }
    }

    /// Scheme and host; where on it is nobody's business.
    fn url(&mut self, url: &str) -> String {
        let url = url::parse(url);
        let host = self.host(url.host);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("{}://{host}/", url.scheme.unwrap_or("http"))
    }

    fn san(&mut self, s: &San) -> San {
        match s {
            San::Dns(n) => San::Dns(self.host(n)),
            San::Ip(ip) => San::Ip(self.address(*ip)),
            San::BadIp(hex) => San::BadIp(self.hex(hex)),
            San::Email(e) => San::Email(self.value(e)),
            San::Uri(u) => San::Uri(self.url(u)),
            San::DirectoryName(d) => San::DirectoryName(self.distinguished(d)),
            San::RegisteredId(_) | San::Unknown(_) => s.clone(),
            San::Other { oid, value } => San::Other { oid: oid.clone(), value: value.as_ref().map(|v| self.value(v)) },
        }
    }

    fn certificate(&mut self, c: &Arc<Certificate>) -> Arc<Certificate> {
        if let Some(known) = self.certificates.get(&c.sha256) {
            return known.clone();
        }
        let mut new = Certificate { is_renamed: true, ..Certificate::clone(c) };
        let hash = self.hex(&text::hex(&c.sha256));
        new.sha256 = Sha256::digest(hash.as_bytes()).into();
        // The bytes stay as they were sent: signatures are verified over them, and nothing shows them.
        // The alternative names first: a common name without a dot is a host name when it stands there too.
        new.subject_alt_names.iter_mut().for_each(|s| *s = self.san(s));
        new.subject = self.distinguished(&c.subject);
        new.issuer = self.distinguished(&c.issuer);
        // Compared with each other only; names that were equal still are.
        new.subject_raw = raw(&c.subject_raw, &new.subject);
        new.issuer_raw = raw(&c.issuer_raw, &new.issuer);
        new.common_names.iter_mut().for_each(|n| *n = self.value(n));
        new.serial = self.serial(&c.serial);
        for id in [&mut new.authority_key_id, &mut new.subject_key_id] {
            *id = id.take().map(|id| self.hex(&id));
        }
        for urls in [&mut new.ocsp_urls, &mut new.crl_urls, &mut new.ca_issuer_urls] {
            urls.iter_mut().for_each(|u| *u = self.url(u));
        }
        new.problems.iter_mut().for_each(|p| *p = "something in it did not parse".to_owned());
        let new = Arc::new(new);
        if self.certificates.len() < limits::RENAMED {
            self.certificates.insert(c.sha256, new.clone());
        }
        new
    }
}

/// The letter that stands for those of other scripts.
const FOREIGN: char = 'é';

/// The `n`th input loses its path, also in what is said of it.
pub(crate) fn redact_source(info: &mut SourceInfo, n: usize) {
    let (path, new) = (text::escape(&info.path), format!("capture {n}"));
    for p in &mut info.problems {
        // The places where [`capture::Error`](crate::capture::Error) has it.
        for behind in [":", " failed"] {
            p.message = p.message.replace(&format!(" {path}{behind}"), &format!(" {new}{behind}"));
        }
    }
    info.path = new;
}

/// The characters of a label that no host name has: rules say so.
fn odd(label: &str) -> String {
    let odd = label.chars().filter(|c| !c.is_ascii_alphanumeric() && *c != '-');
    let (letters, others): (Vec<char>, Vec<char>) = odd.partition(|c| c.is_alphabetic());
    others.into_iter().take(4).chain(letters.first().map(|_| FOREIGN)).collect()
}

/// The new name as what is compared; empty stays empty, which means that there was none to compare.
fn raw(old: &[u8], new: &str) -> Box<[u8]> {
    if old.is_empty() { Box::default() } else { new.as_bytes().into() }
}

/// The parts between commas and pluses that are not escaped, each with what follows it.
fn parts(dn: &str) -> Vec<(&str, Option<char>)> {
    let mut out = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (i, c) in dn.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => {
                out.push((dn.get(from..i).unwrap_or_default(), Some(c)));
                from = i.saturating_add(1);
            }
            _ => {}
        }
    }
    out.push((dn.get(from..).unwrap_or_default(), None));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_gets_the_same_name() {
        let mut n = Names::default();
        assert_eq!(n.host("api.example.com"), "name1.name2.com");
        assert_eq!(n.host("*.Example.com"), "*.name2.com");
        assert_eq!(n.host("my_Example.com:443"), "name3_.com:443");
        assert_eq!(n.host("localhost"), "localhost");
        assert_eq!(n.host("10.0.0.1"), "192.0.2.1");
        assert_eq!(n.address([10, 0, 0, 2].into()).to_string(), "192.0.2.2");
        assert_eq!(n.address([10, 0, 0, 1].into()).to_string(), "192.0.2.1");
        assert_eq!(n.address([127, 0, 0, 1].into()).to_string(), "127.0.0.1");
        assert_eq!(n.address("fe80::1".parse().unwrap()).to_string(), "2001:db8::3");
        assert_eq!(
            n.distinguished("CN=api.example.com,O=Example\\, Inc.+OU=x,C=DE"),
            "CN=name1.name2.com,O=words 1+OU=words 2,C=DE"
        );
        assert_eq!(n.value("joe@example.com"), "user3@name2.com");
        assert_eq!(n.url("http://ocsp.example.com:80/a?b"), "http://name4.name2.com/");
        assert_eq!(n.url("http://[fe80::1]:80/"), "http://[2001:db8::3]/");
        assert_eq!(n.server("10.0.0.1:443 (API.example.com)"), "192.0.2.1:443 (name1.name2.com)");
        assert_eq!(n.server("[fe80::1]:443"), "[2001:db8::3]:443");
        assert_eq!(n.server("the whole capture"), "the whole capture");
        assert_eq!(n.hex("00ff").len(), 4);
        assert_eq!(n.hex("00ff"), n.hex("00ff"));
        assert_ne!(n.hex("00ff"), n.hex("00fe"));
    }

    #[test]
    fn too_many_are_called_alike_and_it_is_known() {
        let mut n = Names::default();
        for i in 0..limits::RENAMED {
            assert!(!n.is_full());
            n.address(Ipv4Addr::from_bits(0x0a00_0000 + i as u32).into());
        }
        let more = [0x0b00_0000, 0x0b00_0001].map(|bits| n.address(Ipv4Addr::from_bits(bits).into()));
        assert!(n.is_full() && more[0] == more[1], "{more:?}");
        let mut n = Names::default();
        (0..limits::RENAMED).for_each(|i| drop(n.host(&format!("a{i}"))));
        assert!(n.is_full());
    }

    #[test]
    fn addresses_do_not_run_out() {
        let mut n = Names::default();
        let mut seen = std::collections::HashSet::new();
        for i in 0..2000u32 {
            assert!(seen.insert(n.address(Ipv4Addr::from_bits(0x0a00_0000 + i).into())), "{i}");
        }
    }
}
