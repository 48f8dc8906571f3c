"""Captures that are damaged, partial or unusual in form, each derived from a good one (or from a failed one) of this directory."""
import os
import random
import struct

from .. import wire
from ..case import HERE, Case

NEVER = {"requested": False, "certificate": "none"}
SENT = {"requested": True, "certificate": "sent"}
EMPTY = {"requested": True, "certificate": "empty"}


def recorded(name):
    """The packets of a capture that was made before."""
    with open(os.path.join(HERE, f"{name}.pcapng"), "rb") as file:
        return wire.read_pcapng(file.read())


def header(packet):
    """Where the TCP payload of an IPv4 or IPv6 packet begins, and the TCP flags."""
    at = 40 if wire.is6(packet) else (packet[0] & 15) * 4
    return at + (packet[at + 12] >> 4) * 4, packet[at + 13]


def payload(packet):
    return packet[header(packet)[0]:]


def with_payload(packet, data, shift=0):
    """The same IPv4 segment with other bytes, its sequence number moved by `shift`, checksums right again."""
    at = (packet[0] & 15) * 4
    source, target = ".".join(map(str, packet[12:16])), ".".join(map(str, packet[16:20]))
    sport, dport, seq, ack = struct.unpack_from(">HHII", packet, at)
    flags, window = packet[at + 13], struct.unpack_from(">H", packet, at + 14)[0]
    segment = wire.tcp_segment(source, target, sport, dport, seq + shift, ack, flags, data, b"", window)
    ident = struct.unpack_from(">H", packet, 4)[0]
    return wire.ip_packet(source, target, 6, segment, (ident + 0x4000) & 0xFFFF)


def rewritten(packet, side, client, port):
    """The same IPv4 segment with another address and port of the client, checksums right again."""
    at, (begin, flags) = (packet[0] & 15) * 4, header(packet)
    source, target = ".".join(map(str, packet[12:16])), ".".join(map(str, packet[16:20]))
    sport, dport, seq, ack = struct.unpack_from(">HHII", packet, at)
    source, sport, target, dport = (client, port, target, dport) if side == "client" else (source, sport, client, port)
    window = struct.unpack_from(">H", packet, at + 14)[0]
    segment = wire.tcp_segment(source, target, sport, dport, seq, ack, flags, packet[begin:], packet[at + 20:begin], window)
    return wire.ip_packet(source, target, 6, segment, struct.unpack_from(">H", packet, 4)[0])


def data_frames(packets, side):
    """Indices of the packets of `side` that carry data."""
    return [at for at, (_, packet, sender) in enumerate(packets) if sender == side and payload(packet)]


# --- parts missing ---

def only(side):
    return lambda packets: [one for one in packets if one[2] == side]


def from_data(side, number):
    """Begins with the data packet of this number (0-based) of `side`: no SYN, and whatever came before is missing."""
    return lambda packets: packets[data_frames(packets, side)[number]:]


def until_server_data(number):
    """Ends after the server's data packet of this number."""
    return lambda packets: packets[:data_frames(packets, "server")[number] + 1]


def without_server_data(number):
    def change(packets):
        lost = data_frames(packets, "server")[number]
        return packets[:lost] + packets[lost + 1:]
    return change


def snapped(length):
    def write(packets):
        blocks = [wire.enhanced(time_ns, wire.ethernet(packet, side)[:length], len(wire.ethernet(packet, side)))
                  for time_ns, packet, side in packets]
        return wire.section() + wire.interface(snaplen=length) + b"".join(blocks)
    return write


# --- the same bytes in another order or more than once ---

def twice(packets):
    return [one for time_ns, packet, side in packets for one in ((time_ns, packet, side), (time_ns + 900, packet, side))]


def swapped(groups):
    """After the three-way handshake, the packets of each group change places (always the same way), the times do not."""
    def change(packets):
        dice, out = random.Random(7), packets[:3]
        for group in groups(packets[3:]):
            times = [time_ns for time_ns, _, _ in group]
            dice.shuffle(group)
            out += [(time_ns, packet, side) for time_ns, (_, packet, side) in zip(times, group)]
        return out
    return change


def runs(packets):
    """Consecutive packets of one side: the network reordered them."""
    out = []
    for one in packets:
        if out and out[-1][-1][2] == one[2]:
            out[-1].append(one)
        else:
            out.append([one])
    return out


def fours(packets):
    """Groups of four, whoever sent them: answers may come before questions, as from a capture with several queues."""
    return [packets[at:at + 4] for at in range(0, len(packets), 4)]


