"""Several flows of one capture that say something about each other."""
import struct
import time

from .. import wire
from ..case import MUTUAL, Case, client_cert, curl, peer, s_client, s_client_typed, s_server
from .client import nginx
from .damaged import data_frames, recorded, rewritten

GET = "GET /hello.txt HTTP/1.0\r\n\r\n"
OTHERS = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
POOL = ["198.51.100.21", "198.51.100.22"]
FULL = {"outcome": "established", "resumed": False}
FAILED = {"outcome": "failed"}


def ask(*options):
    """s_client that sends one HTTP request and reads until the server closes."""
    return s_client("-ign_eof", *options)


def case(name, title, server, client, each, whole=(), **more):
    """Several connections, one after the other; `whole` are the findings on all of them together."""
    expect = {"flows": len(each)} | ({"whole": list(whole)} if whole else {}) | ({"words": more.pop("words")} if "words" in more else {})
    return Case(f"siblings/{name}", title, server, client, expect, each=each, stdin=GET, **more)


def turns(*specs):
    """A server that gives each connection the next certificate: CERT, or CERT:CA to ask the client for one of that CA."""
    return peer("turns", *specs, port="{server}")


NAMELESS = ["openssl", "s_client", "-connect", "127.0.0.1:{port}", "-noservername", "-ign_eof", "-tls1_2"]
EC12 = s_server("-tls1_2", cert="server-ec", chain=False)
RSA_ONLY = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]

OFFERS = [
    case("worked-later-12", "A client is refused, then one with more cipher suites is accepted", EC12,
         [ask(*RSA_ONLY), ask("-tls1_2")], [FAILED, FULL], ["working-sibling"], ends=[{}, {"client": OTHERS[0]}]),
    case("worked-before-12", "A client is accepted, then one with fewer cipher suites is refused", EC12,
         [ask("-tls1_2"), ask(*RSA_ONLY)], [FULL, FAILED], ends=[{"client": OTHERS[0]}, {}]),
    case("fallback-12", "A client that insists on TLS 1.3 is refused and tries again with TLS 1.2", EC12,
         [ask("-tls1_3"), ask("-tls1_2")], [FAILED | {"cause": "version-mismatch"}, FULL | {"findings": ["fallback-dance"]}],
         ["working-sibling"]),
    case("version-intolerant", "A server that closes when TLS 1.3 is offered, and a client that tries both",
         peer("intolerant", "version", port="{server}"), [ask(), ask("-tls1_2")], [FAILED, FULL],
         ["version-intolerant", "working-sibling"]),
    case("extension-intolerant", "A server that closes when session tickets are offered, and a client that tries both",
         peer("intolerant", "ticket", port="{server}"), [ask("-tls1_2"), ask("-tls1_2", "-no_ticket")], [FAILED, FULL],
         ["extension-intolerant", "working-sibling"]),
    case("grease-intolerant", "A server that closes when it sees GREASE, and a client that tries with and without",
         peer("intolerant", "grease", port="{server}"), [peer("greased", "with"), peer("greased", "without")], [FAILED, FULL],
         ["grease-intolerant", "working-sibling"]),
    case("random-reused-12", "Two connections that begin with the same ClientHello, byte for byte",
         s_server("-tls1_2", cert="server-ec", chain=False), [peer("same-hello-twice")],
         [{}, {"findings": ["hello-random-reused"]}]),
]

SESSIONS = [
    case("mtls-resumed-12", "TLS 1.2, both have a certificate, then the session again: no certificate any more",
         s_server("-tls1_2", *MUTUAL, cert="server-ec", chain=False),
         [ask("-tls1_2", *certificate, session, "m12.pem") for certificate, session in
          [(["-cert", "client-ec.pem", "-key", "client-ec.key"], "-sess_out"),
           (["-cert", "client-ec.pem", "-key", "client-ec.key"], "-sess_in")]],
         [FULL | {"client_auth": {"requested": True, "certificate": "sent"}},
          {"outcome": "established", "resumed": True, "findings": ["mtls-resumed-no-client-auth"]}], words=["Reused, TLSv1.2"]),
]

