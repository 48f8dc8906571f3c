//! Service meshes: identities in certificates (SPIFFE), and peers without the sidecar that the other expects.

use std::sync::Arc;

use super::differences::flow;
use super::refusal::{Fault, Stage, how_it_ended, judged, of_client, of_server, refusal, stage};
use super::wrong_protocol::plain_client;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Outcome};
use crate::siblings::is_of_mesh;
use crate::span::Role;
use crate::text;
use crate::tls::Start;
use crate::tls::names::AlertDescription;
use crate::upgrade::Plain;
use crate::x509::{Certificate, San};

const SHOW: &str = "  openssl x509 -in svid.pem -noout -ext subjectAltName,keyUsage";

/// Bytes that a SPIFFE ID and the trust domain in it may have (SPIFFE-ID, sections 2.3 and 2.1).
const LONGEST_ID: usize = 2048;
/// See above.
const LONGEST_DOMAIN: usize = 255;

pub(super) const RULES: &[Rule] = &[
    new(
        "spiffe-id-invalid",
        Severity::Error,
        57,
        "A certificate has a SPIFFE ID that is none by the standard",
        page(
            "A certificate that was shown has a URI with the scheme spiffe, and it breaks the rules: more than one URI, no trust domain or one with other characters than a-z 0-9 . - _, a port, user, query or fragment, an empty or dotted path segment, no path at all, or more than 2048 bytes.",
            "Validators (go-spiffe, SPIRE, Envoy's SPIFFE validator, Istio) refuse the certificate whatever else is good about it. Mostly a template puts a name with capitals, a double slash or a trailing slash into it.",
            "Certain as to the ID, read in clear. It is the cause only when the peer refused.",
            "Issue the certificate with exactly one URI spiffe://TRUST-DOMAIN/PATH: SPIRE entries (spire-server entry create -spiffeID), cert-manager csi-driver-spiffe, Vault PKI allowed_uri_sans.",
            SHOW,
            "SPIFFE-ID, section 2; X509-SVID, section 2",
        ),
        id_invalid,
    ),
    new(
        "spiffe-trust-domain-mismatch",
        Severity::Error,
        56,
        "The peers belong to different SPIFFE trust domains",
        page(
            "Both certificates have a SPIFFE ID, their trust domains differ, and one peer refused the other.",
            "Each trust domain has its own roots: without federation a workload of another one is not trusted. Mostly two clusters or meshes of which one still has the default (cluster.local, td1).",
            "Likely: the IDs are read in clear, that they are the reason is inferred from the refusal.",
            "Give both meshes one trust domain (Istio meshConfig.trustDomain, trustDomainAliases; SPIRE trust_domain), or federate them (SPIRE federates_with, Istio caCertificates).",
            SHOW,
            "SPIFFE Trust Domain and Bundle, section 3; SPIFFE Federation",
        ),
        domains_differ,
    ),
    new(
        "mesh-alpn-missing",
        Severity::Error,
        0,
        "The client's sidecar expects a mesh, the server shows none",
        page(
            "The ClientHello offers Istio's own application protocols (istio, istio-peer-exchange …), and the server answers with something that is not TLS, refuses all offered protocols or, before TLS 1.3, chooses none of them.",
            "The client's proxy is told to use mutual TLS of the mesh (DestinationRule ISTIO_MUTUAL, or auto mTLS with stale endpoints), and the server's pod has no sidecar, excludes this port, or is no part of the mesh.",
            "What was offered and answered is read in clear; that no sidecar is there is likely. In TLS 1.3 the choice is encrypted, and nothing is said of it.",
            "Inject the sidecar on the server's side (kubectl label namespace NS istio-injection=enabled, then restart), look for traffic.sidecar.istio.io/excludeInboundPorts, or set the DestinationRule's tls mode to DISABLE or SIMPLE for this host.",
            "  istioctl x describe pod POD; istioctl proxy-config cluster POD --fqdn SERVICE -o yaml",
            "RFC 7301, section 3.2; Istio, mutual TLS migration",
        ),
        no_sidecar,
    ),
    new(
        "linkerd-identity-missing",
        Severity::Error,
        0,
        "The client's Linkerd proxy calls an identity, the server shows none",
        page(
            "The server name in the ClientHello is a Linkerd identity (….serviceaccount.identity.linkerd.…), and the server answers with something that is not TLS, or closes without a ServerHello.",
            "The destination is taken for meshed and has no proxy (any more), skips this port (config.linkerd.io/skip-inbound-ports), or its proxy has not got its identity yet.",
            "What was asked and answered is read in clear; the reason is likely.",
            "Look whether the pod has a ready linkerd-proxy and an identity; inject it anew (linkerd inject), or declare the port opaque or skipped on both sides.",
            "  linkerd check --proxy -n NS; linkerd identity POD -n NS",
            "Linkerd, automatic mTLS; RFC 6066, section 3",
        ),
        no_identity,
    ),
];

