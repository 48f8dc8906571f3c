//! How the ClientHello travelled: in several packets or records, and whether all of it arrived.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Placed};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::handshake::ClientHello;
use crate::tls::names::NamedGroup;

const SMALL: &str = "  openssl s_client -connect HOST:PORT -servername NAME -groups X25519 </dev/null   (a small ClientHello)\n  openssl s_client -connect HOST:PORT -servername NAME -groups X25519MLKEM768 </dev/null   (a large one, OpenSSL 3.5)\n  ping -M do -s 1472 HOST";

/// A ClientHello that was sent so many times over was not merely late.
const REPEATS: u32 = 2;

pub(super) const RULES: &[Rule] = &[
    new(
        "large-client-hello-lost",
        Severity::Error,
        44,
        "Part of a ClientHello of several packets does not get through",
        page(
            "The ClientHello takes several packets; the client repeats a part of it, and the server's TCP does not acknowledge that part, though its packets show that it lives.",
            "A path MTU black hole: full-size packets are dropped and the ICMP message that says so is filtered. Post-quantum key shares (X25519MLKEM768: 1216 bytes) make ClientHellos larger than one packet, so that it shows for the first time. Tunnels and VPNs lower the MTU.",
            "Likely: the acknowledgements were seen and stop short. Loss by chance would be mended by the repetitions.",
            "On the network: let ICMP type 3 code 4 and ICMPv6 type 2 through; clamp the MSS (iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu); lower the tunnel's MTU. As a stopgap make the ClientHello small: OpenSSL Groups = X25519:P-256, Go GODEBUG=tlsmlkem=0, curl --curves X25519.",
            SMALL,
            "RFC 8899; RFC 2923, section 2.1; RFC 4821",
        ),
        lost,
    ),
    new(
        "client-hello-split-reset",
        Severity::Error,
        44,
        "The connection was reset upon the first packet of a ClientHello of several",
        page(
            "The ClientHello takes several packets, and the reset that answers it acknowledges less than all of it.",
            "A device or server that reads only one packet and takes it for the whole ClientHello: old load balancers, firewalls and filters by server name. Post-quantum key shares make ClientHellos larger than one packet (tldr.fail).",
            "Likely: what the reset acknowledges tells what its sender had read.",
            "Update the device or server. To find it, compare with a small ClientHello, and look at the reset's time to live. As a stopgap make the ClientHello small: OpenSSL Groups = X25519:P-256, Go GODEBUG=tlsmlkem=0, curl --curves X25519.",
            SMALL,
            "RFC 9293, section 3.4 (a stream has no packet boundaries); RFC 8446, section 5.1",
        ),
        split_reset,
    ),
    new(
        "client-hello-fragmented-in-records",
        Severity::Info,
        0,
        "The ClientHello lies in several TLS records",
        page(
            "One ClientHello is spread over two or more TLS records.",
            "It is allowed. Tools against filtering do it, so that a filter does not find the server name, and clients with small records. Some servers and load balancers refuse it.",
            "Read in clear.",
            "Nothing, when it works. Else let the client send larger records (OpenSSL -max_send_frag 16384), or update the server.",
            "  openssl s_client -connect HOST:PORT -servername NAME -max_send_frag 512 </dev/null",
            "RFC 8446, section 5.1",
        ),
        fragmented,
    ),
];

/// Bytes of the ClientHello on the wire and how many of them the server acknowledged, when that is less; the server
/// has not said a byte.
fn cut_short(f: &FlowFacts) -> Option<(&Placed<ClientHello>, u64, u64)> {
    let h = f.client_hello.as_deref()?;
    let whole = f.client_hello_end()?;
    let acked = f.tcp.acked[h.side];
    let blind = f.blind(Role::Server).is_some() || f.blind(Role::Client).is_some();
    let mute = f.tcp.data[h.side.other()].is_none();
    (mute && !blind && h.frames.len() > 1 && acked < whole).then_some((h, whole, acked))
}

/// What made it large, if that is to be seen.
fn because(h: &ClientHello) -> String {
    let shares = h.extensions.key_shares.iter().copied().filter(|g| NamedGroup(*g).is_post_quantum());
    match shares.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        all => format!(" Its key share for {} makes it large.", words::groups(all)),
    }
}

/// A part of the ClientHello does not arrive, while something of the client does.
fn part_lost(f: &FlowFacts) -> Option<(&Placed<ClientHello>, u64, u64)> {
    let (h, whole, acked) = cut_short(f)?;
    let server = h.side.other();
    // The server goes on answering at TCP's level: something of the client reaches it.
    let syn_acks = f.tcp.syn_ack[server].map_or(0, |s| u64::from(s.count));
    let alive = acked > 0 || f.tcp.packets[server] > syn_acks;
    let repeated = f.sides[h.side].retransmitted >= REPEATS;
    (repeated && alive && f.tcp.rst[server].is_none()).then_some((h, whole, acked))
}

/// A reset acknowledges the first part of the ClientHello and not the rest. One that acknowledges nothing of it may have
/// been sent before any of it came.
fn reset_early(f: &FlowFacts) -> Option<(&Placed<ClientHello>, u64, u64, Mark)> {
    let (h, whole, acked) = cut_short(f).filter(|(.., acked)| *acked > 0)?;
    Some((h, whole, acked, f.tcp.rst[h.side.other()]?))
}

