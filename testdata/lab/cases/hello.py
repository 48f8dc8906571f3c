"""ClientHellos that are odd, and how they travel; real servers answer them."""
from .. import wire
from ..case import Case, peer, s_client, s_server
from .damaged import payload, recorded

MS = 1_000_000
NEVER = {"requested": False, "certificate": "none"}
SHA256 = ["-ciphersuites", "TLS_AES_128_GCM_SHA256"]  # the hash of pre-shared keys that name none
PSK = ["-psk_identity", "device", "-psk"]


def odd(*findings, outcome="failed", **more):
    return {"outcome": outcome, "findings": list(findings), **more}


def named(name):
    """s_client that sends `name` as the server name."""
    return [name if word == "tls-server.local" else word for word in s_client()]


def large_hello():
    """The bytes of the large ClientHello in `hello/odd-offers`, which is the last one there."""
    packets = recorded("hello/odd-offers")
    last = packets[-1][1][20:22], packets[-1][1][22:24]  # the ports of its connection
    ours = [packet for _, packet, side in packets if side == "client" and packet[20:22] in last and payload(packet)]
    return b"".join(payload(packet) for packet in ours)


def opened(name):
    """A connection, and the ClientHello cut as the stack of the client cuts it."""
    talk, data = wire.Conversation(name), large_hello()
    talk.open(wire.START_NS)
    return talk, data[:talk.mss], data[talk.mss:]


def black_hole():
    """The first, full-size packet never arrives; the small second one does, which the server's duplicate ACKs show."""
    talk, first, rest = opened("black-hole")
    start, acked = wire.START_NS, talk.next["client"]
    talk.emit(start + 1 * MS, "client", wire.ACK, first)
    talk.emit(start + 1 * MS, "client", wire.ACK | wire.PSH, rest)
    end, talk.next["client"] = talk.next["client"], acked
    talk.emit(start + 2 * MS, "server", wire.ACK)
    for ms in (200, 600, 1400, 3000, 6200):
        talk.next["client"] = acked
        talk.emit(start + ms * MS, "client", wire.ACK, first)
    talk.next["client"] = end
    talk.emit(start + 10_000 * MS, "client", wire.FIN | wire.ACK)
    return talk.packets, ["ClientHello of hello/odd-offers.pcapng, packets written by hand as Linux repeats them"]


def one_segment():
    """A middlebox that takes the first packet for the whole ClientHello and resets, acknowledging that packet only."""
    talk, first, rest = opened("one-segment")
    talk.emit(wire.START_NS + 1 * MS, "client", wire.ACK, first)
    middle = talk.next["client"]
    talk.emit(wire.START_NS + 1 * MS, "client", wire.ACK | wire.PSH, rest)
    talk.next["client"] = middle
    talk.emit(wire.START_NS + 2 * MS, "server", wire.RST | wire.ACK)
    return talk.packets, ["ClientHello of hello/odd-offers.pcapng, packets written by hand"]


CASES = [
    Case("hello/server-names", "Server names that must not be sent: with a dot, with a port, an address, with a space", s_server("-tls1_3"),
         [named(name) for name in ("tls-server.local.", "tls-server.local:8443", "198.51.100.20", "tls server")],
         {"flows": 4}, stdin="Q\n",
         each=[odd(code, outcome="established", no_errors=True)
               for code in ("sni-trailing-dot", "sni-has-port", "sni-is-ip", "sni-invalid")]),
    Case("hello/records", "A ClientHello in two TLS records", s_server("-tls1_3"),
         [*named(".".join([label * 15 for label in ("name", "that", "long", "very")] + ["example"])), "-max_send_frag", "512"],
         odd("client-hello-fragmented-in-records", outcome="established", no_errors=True), stdin="Q\n"),
    Case("hello/odd-offers", "ClientHellos with wrong fields, obsolete versions, hidden names and a large key share", s_server(),
         [peer("changed-hello", change) for change in
          ("legacy-version", "compression", "no-null-compression", "ssl3", "esni", "ech", "post-quantum")],
         {"flows": 7},
         each=[odd("legacy-version-bad"), odd("compression-offered", cause="compression-offered"),
               odd("null-compression-missing", cause="null-compression-missing"),
               odd("sslv3-offered-max", cause="sslv3-offered-max"), odd("esni-obsolete"), odd("ech-offered"),
               odd("pq-offered-not-selected")]),
    Case("hello/retry-unchanged-13", "The client answers a HelloRetryRequest with the same ClientHello", s_server("-tls1_3", "-groups", "P-384"),
         peer("changed-hello", "nothing", "nothing"), odd("hrr", "hrr-unchanged-hello", cause="hrr-unchanged-hello")),
    Case("hello/retry-wrong-group-13", "The client answers a HelloRetryRequest with a key share of another group",
         s_server("-tls1_3", "-groups", "P-384"), peer("changed-hello", "nothing", "wrong-group"),
         odd("hrr", "hrr-wrong-group-resend", cause="hrr-wrong-group-resend")),
    Case("hello/retry-cookie-13", "The client answers a HelloRetryRequest with a cookie that the server has not given",
         s_server("-tls1_3", "-stateless", serve=False), peer("changed-hello", "nothing", "short-cookie"), odd("hrr-cookie", cause="hrr-cookie")),
    Case("hello/psk-wrong-key-13", "TLS 1.3: client and server have different pre-shared keys under one identity",
         s_server("-tls1_3", *SHA256, *PSK, "00112233445566778899aabbccddeeff"),
         s_client("-tls1_3", *SHA256, *PSK, "ffeeddccbbaa99887766554433221100"),
         {"outcome": "failed", "cause": "psk-binder-invalid", "findings": ["psk-binder-invalid"]}),
    Case("hello/psk-suites-only-12", "TLS 1.2: the client offers suites with pre-shared keys only, the server has a certificate only",
         s_server("-tls1_2"), s_client("-tls1_2", "-cipher", "PSK", *PSK, "00112233445566778899aabbccddeeff"),
         {"outcome": "failed", "cause": "no-psk-cipher-match", "findings": ["no-psk-cipher-match"], "words": ["handshake failure"]}),
    Case("hello/black-hole", "The full-size packet of a large ClientHello never arrives: a path MTU black hole", None, None,
         {"outcome": "failed", "cause": "large-client-hello-lost", "silent": ["client-hello-not-acked", "server-hello-timeout"]},
         build=black_hole),
    Case("hello/one-segment", "A middlebox resets upon the first packet of a ClientHello of two", None, None,
         {"outcome": "failed", "cause": "client-hello-split-reset", "silent": ["server-closed-after-client-hello"]}, build=one_segment),
]