fn chain(f: &FlowFacts, role: Role) -> Option<&[Arc<Certificate>]> {
    f.of(role).certificates.as_ref().map(|c| c.chain.as_slice())
}

/// The leaf of a role and its URIs with the scheme of SPIFFE.
fn ids(f: &FlowFacts, role: Role) -> Option<(&Certificate, Vec<&str>)> {
    let c = chain(f, role)?.first()?;
    let ids: Vec<&str> = c
        .subject_alt_names
        .iter()
        .filter_map(|n| match n {
            San::Uri(u) if scheme_is_spiffe(u) => Some(u.as_str()),
            _ => None,
        })
        .collect();
    (!ids.is_empty()).then_some((c, ids))
}

fn scheme_is_spiffe(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// Trust domain and path.
fn parts(id: &str) -> (&str, &str) {
    let rest = id.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

/// What is wrong with a leaf's SPIFFE ID.
fn fault(id: &str) -> Option<&'static str> {
    let (domain, path) = parts(id);
    let of_domain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_');
    let of_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut segments = path.split('/').skip(1);
    Some(match () {
        () if id.len() > LONGEST_ID => "it has more than 2048 bytes",
        () if domain.is_empty() => "it names no trust domain",
        () if domain.len() > LONGEST_DOMAIN => "its trust domain has more than 255 bytes",
        () if domain.contains(['@', ':']) => "its trust domain has a user or a port",
        () if id.contains(['?', '#']) => "it has a query or a fragment",
        () if !domain.chars().all(of_domain) => "its trust domain has characters other than a-z, 0-9, '.', '-' and '_'",
        () if path.is_empty() || path == "/" => "it has no path, which only an authority's may lack",
        () if segments.clone().any(str::is_empty) => "a segment of its path is empty",
        () if segments.clone().any(|s| s == "." || s == "..") => "a segment of its path is . or ..",
        () if segments.any(|s| !s.chars().all(of_path)) => "its path has characters that are not allowed",
        () => return None,
    })
}

fn id_invalid(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    [Role::Client, Role::Server].into_iter().find_map(|role| {
        let (c, ids) = ids(f, role)?;
        let uris = c.subject_alt_names.iter().filter(|n| matches!(n, San::Uri(_))).count();
        let (id, why) = if uris > 1 {
            (ids.first()?, "it is not the only URI of the certificate")
        } else {
            ids.iter().find_map(|id| Some((id, fault(id)?)))?
        };
        let mark = f.of(role).certificates.as_ref().map(|c| c.mark);
        let detail = format!("The {role}'s certificate {} has the ID \"{id}\": {why}.", words::cert(c));
        let remedy = format!("Issue the {role}'s certificate with one URI of the form spiffe://trust.domain/path.");
        Some(judged(f, role, Fault::Name, Hit::new(detail, remedy).at_any(mark).blame(role)))
    })
}

fn domains_differ(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (_, client) = ids(f, Role::Client)?;
    let (_, server) = ids(f, Role::Server)?;
    let (ours, theirs) = (client.first()?, server.first()?);
    if parts(ours).0.eq_ignore_ascii_case(parts(theirs).0) {
        return None;
    }
    // Federated domains work; only a refusal makes the difference a fault.
    let r = of_client(f).or(of_server(f))?;
    let about = r.alert.is_none_or(|a| matches!(a.0, 42 | 46 | 48 | 49));
    let detail = format!("The client is \"{ours}\", the server \"{theirs}\". {}", how_it_ended(f, &r));
    let remedy = "Give both one trust domain, or federate the two (exchange their bundles).";
    let hit = Hit::new(detail, remedy).at_any(f.of(Role::Client).certificates.as_ref().map(|c| c.mark)).at(r.mark);
    about.then(|| hit.likely().blame(Blame::Either))
}

/// Rules about connections without TLS.
pub(super) const PLAIN: &[Rule] = &[new(
    "istio-plaintext-in-strict",
    Severity::Error,
    61,
    "A client outside of the mesh speaks in clear to a port where the sidecar takes mutual TLS only",
    page(
        "The client's first bytes are not TLS, the server closes or resets without a byte of an answer, and an earlier connection to the same address and port was TLS with a protocol of Istio's proxies.",
        "In mode STRICT (PeerAuthentication) the server's Envoy finds no filter chain for a connection in clear and closes it: the client sees \"connection reset by peer\" or an empty reply (curl 52, 56). The caller has no sidecar, excludes the port (traffic.sidecar.istio.io/excludeOutboundPorts), is a probe, or its DestinationRule says tls mode DISABLE.",
        "Likely: what both connections said is read in clear; that the sidecar's mode is the reason is concluded. A server that crashed looks the same. It is not told when the server has answered plain text in an earlier connection.",
        "Give the caller a sidecar (label istio-injection=enabled, then restart it), or let this port take both: PeerAuthentication with portLevelMtls mode PERMISSIVE. For probes: sidecarInjectorWebhook.rewriteAppHTTPProbe. Look for a DestinationRule with mode DISABLE for the host.",
        "  istioctl x describe pod POD; istioctl proxy-config listeners POD --port PORT\n  kubectl get peerauthentication -A",
        "Istio: PeerAuthentication, DestinationRule; RFC 8446, section 4.2",
    ),
    strict,
)];

fn strict(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.rare.as_ref()?.meshed.as_ref()?;
    let (plain, mark, server) = plain_client(f)?;
    if f.client_hello.is_some() || f.tcp.data[server].is_some() || plain == Plain::ProxyHeader {
        return None;
    }
    // The client waited for the answer.
    let end = f.tcp.rst[server].into_iter().chain(f.tcp.fin[server]).min_by_key(|m| m.frame)?;
    if f.tcp.fin[server.other()].or(f.tcp.rst[server.other()]).is_some_and(|m| m.frame < end.frame) {
        return None;
    }
    let how = if f.tcp.rst[server] == Some(end) { "reset" } else { "closed" };
    let alpn = o.offer.as_ref().map_or_else(String::new, |o| words::alpn(&o.alpn));
    let detail = format!(
        "In frame {} the client sent {} to {}; the server {how} the connection in frame {} without an answer. In {} the same address and port took TLS with the protocols {alpn}.",
        mark.frame,
        plain.name(),
        words::end(f.ends.of(server)),
        end.frame,
        flow(o)
    );
    let remedy = "Give the client a sidecar, or set this port's PeerAuthentication to PERMISSIVE; look for a DestinationRule with tls mode DISABLE.";
    Some(Hit::new(detail, remedy).at(mark).at(end).likely().blame(Blame::Client).of([o.id, f.id]))
}

/// The server answers a ClientHello with something that is not TLS.
fn speaks_plain(f: &FlowFacts) -> Option<crate::flow::Mark> {
    match f.of(Role::Server).start {
        Some((Start::Not(_), mark)) => Some(mark),
        _ => None,
    }
}

fn no_sidecar(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.client_hello.as_ref()?;
    let alpn = &hello.message.extensions.alpn;
    if !alpn.iter().any(|p| is_of_mesh(p)) {
        return None;
    }
    let refused =
        refusal(f).filter(|r| r.role == Role::Server && r.alert == Some(AlertDescription::NO_APPLICATION_PROTOCOL));
    let (what, mark) = if let Some(mark) = speaks_plain(f) {
        (format!("In frame {} the server answers with something that is not TLS.", mark.frame), mark)
    } else if let Some(r) = refused {
        (words::alert_sentence(r.role, AlertDescription::NO_APPLICATION_PROTOCOL, r.mark), r.mark)
    } else {
        let answer = f.server_hello.as_ref().filter(|_| !f.is_tls13())?;
        let chosen = answer.message.extensions.alpn.first();
        if chosen.is_some_and(|p| is_of_mesh(p)) {
            return None;
        }
        let chose = chosen.map_or("no protocol".to_owned(), |p| format!("\"{}\"", text::escape_bytes(p)));
        (format!("In frame {} the server chose {chose}.", answer.mark.frame), answer.mark)
    };
    let detail = format!("The client offers {}. {what}", words::alpn(alpn));
    let remedy = "Inject the sidecar on the server's side and let it take this port, or set the DestinationRule's tls mode for this host to DISABLE (or SIMPLE).";
    let hit = Hit::new(detail, remedy).at(hello.mark).at(mark).likely().blame(Role::Server);
    let failed = f.outcome() == Outcome::Failed;
    Some(if failed { hit } else { hit.severity(Severity::Warning) })
}

fn no_identity(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hello = f.client_hello.as_ref()?;
    let name = String::from_utf8_lossy(f.server_name()?).to_ascii_lowercase();
    if !name.contains(".serviceaccount.identity.linkerd.") {
        return None;
    }
    let silent = refusal(f).filter(|r| r.role == Role::Server && r.alert.is_none() && stage(f) == Stage::Hello);
    let mark = speaks_plain(f).or(silent.map(|r| r.mark))?;
    let what =
        if silent.is_some() { "closed without a ServerHello" } else { "answered with something that is not TLS" };
    let detail =
        format!("The client calls the identity {}; in frame {} the server {what}.", words::server_name(f)?, mark.frame);
    let remedy = "Look whether the server's pod has a ready linkerd-proxy that takes this port (linkerd check --proxy); restart or inject it anew.";
    Some(Hit::new(detail, remedy).at(hello.mark).at(mark).likely().blame(Role::Server))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        after, alert, asked, client_flight, established, fin, find, hello, leaf, mark, rst, server_flight, told, with,
    };
    use super::*;
    use crate::diagnose::Confidence;
    use crate::span::Side;

    fn of(id: &str) -> Certificate {
        Certificate { subject_alt_names: vec![San::Uri(id.into())], ..leaf() }
    }

    fn between(server: &str, client: &str) -> FlowFacts {
        client_flight(asked(server_flight(vec![of(server)])), vec![of(client)])
    }

    #[test]
    fn ids_by_the_standard() {
        for good in ["spiffe://cluster.local/ns/shop/sa/cart", "spiffe://td-1_a.example/A.b-c_1"] {
            assert_eq!(fault(good), None, "{good}");
        }
        // The examples of SPIFFE-ID, section 2, and what its grammar excludes.
        for bad in [
            "spiffe://",
            "spiffe:///path",
            "spiffe://Example.org/a",
            "spiffe://example.org:443/a",
            "spiffe://user@example.org/a",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a#b",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/a/",
            "spiffe://example.org//a",
            "spiffe://example.org/a/../b",
            "spiffe://example.org/a%20b",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn an_invalid_id_explains_a_refusal_only() {
        let good = "spiffe://example.org/a";
        let bad = between(good, "spiffe://example.org/a/");
        assert_eq!(told(&alert(bad.clone(), Side::B, 42)).cause, Some("spiffe-id-invalid"));
        let x = find(&established(bad), "spiffe-id-invalid").expect("a warning");
        assert_eq!((x.severity, x.explains_failure), (Severity::Warning, false));
        assert!(find(&alert(between(good, good), Side::B, 42), "spiffe-id-invalid").is_none());
    }

    #[test]
    fn two_trust_domains() {
        let f = between("spiffe://a.example/x", "spiffe://b.example/x");
        assert_eq!(told(&alert(f.clone(), Side::B, 42)).cause, Some("spiffe-trust-domain-mismatch"));
        assert!(find(&established(f), "spiffe-trust-domain-mismatch").is_none(), "federated");
        let f = between("spiffe://a.example/x", "spiffe://a.example/y");
        assert!(find(&alert(f, Side::B, 48), "spiffe-trust-domain-mismatch").is_none());
    }

    #[test]
    fn protocols_of_a_mesh() {
        let offer = |f: &mut FlowFacts| {
            f.client_hello.as_mut().expect("there").message.extensions.alpn = vec![Box::from(&b"istio"[..])];
        };
        let mut f = fin(hello(), Side::B);
        f.sides[Side::B].start = Some((Start::Not(Plain::Text), mark(6)));
        assert!(find(&f, "mesh-alpn-missing").is_none());
        offer(&mut f);
        assert!(find(&f, "mesh-alpn-missing").is_some_and(|x| x.severity == Severity::Error));
        let mut f = established(with(0x0303, |_, s| s.extensions.alpn = vec![Box::from(&b"istio"[..])]));
        offer(&mut f);
        assert!(find(&f, "mesh-alpn-missing").is_none());
        f.server_hello.as_mut().expect("there").message.extensions.alpn.clear();
        assert!(find(&f, "mesh-alpn-missing").is_some_and(|x| x.severity == Severity::Warning));
    }

    #[test]
    fn plaintext_to_a_port_of_the_mesh() {
        const CODE: &str = "istio-plaintext-in-strict";
        let mesh = |protocol: &[u8]| {
            let mut f = established(server_flight(vec![leaf()]));
            f.client_hello.as_mut().expect("there").message.extensions.alpn = vec![Box::from(protocol)];
            f
        };
        let plain = || {
            let mut f = hello();
            f.client_hello = None;
            f.messages.clear();
            f.sides[Side::A].start = Some((Start::Not(Plain::HttpRequest), mark(4)));
            f
        };
        let refused = || rst(plain(), Side::B);
        let d = told(&after(&[&mesh(b"istio-peer-exchange")], refused()));
        assert_eq!((d.cause, d.findings[0].confidence), (Some(CODE), Confidence::Likely));
        assert_eq!(told(&after(&[&mesh(b"istio")], fin(plain(), Side::B))).cause, Some(CODE));
        assert!(find(&after(&[&mesh(b"h2")], refused()), CODE).is_none() && find(&refused(), CODE).is_none());
        // The port takes both, though this one connection was cut.
        let served = || {
            let mut f = plain();
            f.sides[Side::B].start = Some((Start::Not(Plain::HttpResponse(200)), mark(6)));
            f.tcp.data[Side::B] = Some(mark(6));
            f
        };
        assert!(find(&after(&[&served(), &mesh(b"istio")], refused()), CODE).is_none());
        assert!(find(&after(&[&mesh(b"istio"), &served()], refused()), CODE).is_none());
        // A page of a TLS server that says what is wrong is no such answer; a header of a load balancer has a rule of its own.
        let mut page = served();
        page.sides[Side::B].start = Some((Start::Not(Plain::HttpResponse(400)), mark(6)));
        assert!(find(&after(&[&mesh(b"istio"), &page], refused()), CODE).is_some());
        let mut header = refused();
        header.sides[Side::A].start = Some((Start::Not(Plain::ProxyHeader), mark(4)));
        assert!(find(&after(&[&mesh(b"istio")], header), CODE).is_none());
        // The server answers, the client left first, another server.
        let mut answered = refused();
        answered.tcp.data[Side::B] = Some(mark(6));
        let mut left = refused();
        left.tcp.fin[Side::A] = Some(mark(5));
        let mut elsewhere = refused();
        elsewhere.ends.b.port = 8080;
        for f in [answered, left, elsewhere] {
            assert!(find(&after(&[&mesh(b"istio")], f), CODE).is_none());
        }
    }

    #[test]
    fn an_identity_of_linkerd() {
        let mut f = fin(hello(), Side::B);
        assert!(find(&f, "linkerd-identity-missing").is_none());
        let name = b"web.shop.serviceaccount.identity.linkerd.cluster.local";
        f.client_hello.as_mut().expect("there").message.extensions.server_name = Some(vec![Box::from(&name[..])]);
        assert_eq!(find(&f, "linkerd-identity-missing").map(|x| x.blame), Some(Blame::Server));
        assert!(find(&established(f), "linkerd-identity-missing").is_none());
    }
}