REPEATED = [
    case("retry-loop-12", "One client that fails five times in a row", EC12, [ask(*RSA_ONLY)] * 5, [FAILED] * 5,
         ["client-retry-loop", "recurring-failure"]),
    case("failure-rate-12", "Ten handshakes of one client that work, three of another that do not", EC12,
         [ask("-tls1_2")] * 10 + [ask(*RSA_ONLY)] * 3, [FULL] * 10 + [FAILED] * 3,
         ["handshake-failure-rate", "recurring-failure", "extra-rtt-no-resumption"],
         ends=[{}] * 10 + [{"client": OTHERS[0]}] * 3, suffix="pcapng.gz",
         write=lambda packets: wire.gzipped(wire.pcapng(packets))),
    case("pinned-12", "One client refuses three times a certificate that another accepts", turns(*["server-chain"] * 4),
         [curl("--tls-max", "1.2", root="client-ca")] * 3 + [curl("--tls-max", "1.2", root="root")],
         [FAILED] * 3 + [FULL], ["cert-pinning-suspected", "recurring-failure"], ends=[{}] * 3 + [{"client": OTHERS[0]}],
         suffix="pcapng.gz", write=lambda packets: wire.gzipped(wire.pcapng(packets))),
]

CERTIFICATES = [
    case("default-cert-12", "A client without a server name, then one that asks for a name the server does not have",
         EC12, [NAMELESS, ask("-tls1_2", "-servername", "other.example")],
         [FULL, FULL | {"findings": ["sni-default-cert"]}]),
    case("same-cert-12", "The client shows the server's own certificate",
         s_server("-tls1_2", "-verify", "10", "-CAfile", "root.pem", cert="server-ec", chain=False),
         [ask("-tls1_2", "-cert", "server-ec.pem", "-key", "server-ec.key")], [FULL | {"findings": ["same-cert-both-sides"]}]),
    case("cert-changed-12", "A server with a new certificate from the third connection on",
         turns("server", "server", "server-self-signed"), [ask("-tls1_2")] * 3, [FULL] * 3, ["cert-changed-mid-capture"]),
    case("cert-per-backend-12", "Two machines with a certificate each for one name", turns("server", "server-self-signed"),
         [ask("-tls1_2")] * 2, [FULL] * 2, ["cert-differs-per-backend"],
         ends=[{"server": POOL[0]}, {"server": POOL[1]}]),
    case("shared-prime-12", "Two servers whose RSA keys have a prime in common", turns("server-prime-a", "server-prime-b"),
         [ask("-tls1_2")] * 2, [FULL] * 2, ["shared-modulus", "cert-differs-per-backend"], ends=[{"server": POOL[0]}, {"server": POOL[1]}]),
    case("expired-backend-12", "Of two machines one has an expired certificate", turns("server", "server-expired"),
         [ask("-tls1_2")] * 2, [FULL] * 2, ["expired-on-one-backend", "cert-differs-per-backend"],
         ends=[{"server": POOL[0]}, {"server": POOL[1]}]),
    case("inspected-12", "A certificate whose issuer has the name of an inspection product", turns("server-inspected"),
         [ask("-tls1_2")], [FULL], ["inspection-proxy-suspected"]),
    case("client-cert-shared-12", "Three addresses that show one client certificate",
         s_server("-tls1_2", *MUTUAL, cert="server-ec", chain=False),
         [ask("-tls1_2", "-cert", "client-ec.pem", "-key", "client-ec.key")] * 3, [FULL] * 3,
         ["client-cert-shared-by-many-ips"], ends=[{"client": one} for one in OTHERS]),
    case("expiry-inventory-12", "Both certificates of a connection have expired", turns("server-expired:client-ca"),
         [ask("-tls1_2", "-cert", "client-expired.pem", "-key", "client-expired.key")], [FAILED], ["cert-expiry-inventory"]),
    case("weak-inventory-10", "Two servers that speak TLS 1.0",
         s_server("-tls1", "-cipher", "DEFAULT@SECLEVEL=0", cert="server-ec", chain=False),
         [ask("-tls1", "-cipher", "DEFAULT@SECLEVEL=0")] * 2, [FULL | {"version": "TLS 1.0"}] * 2, ["weak-tls-inventory"],
         ends=[{"server": POOL[0]}, {"server": POOL[1]}]),
]


def packed(*those, **more):
    return case(*those, suffix="pcapng.gz", write=lambda packets: wire.gzipped(wire.pcapng(packets)), **more)


