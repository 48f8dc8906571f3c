"""Every alert once from each side: the hellos are real, the alerts constructed, because no program sends them all on demand."""
from .. import wire
from ..case import Case
from .damaged import payload, recorded

FATAL, WARNING = 2, 1
# IANA's TLS Alerts registry, by the names of report.md
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
    44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
    49: "access_denied", 50: "decode_error", 51: "decrypt_error", 60: "export_restriction", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
    109: "missing_extension", 110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
    116: "certificate_required", 117: "general_error", 120: "no_application_protocol", 121: "ech_required", 255: None,
}
WARNINGS = {0, 41, 90, 100}
BASE = "good/mtls-ec-12"
MS = 1_000_000


def conversations(sender):
    """One connection for each alert: a real ClientHello, for the client's alerts a real server flight, then the alert and FIN."""
    packets = recorded(BASE)
    hello = next(payload(packet) for _, packet, side in packets if side == "client" and payload(packet))
    flight, after = b"", False
    for _, packet, side in packets:
        if side == "server" and payload(packet):
            flight, after = flight + payload(packet), True
        elif after and payload(packet):
            break
    out = []
    for number, code in enumerate(ALERTS):
        at = wire.START_NS + number * 100 * MS
        talk = wire.Conversation(f"alerts-{sender}", cport=50001 + number)
        talk.open(at)
        talk.data(at + 1 * MS, "client", hello)
        if sender == "client":
            talk.data(at + 2 * MS, "server", flight)
        talk.data(at + 3 * MS, sender, bytes([21, 3, 3, 0, 2, WARNING if code in WARNINGS else FATAL, code]))
        talk.fin(at + 4 * MS, sender)
        talk.fin(at + 5 * MS, talk.other(sender))
        out += talk.packets
    return out, [f"hellos of {BASE}.pcapng, alerts constructed by testdata/lab/cases/alerts.py"]


def each(sender):
    out = []
    for code, name in ALERTS.items():
        alert = {"from": sender, "id": f"0x{code:02x}", "level": "warning" if code in WARNINGS else "fatal"}
        one = {"outcome": "failed", "alert": alert | ({"name": name} if name else {})}
        out.append(one | ({"version": "TLS 1.2"} if sender == "client" else {}))
    return out


CASES = [
    Case("alerts/from-server", "Each alert as the server's answer to a ClientHello", None, None, {"flows": len(ALERTS)},
         each=each("server"), build=lambda: conversations("server")),
    Case("alerts/from-client", "Each alert as the client's answer to the server's TLS 1.2 flight", None, None,
         {"flows": len(ALERTS)},
         each=each("client"), build=lambda: conversations("client"), suffix="pcapng.gz",
         write=lambda packets: wire.gzipped(wire.pcapng(packets)), note="Compressed, because the same certificates occur in each."),
]
