//! Does a flow meet a requirement? Each answers for one, and knows when it cannot.

use super::super::{Blame, Confidence, Hit, Policy, words};
use crate::expect::{Place, Requirements};
use crate::facts::{ClientCertificate, FlowFacts, Outcome, Seen, Why};
use crate::flow::Mark;
use crate::span::Role;
use crate::text::escape_bytes;
use crate::tls::Start;
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion};
use crate::upgrade::Plain;

/// The answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It does.
    Holds,
    /// It does not.
    Broken(Hit),
    /// The capture does not show it: why.
    Unknown(&'static str),
    /// There is nothing to judge: the handshake did not come so far, or the requirement is not about such a connection.
    Beside,
}

use Verdict::{Beside, Broken, Holds, Unknown};

/// The verdict, and where the requirement stands; `None` where there is none.
type Judged = Option<(Verdict, Place)>;

/// Who judges one requirement.
pub(super) struct Judge {
    /// Its key in the policy.
    pub(super) key: &'static str,
    /// It is required there.
    pub(super) required: fn(&Requirements) -> bool,
    pub(super) judge: fn(&FlowFacts, &Policy) -> Judged,
}

/// All of them.
pub(super) const JUDGES: &[Judge] = &[
    Judge { key: "plaintext", required: |r| r.plaintext == Some(false), judge: plaintext },
    Judge { key: "mutual_tls", required: |r| r.mutual_tls == Some(true), judge: mutual_tls },
    Judge { key: "min_version", required: |r| r.min_version.is_some(), judge: version },
    Judge { key: "cipher_suites", required: |r| r.cipher_suites.is_some(), judge: cipher_suite },
    Judge { key: "groups", required: |r| r.groups.is_some(), judge: group },
    Judge { key: "post_quantum", required: |r| r.post_quantum == Some(true), judge: post_quantum },
    Judge { key: "certificate_days", required: |r| r.certificate_days.is_some(), judge: certificate_days },
    Judge { key: "issuers", required: |r| r.issuers.is_some(), judge: issuer },
    Judge { key: "alpn", required: |r| r.alpn.is_some(), judge: alpn },
];

fn judged<'p, T>(
    f: &FlowFacts,
    p: &'p Policy,
    get: impl Fn(&'p Requirements) -> Option<T>,
    judge: impl FnOnce(T) -> Verdict,
) -> Judged {
    if p.expect.is_empty() {
        return None;
    }
    p.expect.of(f, get).map(|(required, place)| (judge(required), place))
}

/// The same for what is negotiated in TLS.
fn judged_tls<'p, T>(
    f: &FlowFacts,
    p: &'p Policy,
    get: impl Fn(&'p Requirements) -> Option<T>,
    judge: impl FnOnce(T) -> Verdict,
) -> Judged {
    judged(f, p, get, |required| if f.is_tls() { judge(required) } else { Beside })
}

pub(super) fn plaintext(f: &FlowFacts, p: &Policy) -> Judged {
    judged(
        f,
        p,
        |r| r.plaintext,
        |allowed| {
            if allowed {
                return Beside;
            }
            if f.is_tls() {
                return Holds;
            }
            let begins = |role| match f.of(role).start {
                // What a proxy puts in front says nothing of what follows.
                Some((Start::Not(kind), mark)) if f.of(role).saw_syn && kind != Plain::ProxyHeader => {
                    Some((kind, mark))
                }
                _ => None,
            };
            let (Some((kind, first)), Some((_, second))) = (begins(Role::Client), begins(Role::Server)) else {
                return if f.tcp.opened {
                    Beside
                } else {
                    Unknown("the beginning of the connection is not in the capture")
                };
            };
            let detail = format!(
                "Client and server ({}) exchange data without TLS from frames {} and {} on; the client begins with {}.",
                words::end(f.end(Role::Server)),
                first.frame,
                second.frame,
                kind.name(),
            );
            Broken(Hit::new(detail, "Use TLS on this port, or close it.").at(first).at(second))
        },
    )
}