PASSED_BY = [
    packed("proxy-header-missing-13", "nginx expects a PROXY protocol header: one client sends it, the next one does not",
         nginx(listen="ssl proxy_protocol"), [curl("--haproxy-protocol"), curl()],
         [{"outcome": "established"}, FAILED | {"cause": "proxy-protocol-expected"}], programs=("nginx",), words=["broken header"]),
    packed("mesh-plaintext-12", "A client offers Istio's protocols, the next one speaks plain HTTP to the same port",
         s_server("-tls1_2", "-alpn", "istio"), [ask("-tls1_2", "-alpn", "istio-peer-exchange,istio"), curl(scheme="http", root=None)],
         [FULL, {"protocol": "none", "cause": "istio-plaintext-in-strict"}], words=["ALPN protocol: istio", "Empty reply from server"],
         note="OpenSSL stands for the sidecar: it closes without an answer as Envoy does in mode STRICT."),
    packed("asked-later-13", "TLS 1.3: the server asks one client for a certificate after the handshake, the next one does not offer that",
         ["sh", "-c", "(sleep 1; echo c; sleep 3) | " + " ".join(s_server("-tls1_3", "-CAfile", "client-ca.pem", serve=False))],
         [s_client_typed("sleep 2; echo Q", "-tls1_3", "-enable_pha", "-cert", "client.pem", "-key", "client.key"),
          s_client_typed("echo hello; sleep 0.3; echo Q", "-tls1_3")],
         [{"outcome": "established"}, {"outcome": "established", "findings": ["post-handshake-auth-impossible"]}]),
    packed("clock-skew-12", "A client whose clock is two hours ahead of the capture's, three times within six seconds",
         s_server("-tls1_2"), peer("telling-time", "0", "3", "3"), [FULL, FULL, FULL | {"findings": ["clock-skew-client"]}],
         start=time.time_ns() - 2 * 3600 * 10**9, note="Begins two hours before it was made, since the client tells the real time."),
    packed("two-issuers-12", "One server shows two clients a certificate with the policy of public CAs, a third one in between another one",
         turns("server-public", "server-renewed", "server-public"), [ask("-tls1_2")] * 3, [FULL] * 3,
         ["inspection-proxy-suspected", "cert-differs-per-backend"], ends=[{"client": one} for one in OTHERS]),
]


def both_sides():
    """The connection once more as a translator's other side shows it: another client address and port, half a millisecond later."""
    packets = recorded("good/mtls-ec-12")
    return sorted(packets + [(time_ns + 500_000, rewritten(packet, side, "203.0.113.7", 40001), side) for time_ns, packet, side in packets],
                  key=lambda one: one[0])


def clock_set_back():
    """From the middle on every frame is five seconds older."""
    packets = recorded("good/mtls-ec-12")
    half = len(packets) // 2
    return packets[:half] + [(time_ns - 5_000_000_000, packet, side) for time_ns, packet, side in packets[half:]]


def status_asked():
    """Before it answers the server's certificate the client looks the OCSP responder up and is refused by it, for two seconds."""
    packets = recorded("server/no-staple-12")
    answer = data_frames(packets, "client")[1]
    begin, pause = packets[answer - 1][0], 2 * 10**9
    name = b"".join(bytes([len(label)]) + label for label in (b"ocsp", b"example")) + b"\0"
    question = name + struct.pack(">HH", 1, 1)
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question
    reply = struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + question + struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, 203, 0, 113, 80)
    resolver, client = "198.51.100.53", wire.CLIENT4

    def datagram(source, target, sport, dport, payload):
        return wire.ip_packet(source, target, 17, wire.udp_datagram(source, target, sport, dport, payload))

    dns = [(begin + 10**6, datagram(client, resolver, 40000, 53, query), "client"),
           (begin + 5 * 10**6, datagram(resolver, client, 53, 40000, reply), "server")]
    fetch = wire.Conversation("status", client, "203.0.113.80", 50009, 80)
    fetch.syn(begin + 6 * 10**6)
    fetch.rst(begin + 9 * 10**6, "server")
    return packets[:answer] + dns + fetch.packets + [(time_ns + pause, packet, side) for time_ns, packet, side in packets[answer:]]


DERIVED = [
    Case("siblings/ocsp-refused-12", "The client asks for the certificate's status in the middle of the handshake and is refused", None, None,
         {"flows": 2, "whole": ["ocsp-responder-unreachable", "ocsp-delays-handshake"]}, each=[{"outcome": "established"}, {"protocol": "none", "cause": "tcp-refused"}],
         build=lambda: (status_asked(), ["derived from server/no-staple-12.pcapng: a pause of two seconds, in which the client looks up "
                                         "ocsp.example and is refused at port 80"])),
    Case("siblings/nat-12", "One connection captured on both sides of an address translator", None, None, {"flows": 2},
         each=[FULL, FULL | {"findings": ["capture-nat-both-sides"]}],
         build=lambda: (both_sides(), ["derived from good/mtls-ec-12.pcapng: each packet again with another client address"])),
    Case("siblings/clock-jump-12", "The clock is set back while the capture runs", None, None,
         {"outcome": "established", "whole": ["clock-jump-in-capture"]},
         build=lambda: (clock_set_back(), ["derived from good/mtls-ec-12.pcapng: the second half is five seconds older"])),
]

CASES = [*OFFERS, *SESSIONS, *REPEATED, *CERTIFICATES, *PASSED_BY, *DERIVED]
