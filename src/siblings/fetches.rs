//! Who asked about a certificate's status while a handshake waited: plain HTTP connections to the hosts that certificates name.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::facts::FlowFacts;
use crate::flow::{Endpoint, Mark};
use crate::limits;
use crate::span::{Role, Side};
use crate::tls::Start;
use crate::upgrade::Plain;
use crate::url;
use crate::x509::Certificate;

use super::lookups::Lookups;

/// The port of plain HTTP: status is asked for without TLS, which would need a certificate again.
const HTTP: u16 = 80;

/// What a certificate names a host for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It answers for the status of single certificates.
    Ocsp,
    /// It has lists of revoked ones.
    Crl,
}

/// A handshake in which the client had the server's certificate in clear and did not answer at once.
#[derive(Clone, Debug)]
struct Wait {
    flow: u64,
    client: IpAddr,
    server: Endpoint,
    from: Mark,
    asked: Mark,
    to: Mark,
    hosts: Vec<(Purpose, Box<str>)>,
}

/// How a connection to port 80 failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its SYN was answered with a RST.
    Refused,
    /// A router or host said that it is unreachable.
    Unreachable,
    /// Its SYN was not answered.
    Unanswered,
    /// It was opened and no byte came back.
    Silent,
}

/// A connection to port 80.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// Its flow.
    pub flow: u64,
    /// Its server.
    pub server: Endpoint,
    /// Its first packet.
    pub first: Mark,
    /// The first byte of the answer, else its last packet.
    pub end: Mark,
    /// Why there is no answer.
    pub failure: Option<Failure>,
    /// The status of the answer (RFC 9110, section 15); `None` where it is none of HTTP.
    pub status: Option<u16>,
}

/// A handshake that waited, and what the client did meanwhile.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    /// The flow of the handshake.
    pub flow: u64,
    /// Its client.
    pub client: IpAddr,
    /// Its server.
    pub server: Endpoint,
    /// The server's certificate.
    pub from: Mark,
    /// The end of the server's flight, from which on the handshake waits for the client; as `from` where it was not seen.
    pub asked: Mark,
    /// The client's answer.
    pub to: Mark,
    /// What the host was asked for.
    pub purpose: Purpose,
    /// The host as the certificate names it.
    pub host: &'a str,
    /// DNS said meanwhile that there is no such host.
    pub no_such_host: Option<Mark>,
    /// The connection that followed the look-up; `None` where none was seen. Of several one that had an answer: a host
    /// with two addresses is tried at both.
    pub fetch: Option<Fetch>,
}

/// Handshakes that waited, and connections to port 80, the latest of both.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    waits: VecDeque<Wait>,
    fetches: VecDeque<(IpAddr, Fetch)>,
    /// How many of both were dropped.
    pub(super) forgotten: u64,
}

impl Fetches {
    /// Takes in a connection, whatever it is.
    pub(super) fn add(&mut self, f: &FlowFacts) {
        let dropped = if let Some(w) = wait(f) {
            push(&mut self.waits, w)
        } else if let Some(fetch) = fetch(f) {
            push(&mut self.fetches, fetch)
        } else {
            false
        };
        self.forgotten = self.forgotten.saturating_add(u64::from(dropped));
    }

    /// Handshakes during which the client looked a host of the server's certificates up, or connected to its address.
    pub(super) fn checked<'a>(&'a self, lookups: &Lookups) -> Vec<Checked<'a>> {
        self.waits.iter().flat_map(|w| w.hosts.iter().filter_map(|(p, host)| self.one(w, *p, host, lookups))).collect()
    }

    fn one<'a>(&self, w: &Wait, purpose: Purpose, host: &'a str, lookups: &Lookups) -> Option<Checked<'a>> {
        let within = |m: Mark| (w.from.time..=w.to.time).contains(&m.time);
        let fetch = |since: Mark, ip: Option<IpAddr>| {
            let theirs = self.fetches.iter().filter(|(client, f)| {
                *client == w.client
                    && within(f.first)
                    && f.first.time >= since.time
                    && ip.is_none_or(|ip| ip == f.server.ip)
            });
            let is_refused = |f: &Fetch| f.status.is_some_and(|s| s >= 400);
            theirs.map(|(_, f)| *f).min_by_key(|f| (f.failure.is_some(), is_refused(f), f.first.time))
        };
        let checked = |no_such_host, fetch| Checked {
            flow: w.flow,
            client: w.client,
            server: w.server,
            from: w.from,
            asked: w.asked,
            to: w.to,
            purpose,
            host,
            no_such_host,
            fetch,
        };
        if let Ok(ip) = host.parse::<IpAddr>() {
            return fetch(w.from, Some(ip)).map(|f| checked(None, Some(f)));
        }
        let l = lookups.get(w.client, host.as_bytes())?;
        let asked = [l.asked.first, l.asked.last].into_iter().find(|m| within(*m))?;
        // Of two resolvers, or at another time, one that knows it.
        let gone = l.no_such_name.filter(|m| within(*m) && !l.found);
        Some(checked(gone, fetch(asked, None)))
    }
}