pub(super) fn mutual_tls(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.mutual_tls,
        |required| {
            if !required {
                return Beside;
            }
            if f.resumed() == Some(true) {
                return Unknown(
                    "the session is resumed, so that the client proved itself in an earlier connection, if at all",
                );
            }
            let outcome = f.outcome();
            let auth = f.client_auth(outcome);
            let at = auth.mark.unwrap_or_else(|| hello(f));
            match (auth.certificate, outcome) {
                // A server that refuses an empty answer does what is required.
                (ClientCertificate::Empty, Outcome::Failed | Outcome::Rejected) if refused_by_server(f) => Holds,
                (_, Outcome::Failed | Outcome::Rejected) => Beside,
                (ClientCertificate::Unknown | ClientCertificate::Unanswered, _) => {
                    Unknown(f.blind(Role::Client).or(f.blind(Role::Server)).map_or(CLIENT_HIDDEN, reason))
                }
                (_, Outcome::Incomplete) => Unknown(reason(Why::NotYet)),
                (_, Outcome::Established) if auth.confidence == Confidence::Possible => Unknown(CLIENT_HIDDEN),
                (ClientCertificate::Sent, _) if auth.proven == Some(true) => Holds,
                (ClientCertificate::Sent, _) => {
                    Unknown("a client certificate was sent, and no proof of its key was seen")
                }
                (ClientCertificate::Empty, _) => {
                    accepted(f, auth.confidence, "asked for a client certificate, got an empty answer", at)
                }
                (ClientCertificate::NotAsked, _) if f.is_renegotiated() => {
                    Unknown("a second handshake within the connection, which is encrypted, may have asked for one")
                }
                (ClientCertificate::NotAsked, _) => {
                    accepted(f, auth.confidence, "did not ask for a client certificate", hello(f))
                }
            }
        },
    )
}

/// Why TLS 1.3 may not show it.
const CLIENT_HIDDEN: &str = "TLS 1.3 protects the client's certificate, and the sizes of its records do not decide it";

fn refused_by_server(f: &FlowFacts) -> bool {
    f.fatal_alert().is_some_and(|(role, ..)| role == Role::Server) || f.refused_after_client_flight().is_some()
}

/// The server went on without a client certificate.
fn accepted(f: &FlowFacts, sure: Confidence, what: &str, at: Mark) -> Verdict {
    let server = f.of(Role::Server);
    let detail = format!(
        "The server {} {what} (frame {}) and completed the handshake.",
        words::end(f.end(Role::Server)),
        at.frame
    );
    let hit = Hit::new(detail, "Make the server require and verify a client certificate.");
    let done = server.after_ccs.or(server.application_data);
    Broken(hit.blame(Blame::Server).sure(sure).at(at).at_any(f.server_hello_done).at_any(done))
}

pub(super) fn version(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.min_version,
        |least| {
            let Some(version) = f.version() else { return unfinished(f, Role::Server) };
            if version.rank() >= least.rank() {
                return Holds;
            }
            let offered = f
                .client_hello
                .as_ref()
                .map_or_else(String::new, |h| format!(" The client offered {}.", words::offered_versions(&h.message)));
            let detail = format!(
                "The ServerHello chose {}; the policy allows {} and later.{offered}",
                words::version(version),
                words::version(least)
            );
            let newest = f.highest_offered().and_then(ProtocolVersion::rank);
            let blame = if newest < least.rank() { Blame::Client } else { Blame::Server };
            Broken(
                Hit::new(
                    detail,
                    "Disable the old version on the server; a client that offers nothing newer needs an update.",
                )
                .blame(blame)
                .at(hello(f)),
            )
        },
    )
}

pub(super) fn cipher_suite(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.cipher_suites.as_deref(),
        |allowed: &[CipherSuite]| {
            let Some(suite) = f.cipher_suite() else { return unfinished(f, Role::Server) };
            if allowed.contains(&suite) {
                return Holds;
            }
            let names: Vec<String> = allowed.iter().map(|s| words::suite(*s)).collect();
            let detail =
                format!("The ServerHello chose {}; the policy allows {}.", words::suite(suite), words::list(&names));
            Broken(Hit::new(detail, "Remove the suite on the server.").blame(Blame::Server).at(hello(f)))
        },
    )
}

/// What a handshake used to agree on a key.
enum Exchange {
    Group(NamedGroup, Mark),
    /// A Diffie-Hellman group without a name: bits of its prime.
    Unnamed(usize, Mark),
    /// None: RSA, a bare pre-shared key, or a resumed session.
    Without,
    Unseen(Verdict),
}