/// How the ClientHello travelled explains that no answer came.
pub(super) fn explains(f: &FlowFacts) -> bool {
    part_lost(f).is_some() || reset_early(f).is_some()
}

fn lost(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, whole, acked) = part_lost(f)?;
    let repeats = f.sides[h.side].retransmitted;
    let mut detail = format!(
        "The ClientHello takes {whole} bytes in {} packets (up to frame {}); the server acknowledged {acked} of them, though the client sent again {}.{}",
        h.frames.len(),
        h.mark.frame,
        words::count(u64::from(repeats), "time"),
        because(&h.message)
    );
    let too_big = f.tcp.too_big[h.side].as_deref();
    if let Some(t) = too_big {
        let most = t.mtu.filter(|m| *m > 0).map_or_else(String::new, |m| format!(", at most {m} bytes"));
        detail.push_str(&format!(" {} said in frame {} that its packets are too big{most}.", t.from, t.mark.frame));
    }
    let remedy = "On the network: look for a link with a smaller MTU (ping -M do -s 1472), let ICMP \"fragmentation needed\" through, or clamp the MSS. Try a small ClientHello (openssl s_client -groups X25519).";
    let hit = Hit::new(detail, remedy).at(h.mark).at_any(too_big.map(|t| t.mark)).at(f.last).blame(Blame::Network);
    Some(if too_big.is_some() { hit } else { hit.likely() })
}

fn split_reset(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, whole, acked, rst) = reset_early(f)?;
    let detail = format!(
        "The ClientHello takes {whole} bytes in {} packets (up to frame {}); the reset in frame {} acknowledges {acked} of them.{}",
        h.frames.len(),
        h.mark.frame,
        rst.frame,
        because(&h.message)
    );
    let remedy = "On the server, or a device before it: update what reads only one packet of a ClientHello. Try a small one (openssl s_client -groups X25519).";
    Some(Hit::new(detail, remedy).at(h.mark).at(rst).likely().blame(Blame::Server))
}

fn fragmented(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref().filter(|_| f.client_hello_records > 1)?;
    let detail = format!(
        "The ClientHello ({} bytes, frame {}) lies in {} TLS records.",
        h.message.length, h.mark.frame, f.client_hello_records
    );
    Some(Hit::new(detail, "").at(h.mark).blame(Blame::Nobody))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, find, hello, leaf, mark, rst, server_flight, told};
    use crate::diagnose::Confidence;
    use crate::facts::FlowFacts;
    use crate::flow::Unreachable;
    use crate::span::Side;

    /// A ClientHello of 1809 bytes in two packets, of which the server acknowledged `acked`; it was repeated.
    fn large(acked: u64) -> FlowFacts {
        let mut f = hello();
        let h = f.client_hello.as_mut().expect("there");
        h.message.length = 1800;
        h.message.extensions.key_shares = vec![0x11ec];
        h.frames = [mark(4).frame, mark(5).frame].into_iter().collect();
        f.sides[Side::A].retransmitted = 5;
        f.tcp.acked[Side::A] = acked;
        f.tcp.fin[Side::A] = Some(mark(9000));
        f.last = mark(9000);
        f
    }

    #[test]
    fn a_part_is_lost() {
        const CODE: &str = "large-client-hello-lost";
        let d = told(&large(1460));
        assert_eq!((d.cause, d.findings[0].confidence), (Some(CODE), Confidence::Likely));
        assert!(d.findings[0].detail.contains("X25519MLKEM768"), "{}", d.findings[0].detail);
        assert!(find(&large(1460), "server-hello-timeout").is_none(), "it has not got all of it");
        // The large first packet is lost and the small second one arrives: nothing is acknowledged, yet acknowledgements come.
        assert_eq!(told(&large(0)).cause, Some(CODE));
        assert!(find(&large(1809), CODE).is_none());
        let mut dead = large(0);
        dead.tcp.packets[Side::B] = 1;
        assert_eq!(told(&dead).cause, Some("client-hello-not-acked"));
        let mut said = large(0);
        said.tcp.too_big[Side::A] =
            Some(Box::new(Unreachable { mark: mark(6), from: [198, 51, 100, 1].into(), code: 4, mtu: Some(1280) }));
        assert!(find(&said, CODE).is_some_and(|x| x.confidence == Confidence::Certain && x.detail.contains("1280")));
    }

    #[test]
    fn a_reset_upon_the_first_packet() {
        const CODE: &str = "client-hello-split-reset";
        let short = |acked| {
            let mut f = large(acked);
            f.tcp.fin = Default::default();
            f.sides[Side::A].retransmitted = 0;
            rst(f, Side::B)
        };
        assert_eq!(told(&short(1460)).cause, Some(CODE));
        assert!(find(&short(1809), CODE).is_none() && find(&short(0), CODE).is_none());
        assert_eq!(told(&short(1809)).cause, Some("server-closed-after-client-hello"));
    }

    #[test]
    fn several_records() {
        let good = established(server_flight(vec![leaf()]));
        let mut f = good.clone();
        f.client_hello_records = 3;
        assert!(find(&f, "client-hello-fragmented-in-records").is_some_and(|x| x.detail.contains("3 TLS records")));
        assert!(find(&good, "client-hello-fragmented-in-records").is_none());
    }
}
