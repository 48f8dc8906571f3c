"""From bytes to frames: TCP conversations as IP packets with valid checksums, and writers of capture files.

A packet is `(time_ns, ip_bytes, side)`: time since 1970 in nanoseconds, an IPv4 or IPv6 packet without its link layer,
and "client" or "server" for who sent it. The link layer comes on when a file is written, so that one recording can be
written as Ethernet, VLAN, Linux cooked, raw IP or loopback.
"""
import gzip
import hashlib
import ipaddress
import struct

# All captures begin here, whatever the machine's clock says: certificates are judged at capture time.
START_NS = 1_780_315_200 * 1_000_000_000  # 2026-06-01T12:00:00Z
LATER_NS = 1_938_081_600 * 1_000_000_000  # 2031-06-01T12:00:00Z, for the few that need a clock after the real one

CLIENT4, SERVER4 = "192.0.2.10", "198.51.100.20"  # RFC 5737
CLIENT6, SERVER6 = "2001:db8:1::10", "2001:db8:2::20"  # RFC 3849
CLIENT_MAC, SERVER_MAC = bytes.fromhex("02005e100001"), bytes.fromhex("02005e200002")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2 = 0, 1, 101, 113, 276


def checksum(data):
    """The Internet checksum, RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, target, protocol, payload, ident=0, flags_offset=0x4000):
    """An IPv4 or IPv6 packet (by the form of `source`) around `payload`."""
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    if len(a) == 16:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + a + b + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, flags_offset, 64, protocol, 0) + a + b
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def tcp_segment(source, target, sport, dport, seq, ack, flags, payload=b"", options=b"", window=502):
    """A TCP segment with its checksum over the pseudo header."""
    offset = (20 + len(options)) // 4
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4, flags, window, 0, 0)
    segment = head + options + payload
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    length = struct.pack(">IHBB", len(segment), 0, 0, 6) if len(a) == 16 else struct.pack(">BBH", 0, 6, len(segment))
    return segment[:16] + struct.pack(">H", checksum(a + b + length + segment)) + segment[18:]


def udp_datagram(source, target, sport, dport, payload):
    """A UDP datagram with its checksum over the pseudo header."""
    length = 8 + len(payload)
    datagram = struct.pack(">HHHH", sport, dport, length, 0) + payload
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    pseudo = a + b + (struct.pack(">IHBB", length, 0, 0, 17) if len(a) == 16 else struct.pack(">BBH", 0, 17, length))
    return datagram[:6] + struct.pack(">H", checksum(pseudo + datagram) or 0xFFFF) + payload


class Conversation:
    """One TCP connection, written down as packets: sequence numbers, acknowledgements and flags as a real stack sets them."""

    def __init__(self, name, client=CLIENT4, server=SERVER4, cport=50001, sport=8443, mss=1460, isn=None):
        self.address = {"client": client, "server": server}
        self.port = {"client": cport, "server": sport}
        self.mss = mss
        digest = hashlib.sha256(f"{name}/{cport}".encode()).digest()
        first = struct.unpack(">II", digest[:8])
        self.next = {"client": first[0] if isn is None else isn[0], "server": first[1] if isn is None else isn[1]}
        self.ident = {"client": digest[8] << 8, "server": digest[9] << 8}
        self.packets = []

    @staticmethod
    def other(side):
        return "server" if side == "client" else "client"

    def emit(self, time_ns, side, flags, payload=b"", options=b"", window=502):
        """One packet from `side`; moves its sequence number by what the packet occupies."""
        peer = self.other(side)
        ack = self.next[peer] if flags & ACK else 0
        segment = tcp_segment(self.address[side], self.address[peer], self.port[side], self.port[peer],
                              self.next[side], ack, flags, payload, options, window)
        self.ident[side] = (self.ident[side] + 1) & 0xFFFF
        packet = ip_packet(self.address[side], self.address[peer], 6, segment, self.ident[side])
        self.next[side] = (self.next[side] + len(payload) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
        if self.packets and time_ns <= self.packets[-1][0]:
            time_ns = self.packets[-1][0] + 1000
        self.packets.append((time_ns, packet, side))

    def syn(self, time_ns, side="client"):
        # MSS, NOP, window scale 7, NOP NOP, SACK permitted
        options = struct.pack(">BBH", 2, 4, self.mss) + bytes.fromhex("0103030701010402")
        self.emit(time_ns, side, SYN if side == "client" else SYN | ACK, b"", options, 64240)

    def open(self, time_ns):
        self.syn(time_ns)
        self.syn(time_ns + 20_000, "server")
        self.emit(time_ns + 30_000, "client", ACK)

    def data(self, time_ns, side, payload, ack=True):
        """`payload` in segments of at most the MSS, then the peer's acknowledgement."""
        for at in range(0, len(payload), self.mss):
            part = payload[at:at + self.mss]
            self.emit(time_ns, side, ACK | (PSH if at + self.mss >= len(payload) else 0), part)
        if ack:
            self.emit(time_ns, self.other(side), ACK)

    def fin(self, time_ns, side, ack=True):
        self.emit(time_ns, side, FIN | ACK)
        if ack:
            self.emit(time_ns, self.other(side), ACK)

    def rst(self, time_ns, side):
        self.emit(time_ns, side, RST | ACK)