fn exchange(f: &FlowFacts) -> Exchange {
    let key = f.server_key_exchange.as_ref().map(|(mark, k)| (*mark, k.dh_bits));
    match (f.group(), key) {
        (Some(g), Some((mark, _))) if !f.is_tls13() => Exchange::Group(g, mark),
        (Some(g), _) => Exchange::Group(g, hello(f)),
        (None, Some((mark, Some(bits)))) => Exchange::Unnamed(bits as usize, mark),
        _ if f.server_hello.is_none() => Exchange::Unseen(unfinished(f, Role::Server)),
        _ if f.is_tls13() || f.resumed() == Some(true) => Exchange::Without,
        _ if f.cipher_suite().and_then(CipherSuite::forward_secrecy) == Some(false) => Exchange::Without,
        _ => Exchange::Unseen(unfinished(f, Role::Server)),
    }
}

pub(super) fn group(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.groups.as_deref(),
        |allowed: &[NamedGroup]| {
            let (used, at) = match exchange(f) {
                Exchange::Group(g, _) if allowed.contains(&g) => return Holds,
                Exchange::Group(g, at) => (g.to_string(), at),
                Exchange::Unnamed(bits, at) => (format!("a Diffie-Hellman group of {bits} bits without a name"), at),
                Exchange::Without => return Beside,
                Exchange::Unseen(v) => return v,
            };
            let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            let detail = format!("The key exchange used {used}; the policy allows {}.", words::list(&names));
            Broken(Hit::new(detail, "Allow only these groups on the server.").blame(Blame::Server).at(at))
        },
    )
}

pub(super) fn post_quantum(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.post_quantum,
        |required| {
            if !required {
                return Beside;
            }
            let (used, at) = match exchange(f) {
                Exchange::Group(g, _) if g.is_post_quantum() => return Holds,
                Exchange::Group(g, at) => (g.to_string(), at),
                Exchange::Unnamed(bits, at) => (format!("a Diffie-Hellman group of {bits} bits"), at),
                // The secret of a resumed session was agreed on earlier.
                Exchange::Without if f.resumed() == Some(true) => return Beside,
                Exchange::Without => ("none that could be".to_owned(), hello(f)),
                Exchange::Unseen(v) => return v,
            };
            let offer = f.client_hello.as_ref().map(|h| &h.message.extensions.groups);
            let offered = offer.is_some_and(|g| g.iter().any(|g| NamedGroup(*g).is_post_quantum()));
            let (who, blame) = match (offer.is_some(), offered) {
                (true, true) => ("The client offered a post-quantum group; the server did not take it.", Blame::Server),
                (true, false) => ("The client offered no post-quantum group.", Blame::Client),
                (false, _) => ("", Blame::Either),
            };
            let detail = format!("The key exchange used {used}, which is not post-quantum. {who}");
            let hit = Hit::new(detail.trim_end(), "Use TLS 1.3 with X25519MLKEM768 on both sides.");
            Broken(hit.blame(blame).at_any(f.client_hello.as_ref().map(|h| h.mark)).at(at))
        },
    )
}

pub(super) fn certificate_days(f: &FlowFacts, p: &Policy) -> Judged {
    const DAY: i64 = 86_400;
    judged_tls(
        f,
        p,
        |r| r.certificate_days,
        |days| {
            let chain = match server_chain(f) {
                Ok(chain) => chain,
                Err(v) => return v,
            };
            let now = f.judged_at().secs();
            let least = now.saturating_add(days.saturating_mul(DAY));
            // A root that is sent along is not what clients judge: they have their own.
            let judged = chain.chain.iter().filter(|c| c.self_signed() != Some(true) || chain.chain.len() == 1);
            let Some((end, cert)) = judged.filter_map(|c| c.not_after.map(|end| (end, c))).min_by_key(|(end, _)| *end)
            else {
                return Unknown("the certificate's end could not be read");
            };
            if end >= least {
                return Holds;
            }
            let left = end.saturating_sub(now);
            let left = if left < 0 {
                "had ended before the connection took place".to_owned()
            } else {
                format!("was valid for {} more", words::count((left / DAY).unsigned_abs(), "day"))
            };
            let detail = format!(
                "The certificate {} ends on {}: at {} it {left}; the policy requires {}.",
                words::cert(cert),
                words::date(end),
                words::when(f),
                words::count(days.unsigned_abs(), "day"),
            );
            Broken(
                Hit::new(detail, "Renew the certificate and make the server load it.")
                    .blame(Blame::Server)
                    .at(chain.mark),
            )
        },
    )
}