def resent(change, number=0, side="server"):
    """The data packet of this number comes again with what `change(bytes)` makes of it: (bytes, shift)."""
    def apply(packets):
        at = data_frames(packets, side)[number]
        time_ns, packet, _ = packets[at]
        data, shift = change(payload(packet))
        return packets[:at + 1] + [(time_ns + 500, with_payload(packet, data, shift), side)] + packets[at + 1:]
    return apply


def other_random(data):
    """Another server random: bytes 20 to 23 of the record with the ServerHello."""
    return data[:20] + bytes(byte ^ 0xFF for byte in data[20:24]) + data[24:], 0


# --- other link layers, tunnels of nothing, forms of file ---

def fragmented(packets):
    """IPv4 packets of more than 576 bytes as fragments."""
    out = []
    for time_ns, packet, side in packets:
        if len(packet) <= 576:
            out.append((time_ns, packet, side))
            continue
        source, target = ".".join(map(str, packet[12:16])), ".".join(map(str, packet[16:20]))
        ident, body = struct.unpack_from(">H", packet, 4)[0], packet[20:]
        for number, at in enumerate(range(0, len(body), 552)):
            more = 0x2000 if at + 552 < len(body) else 0
            part = wire.ip_packet(source, target, 6, body[at:at + 552], ident, more | at // 8)
            out.append((time_ns + number * 100, part, side))
    return out


def fragmented6(packets):
    """IPv6 packets of more than 1280 bytes as fragments."""
    out = []
    for number, (time_ns, packet, side) in enumerate(packets):
        if len(packet) <= 1280:
            out.append((time_ns, packet, side))
            continue
        body = packet[40:]
        for at in range(0, len(body), 1232):
            part = body[at:at + 1232]
            more = int(at + 1232 < len(body))
            extension = struct.pack(">BBHI", 6, 0, at | more, 0x1000 + number)
            head = packet[:4] + struct.pack(">HBB", len(extension) + len(part), 44, 64) + packet[8:40]
            out.append((time_ns + at // 10, head + extension + part, side))
    return out


def linked(frame_of, link):
    return lambda packets: wire.pcapng(packets, frame_of, link)


def tagged(*tags):
    return lambda packets: wire.pcapng(packets, lambda packet, side: wire.ethernet(packet, side, tags))


def simple_blocks(packets):
    return wire.section() + wire.interface() + b"".join(wire.simple(wire.ethernet(packet, side)) for _, packet, side in packets)


def two_sections(packets):
    """A little-endian section in ns, then a big-endian one in µs with an unknown block and a second, unused interface."""
    half = len(packets) // 2
    first = wire.pcapng(packets[:half])
    second = wire.section(">") + wire.interface(wire.LINK_RAW, order=">") + wire.interface(order=">", digits=6)
    second += wire.block(0x80000042, b"for local use, unknown to others", ">")
    for time_ns, packet, side in packets[half:]:
        second += wire.enhanced(time_ns // 1000, wire.ethernet(packet, side), order=">", number=1)
    return first + second


def among_others(packets):
    """ARP, UDP, a runt, an unknown EtherType and ICMP between the packets of the connection."""
    arp = b"\xff" * 6 + wire.CLIENT_MAC + bytes.fromhex("08060001080006040001") + wire.CLIENT_MAC + bytes([192, 0, 2, 10])
    arp += bytes(6) + bytes([192, 0, 2, 1]) + bytes(18)
    udp = struct.pack(">HHHH", 5353, 53, 12, 0) + b"\0\0\0\0"
    foreign = [arp, wire.ethernet(wire.ip_packet(wire.CLIENT4, "192.0.2.1", 17, udp), "client"), b"\x02\x00\x5e",
               wire.CLIENT_MAC + wire.SERVER_MAC + b"\x88\xcc" + bytes(46),
               wire.ethernet(wire.ip_packet(wire.CLIENT4, "192.0.2.1", 1, bytes.fromhex("0800f7ff00000000")), "client")]
    out = wire.section() + wire.interface()
    for number, (time_ns, packet, side) in enumerate(packets):
        if number % 5 == 2 and number // 5 < len(foreign):
            out += wire.enhanced(time_ns - 100, foreign[number // 5])
        out += wire.enhanced(time_ns, wire.ethernet(packet, side))
    return out, len(packets) + min(len(foreign), (len(packets) + 2) // 5)


def cut(packets):
    """The file ends in the middle of a block."""
    whole = wire.pcapng(packets)
    last = wire.enhanced(packets[-1][0], wire.ethernet(packets[-1][1], packets[-1][2]))
    return whole[:-len(last) // 2], len(packets) - 1


def derived(name, title, base, change, expect, write=wire.pcapng, **more):
    """A case from the capture `base`: `change` works on packets, `write` makes the file."""
    def build():
        packets = change(recorded(base)) if change else recorded(base)
        made = write(packets)
        data, frames = made if isinstance(made, tuple) else (made, len(packets))
        return (data, frames), [f"derived by testdata/lab/cases/damaged.py from {base}.pcapng"]
    return Case(f"damaged/{name}", title, None, None, expect, build=build, **more)


def same(auth=SENT, version="TLS 1.2", **more):
    """Must be read as if nothing had happened."""
    return {"outcome": "established", "no_errors": True, "version": version, "client_auth": auth, **more}


def partly(outcome="incomplete", **more):
    return {"outcome": outcome, "no_errors": True, **more}


PARTIAL = [
    derived("client-only-12", "TLS 1.2, mutual: only what the client sent was captured", "good/mtls-12", only("client"),
            partly(findings=["capture-one-sided"])),
    derived("server-only-12", "TLS 1.2, mutual: only what the server sent was captured", "good/mtls-12", only("server"),
            partly(findings=["capture-one-sided"], version="TLS 1.2", silent=["client-cert-missing"])),
    derived("client-only-13", "TLS 1.3, mutual: only what the client sent was captured", "good/mtls-13", only("client"),
            partly(findings=["capture-one-sided"])),
    derived("server-only-13", "TLS 1.3, mutual: only what the server sent was captured", "good/mtls-13", only("server"),
            partly(findings=["capture-one-sided"], version="TLS 1.3", silent=["client-cert-missing", "client-cert-rejected"])),
    derived("mid-stream-12", "TLS 1.2: the capture begins after the handshake, with the request", "good/one-way-12", from_data("client", -2),
            partly(findings=["capture-starts-mid-stream"])),
    derived("mid-stream-13", "TLS 1.3: the capture begins after the handshake, with the request", "good/one-way-13", from_data("client", -2),
            partly(findings=["capture-starts-mid-stream"])),
    derived("starts-with-server-hello-12", "TLS 1.2, mutual: the capture begins with the ServerHello", "good/mtls-12",
            from_data("server", 0), {"outcome_any": ["established", "incomplete"], "no_errors": True, "version": "TLS 1.2",
                                  "client_auth": SENT}),
    derived("starts-with-server-hello-13", "TLS 1.3, mutual: the capture begins with the ServerHello", "good/mtls-13",
            from_data("server", 0), {"outcome_any": ["established", "incomplete"], "no_errors": True, "version": "TLS 1.3"}),
    derived("ends-with-server-flight-12", "TLS 1.2, mutual: the capture ends after the server's first packet", "good/mtls-12",
            until_server_data(0), partly(version="TLS 1.2")),
    derived("ends-with-server-flight-13", "TLS 1.3, mutual: the capture ends after the server's flight", "good/mtls-13",
            until_server_data(1), partly(version="TLS 1.3")),
    derived("hole-in-certificate-12", "TLS 1.2, mutual: a packet with a part of the server's certificate is missing, yet acknowledged",
            "good/small-segments-12", without_server_data(2),
            same(gaps=1, findings=["capture-loss"], silent=["server-cert-expired", "chain-incomplete"])),
    derived("hole-in-server-flight-13", "TLS 1.3, mutual: a packet of the server's flight is missing, yet acknowledged",
            "good/small-segments-13", without_server_data(2), same(version="TLS 1.3", gaps=1, findings=["capture-loss"])),
    derived("hole-before-refusal-13", "TLS 1.3: the packet with the server's refusal of an empty certificate is missing",
            "guide/5-client-cert-missing-13", without_server_data(-1),
            {"outcome_any": ["incomplete", "failed", "rejected"], "gaps": 1, "client_auth": EMPTY, "silent": ["server-cert-rejected"]}),
    derived("snaplen-96-12", "TLS 1.2, mutual: 96 bytes of each packet were kept", "good/mtls-12", None,
            partly(findings=["capture-snaplen-truncated"], silent=["client-cert-missing"]), snapped(96)),
    derived("snaplen-96-13", "TLS 1.3, mutual: 96 bytes of each packet were kept", "good/mtls-13", None,
            partly(findings=["capture-snaplen-truncated"], silent=["client-cert-missing"]), snapped(96)),
    derived("snaplen-54-12", "TLS 1.2: only the headers of each packet were kept, not a byte of TLS", "good/one-way-12", None,
            {"no_errors": True, "flows": 0}, snapped(54)),
    derived("cut-file-12", "The file ends in the middle of a block", "good/mtls-12", None, same(complete=False), cut),
    derived("cut-gzip-13", "A compressed file without its end", "good/mtls-13", None,
            {"no_errors": True, "complete": False}, lambda packets: (wire.gzipped(wire.pcapng(packets))[:-600], 0),
            suffix="pcapng.gz", note="How many frames can be read depends on the decompressor, so there is no `frames`."),
]

ORDER = [
    derived("twice-12", "Each packet was captured twice", "good/mtls-12", twice, same(findings=["capture-duplicated-packets"])),
    derived("twice-13", "Each packet was captured twice", "good/mtls-13", twice,
            same(version="TLS 1.3", findings=["capture-duplicated-packets"])),
    derived("shuffled-12", "Packets of 200 bytes in the wrong order", "good/small-segments-12", swapped(runs), same()),
    derived("shuffled-13", "Packets of 200 bytes in the wrong order", "good/small-segments-13", swapped(runs),
            same(version="TLS 1.3")),
    derived("shuffled-sides-12", "Packets in the wrong order, also between the sides: some answers stand before their questions",
            "good/small-segments-12", swapped(fours), same()),
    derived("resent-same-12", "The server's first packet comes twice, with the same bytes", "good/mtls-12",
            resent(lambda data: (data, 0)), same(silent=["tcp-overlap-conflict"])),
    derived("resent-overlapping-12", "A retransmission with other borders: it begins in the middle of what is known", "good/mtls-12",
            resent(lambda data: (data[700:], 700)), same(silent=["tcp-overlap-conflict"])),
    derived("resent-other-bytes-12", "A retransmission with another server random", "good/mtls-12", resent(other_random),
            {"outcome": "established", "findings": ["tcp-overlap-conflict"], "version": "TLS 1.2", "client_auth": SENT}),
    derived("resent-other-bytes-13", "A retransmission with another server random", "good/mtls-13", resent(other_random),
            {"outcome": "established", "findings": ["tcp-overlap-conflict"], "version": "TLS 1.3", "client_auth": SENT}),
]

FORM = [
    derived("vlan-12", "In a VLAN", "good/mtls-12", None, same(encapsulation=["vlan 10"]), tagged((0x8100, 10))),
    derived("qinq-13", "In a VLAN inside a provider's VLAN", "good/mtls-13", None,
            same(version="TLS 1.3", encapsulation=["vlan 200", "vlan 10"]), tagged((0x88A8, 200), (0x8100, 10))),
    derived("linux-cooked-12", "Linux cooked capture", "good/mtls-12", None, same(), linked(wire.cooked, wire.LINK_SLL)),
    derived("linux-cooked-2-13", "Linux cooked capture, version 2", "good/mtls-13", None, same(version="TLS 1.3"),
            linked(wire.cooked2, wire.LINK_SLL2)),
    derived("raw-ip-12", "Raw IP, no link layer", "good/mtls-12", None, same(), linked(lambda packet, side: packet, wire.LINK_RAW)),
    derived("raw-ip-v6-13", "Raw IPv6, no link layer", "good/ipv6-mtls-13", None, same(version="TLS 1.3"),
            linked(lambda packet, side: packet, wire.LINK_RAW)),
    derived("null-link-12", "BSD loopback", "good/mtls-12", None, same(), linked(wire.loopback, wire.LINK_NULL)),
    derived("ip-fragments-12", "IPv4 fragments", "good/mtls-12", fragmented, same()),
    derived("ip-fragments-v6-13", "IPv6 fragments", "good/ipv6-mtls-13", fragmented6, same(version="TLS 1.3")),
    derived("simple-packet-blocks-12", "Simple Packet Blocks: no time stamps, so nothing can be said of validity", "good/mtls-12", None,
            same(), simple_blocks),
    derived("two-sections-12", "A little-endian section and a big-endian one, two interfaces, an unknown block", "good/mtls-12", None,
            same(), two_sections),
    derived("among-others-12", "ARP, UDP, ICMP, LLDP and a runt between the packets", "good/mtls-12", None, same(), among_others),
]

CASES = [*PARTIAL, *ORDER, *FORM]