/// Adds one; true when another had to make room.
fn push<T>(list: &mut VecDeque<T>, value: T) -> bool {
    let full = list.len() >= limits::SIBLING_FETCHES;
    if full {
        list.pop_front();
    }
    list.push_back(value);
    full
}

/// The host of an http URL on the usual port, in lower case.
fn host(url: &str) -> Option<Box<str>> {
    let url = url::parse(url);
    let is_http = url.scheme.is_some_and(|s| s.eq_ignore_ascii_case("http")) && url.port.is_none_or(|p| p == "80");
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    let host = Some(url.host).filter(|h| is_http && !h.is_empty() && h.bytes().all(plain))?;
    Some(host.to_ascii_lowercase().into())
}

fn wait(f: &FlowFacts) -> Option<Wait> {
    let certs = f.of(Role::Server).certificates.as_ref()?;
    // Who gives up without a word has answered too.
    let to = f.client_answer().or(f.fin(Role::Client)).or(f.rst(Role::Client))?;
    if f.siblings.twin.is_some() || to.time <= certs.mark.time {
        return None;
    }
    let mut hosts: Vec<(Purpose, Box<str>)> = Vec::new();
    type Urls = fn(&Certificate) -> &[String];
    let kinds: [(Purpose, Urls); 2] = [(Purpose::Ocsp, |c| &c.ocsp_urls), (Purpose::Crl, |c| &c.crl_urls)];
    for (purpose, urls) in kinds {
        for host in certs.chain.iter().flat_map(|c| urls(c)).filter_map(|u| host(u)) {
            if hosts.len() < limits::SIBLING_LIST && !hosts.contains(&(purpose, host.clone())) {
                hosts.push((purpose, host));
            }
        }
    }
    let (client, server) = (f.end(Role::Client).ip, f.end(Role::Server));
    let from = certs.mark;
    let asked = f.server_hello_done.filter(|m| m.time > from.time).unwrap_or(from);
    (!hosts.is_empty()).then_some(Wait { flow: f.id, client, server, from, asked, to, hosts })
}

fn fetch(f: &FlowFacts) -> Option<(IpAddr, Fetch)> {
    let client = f.tcp.opener()?;
    let (side, server) = (client.other(), f.ends.of(client.other()));
    if server.port != HTTP || f.client_hello.is_some() {
        return None;
    }
    let answer = f.tcp.data[side];
    let status = match f.sides[side].start {
        Some((Start::Not(Plain::HttpResponse(status)), _)) if status > 0 => Some(status),
        _ => None,
    };
    let failure = if answer.is_some() { None } else { failure(f, client) };
    let fetch = Fetch { flow: f.id, server, first: f.first, end: answer.unwrap_or(f.last), failure, status };
    Some((f.ends.of(client).ip, fetch))
}

/// Nobody waits longer for a SYN to be answered without sending another one (RFC 6298, section 2).
const PATIENCE_US: u64 = 1_000_000;

/// Why no byte came back; `None` where it may be missing from the capture or still to come.
fn failure(f: &FlowFacts, client: Side) -> Option<Failure> {
    let server = client.other();
    if f.tcp.unreachable[client].is_some() {
        return Some(Failure::Unreachable);
    }
    if f.tcp.refused {
        return Some(Failure::Refused);
    }
    let syn = f.tcp.syn[client]?;
    let waited = f.last.time.us_since(f.first.time) >= PATIENCE_US;
    if f.tcp.syn_ack[server].is_none() {
        let unheard = f.tcp.packets[server] == 0 && f.tcp.data[client].is_none();
        return (unheard && syn.count > 1 && waited && !f.packets_lost).then_some(Failure::Unanswered);
    }
    let asked = f.tcp.data[client].is_some();
    let ended = f.tcp.fin.iter().chain(f.tcp.rst.iter()).any(Option::is_some);
    (asked && ended && !f.packets_lost && f.sides.iter().all(|s| s.gaps.is_empty())).then_some(Failure::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        for (url, expected) in [
            ("http://ocsp.example/", Some("ocsp.example")),
            ("HTTP://OCSP.Example", Some("ocsp.example")),
            ("http://192.0.2.7:80/a.crl?x", Some("192.0.2.7")),
            ("http://[2001:DB8::7]/a.crl", Some("2001:db8::7")),
            ("http://ocsp.example:8080/", None),
            ("https://ocsp.example/", None),
            ("ldap:///CN=x", None),
            ("http://", None),
            ("http://a\\u{1b}/", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