pub(super) fn issuer(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.issuers.as_deref(),
        |allowed| {
            let chain = match server_chain(f) {
                Ok(chain) => chain,
                Err(v) => return v,
            };
            let Some(leaf) = chain.chain.first() else { return Beside };
            let issuer = leaf.issuer.as_str();
            // The Common Name stands first in most; a comma inside it is escaped and matched as it is written.
            let common_name = rdns(issuer).find_map(|rdn| rdn.strip_prefix("CN=")).unwrap_or_default();
            let matches = || allowed.iter().any(|p| p.matches(issuer) || p.matches(common_name));
            if f.ruling.as_ref().map_or_else(matches, |r| r.issuer_allowed) {
                return Holds;
            }
            let names: Vec<String> =
                allowed.iter().map(|p| format!("\"{}\"", crate::text::escape(&p.to_string()))).collect();
            let detail = format!(
                "The server's certificate is {}; the policy allows the issuers {}.",
                words::cert(leaf),
                words::list(&names)
            );
            Broken(
                Hit::new(detail, "Install a certificate of an allowed CA, or find the device that puts in its own.")
                    .blame(Blame::Server)
                    .at(chain.mark),
            )
        },
    )
}

/// The parts of a distinguished name (RFC 4514): a comma behind a backslash does not end one.
fn rdns(dn: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    dn.split(move |c| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
}

pub(super) fn alpn(f: &FlowFacts, p: &Policy) -> Judged {
    judged_tls(
        f,
        p,
        |r| r.alpn.as_deref(),
        |allowed: &[String]| {
            let is_allowed = |b: &[u8]| allowed.iter().any(|a| a.as_bytes() == b);
            let names: Vec<String> = allowed.iter().map(|a| format!("\"{}\"", crate::text::escape(a))).collect();
            let names = words::list(&names);
            let remedy = "Enable the protocol on both sides.";
            let Some(answer) = &f.server_hello else { return unfinished(f, Role::Server) };
            if let Some(selected) = answer.message.extensions.alpn.first() {
                if is_allowed(selected) {
                    return Holds;
                }
                let detail = format!("The server selected \"{}\"; the policy allows {names}.", escape_bytes(selected));
                return Broken(Hit::new(detail, remedy).blame(Blame::Server).at(answer.mark));
            }
            let Some(offer) = &f.client_hello else { return Unknown("the ClientHello is not in the capture") };
            let protocols = &offer.message.extensions.alpn;
            if !protocols.iter().any(|p| is_allowed(p)) {
                let detail = format!("The client offered {}; the policy allows {names}.", words::alpn(protocols));
                return Broken(Hit::new(detail, remedy).blame(Blame::Client).at(offer.mark));
            }
            if f.is_tls13() {
                return Unknown("TLS 1.3 protects the server's choice");
            }
            let detail = format!(
                "The client offered {}; the server selected none; the policy allows {names}.",
                words::alpn(protocols)
            );
            Broken(Hit::new(detail, remedy).blame(Blame::Server).at(answer.mark))
        },
    )
}

/// The server's certificates, or what to say without.
fn server_chain(f: &FlowFacts) -> Result<&crate::facts::ChainFact, Verdict> {
    match f.certificates(Role::Server) {
        Seen::Yes(c) => Ok(c),
        // A resumed session has none, and the full handshake before it is a flow of its own.
        _ if f.resumed() == Some(true) => Err(Beside),
        Seen::No => Err(Beside),
        Seen::Unknown(_)
            if !matches!(f.outcome(), Outcome::Established | Outcome::Incomplete) && f.server_hello.is_none() =>
        {
            Err(Beside)
        }
        Seen::Unknown(why) => Err(Unknown(reason(why))),
    }
}

/// What was asked about did not come: because the handshake had failed before, or because the capture lacks it.
fn unfinished(f: &FlowFacts, role: Role) -> Verdict {
    match f.blind(role).or(f.blind(role.other())) {
        Some(why) => Unknown(reason(why)),
        None if matches!(f.outcome(), Outcome::Failed | Outcome::Rejected) => Beside,
        None => Unknown(reason(Why::NotYet)),
    }
}

/// Frame of the ServerHello.
fn hello(f: &FlowFacts) -> Mark {
    f.server_hello.as_ref().map_or(f.first, |h| h.mark)
}

const fn reason(why: Why) -> &'static str {
    match why {
        Why::Encrypted => "TLS 1.3 protects it, and what it protects was not read",
        Why::Gap => "bytes of the handshake are missing in the capture",
        Why::Truncated => "the capture cut its packets short",
        Why::MidStream => "the capture begins inside this connection",
        Why::OneSided => "only one direction was captured",
        Why::NotYet => "the capture ends before the handshake had come so far",
        Why::Limit => "nothing more of it was read from some point on",
    }
}