# --- link layers ---

def is6(packet):
    return packet[0] >> 4 == 6


def ethertype(packet):
    return b"\x86\xdd" if is6(packet) else b"\x08\x00"


def ethernet(packet, side, tags=()):
    """An Ethernet II frame; `tags` are (TPID, VLAN id) outermost first."""
    macs = SERVER_MAC + CLIENT_MAC if side == "client" else CLIENT_MAC + SERVER_MAC
    vlan = b"".join(struct.pack(">HH", tpid, number) for tpid, number in tags)
    frame = macs + vlan + ethertype(packet) + packet
    return frame + bytes(max(0, 60 - len(frame)))  # the wire's minimum, as a capture on the receiver shows it


def cooked(packet, side):
    """Linux cooked capture, LINKTYPE_LINUX_SLL."""
    kind, mac = (4, CLIENT_MAC) if side == "client" else (0, SERVER_MAC)
    return struct.pack(">HHH", kind, 1, 6) + mac + b"\0\0" + ethertype(packet) + packet


def cooked2(packet, side):
    """Linux cooked capture v2, LINKTYPE_LINUX_SLL2."""
    kind, mac = (4, CLIENT_MAC) if side == "client" else (0, SERVER_MAC)
    return ethertype(packet) + struct.pack(">HIHBB", 0, 3, 1, kind, 6) + mac + b"\0\0" + packet


def loopback(packet, side):
    """BSD loopback, LINKTYPE_NULL: the address family in the byte order of the machine that captured (here little-endian)."""
    return struct.pack("<I", 30 if is6(packet) else 2) + packet


# --- capture files ---

def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order="<"):
    """A Section Header Block."""
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + option(4, b"tlscope testdata/make.py", order)
    return block(0x0A0D0D0A, body + option(0, b"", order), order)


def interface(link=LINK_ETHERNET, snaplen=262144, order="<", digits=9):
    """An Interface Description Block with time stamps of 10^-digits s."""
    body = struct.pack(order + "HHI", link, 0, snaplen) + option(2, b"lab0", order)
    return block(1, body + option(9, bytes([digits]), order) + option(0, b"", order), order)


def enhanced(time_ns, frame, length=None, order="<", number=0):
    """An Enhanced Packet Block of interface `number` (time stamps in ns)."""
    head = struct.pack(order + "IIIII", number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(frame), length or len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4), order)


def simple(frame, order="<"):
    """A Simple Packet Block: no time stamp, interface 0."""
    return block(3, struct.pack(order + "I", len(frame)) + frame, order)


def pcapng(packets, frame_of=ethernet, link=LINK_ETHERNET):
    frames = b"".join(enhanced(time_ns, frame_of(packet, side)) for time_ns, packet, side in packets)
    return section() + interface(link) + frames


def pcap(packets, order="<", nanoseconds=False, frame_of=ethernet, link=LINK_ETHERNET):
    """A classic capture file, little- or big-endian, in µs or ns."""
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for time_ns, packet, side in packets:
        frame = frame_of(packet, side)
        rest = time_ns % 1_000_000_000
        out += struct.pack(order + "IIII", time_ns // 1_000_000_000, rest if nanoseconds else rest // 1000,
                           len(frame), len(frame)) + frame
    return out


def gzipped(data):
    return gzip.compress(data, mtime=0)


def read_pcapng(data):
    """The packets of a file that `pcapng` above wrote (little-endian, Ethernet, no VLAN)."""
    packets, at = [], 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            _, high, low, captured, _ = struct.unpack_from("<IIIII", data, at + 8)
            frame = data[at + 28:at + 28 + captured]
            packet = frame[14:]
            length = 40 + struct.unpack_from(">H", packet, 4)[0] if is6(packet) else struct.unpack_from(">H", packet, 2)[0]
            packets.append((high << 32 | low, packet[:length], "client" if frame[6:12] == CLIENT_MAC else "server"))
        at += size
    return packets
