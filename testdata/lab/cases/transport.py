"""What goes wrong below, before and after TLS, and TLS that does not begin with the first byte."""
import struct
import subprocess

from .. import relay, wire
from ..case import ENV, Case, curl, peer, s_client, s_client_typed, s_server
from .damaged import payload, recorded

NEVER = {"requested": False, "certificate": "none"}
TLS12 = ["--tls-max", "1.2"]
GET = "GET /hello.txt HTTP/1.0\r\n\r\n"
MS = 1_000_000


def failed(cause, words=(), hidden=(), **more):
    expect = {"outcome": "failed"}
    expect |= {"cause_any": [cause, *hidden]} if hidden else {"cause": cause, "findings": [cause]}
    return expect | more | ({"words": list(words)} if words else {})


def none(cause, words=(), hidden=(), **more):
    """A connection that carries no TLS, reported because a finding is about it."""
    return failed(cause, words, hidden, protocol="none", **more)


def python_server(role, *options):
    return peer(role, *options, port="{server}")


# --- written by hand, because no relay can stand between peers that never connect ---

def refused():
    """A SYN and its RST, for a refusal that really happens to curl on loopback."""
    command = [word.replace("{port}", str(relay.free_port())) for word in curl(root=None)]
    said = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False).stderr
    if "Failed to connect" not in said and "Connection refused" not in said:
        raise SystemExit(f"transport/refused: curl says {said!r}")
    talk = wire.Conversation("refused")
    talk.syn(wire.START_NS)
    talk.rst(wire.START_NS + 150_000, "server")
    return talk.packets, ["curl https://tls-server.local:8443/ (nothing listens)", "packets written by hand"]


def unanswered():
    """SYNs with the back-off of a Linux client, and no answer."""
    talk = wire.Conversation("unanswered")
    for seconds in (0, 1, 3, 7, 15, 31):
        talk.syn(wire.START_NS + seconds * 1000 * MS)
        talk.next["client"] -= 1
    return talk.packets, ["packets written by hand: SYNs after 0, 1, 3, 7, 15 and 31 s, as Linux sends them"]


def unreachable():
    """A SYN and a router's answer: communication administratively prohibited."""
    talk = wire.Conversation("unreachable")
    talk.syn(wire.START_NS)
    quoted = talk.packets[0][1][:28]
    icmp = struct.pack(">BBHI", 3, 13, 0, 0) + quoted
    icmp = icmp[:2] + struct.pack(">H", wire.checksum(icmp)) + icmp[4:]
    answer = wire.ip_packet("198.51.100.1", wire.CLIENT4, 1, icmp, 77)
    return talk.packets + [(wire.START_NS + 2 * MS, answer, "server")], ["packets written by hand"]


def backlog():
    """A full accept queue as Linux treats it: the client's ACK and data are dropped, the SYN-ACK is repeated after a second."""
    packets = recorded("good/one-way-12")
    hello = next(at for at, (_, packet, side) in enumerate(packets) if side == "client" and payload(packet))
    first = packets[0][0]
    again = [(first + ms * MS, *packets[at][1:]) for ms, at in ((210, hello), (640, hello), (1000, 1), (1001, 2), (1500, hello))]
    later = [(time_ns + 1500 * MS, packet, side) for time_ns, packet, side in packets[hello + 1:]]
    return packets[:hello + 1] + again + later, ["good/one-way-12.pcapng, with retransmissions put in by testdata/lab/cases/transport.py"]


HAND = [
    Case("transport/accept-backlog", "The server's accept queue is full at first: it repeats its SYN-ACK after the client has sent data",
         None, None, {"outcome": "established", "findings": ["tcp-accept-backlog"], "no_errors": True}, build=backlog),
    Case("transport/refused", "Nothing listens on the port: the SYN is answered by a reset", None, None,
         none("tcp-refused"), build=refused),
    Case("transport/unanswered-syn", "Nobody answers the SYN: a firewall, a wrong route, a host that is down", None, None,
         none("tcp-syn-timeout"), build=unanswered),
    Case("transport/icmp-prohibited", "A router answers the SYN: administratively prohibited", None, None,
         none("tcp-icmp-unreachable"), build=unreachable),
]

SERVERS = [
    Case("transport/closed-after-hello", "The server closes after the ClientHello without a word",
         python_server("close-after-hello"), curl(),
         failed("server-closed-after-client-hello", ["unexpected eof|SSL_ERROR_SYSCALL|Connection reset"])),
    Case("transport/reset-after-hello", "The server resets the connection after the ClientHello",
         python_server("reset-after-hello"), curl(),
         failed("server-closed-after-client-hello", ["Connection reset|SSL_ERROR_SYSCALL"], ["rst-during-hello"])),
    Case("transport/closed-at-once", "The server accepts and closes before it can have read anything",
         python_server("close-at-once"), curl(),
         failed("server-closed-after-client-hello", ["unexpected eof|SSL_ERROR_SYSCALL|Connection reset"],
                ["rst-during-hello", "fin-during-hello"])),
    Case("transport/silent-server", "The server takes the ClientHello and never answers; the client gives up after 2 s",
         python_server("silent"), curl("--max-time", "2"), failed("server-hello-timeout", ["timed out"])),
    Case("transport/plain-http-to-tls", "A client speaks plain HTTP to a TLS port", s_server(), curl(scheme="http", root=None),
         none("plaintext-http-to-tls-port", ["http request"])),
    Case("transport/proxy-header-to-tls", "A load balancer's PROXY protocol header goes to a TLS server that does not expect it",
         s_server(), curl("--haproxy-protocol"), failed("proxy-protocol-unexpected", ["wrong version number"])),
    Case("transport/ssh-to-tls", "An SSH client's banner goes to a TLS port", s_server(), peer("say", "SSH-2.0-OpenSSH_9.2"),
         none("ssh-on-tls-port"), sport=443),
    Case("transport/tls-to-plain-http", "A client speaks TLS to a plain HTTP port",
         ["node", "-e", 'require("http").createServer().listen({server},"127.0.0.1",()=>console.log("ACCEPT"))'], curl(),
         failed("tls-to-plaintext-port", ["wrong version number"])),
    Case("transport/tls-to-smtp", "A client speaks TLS at once to a port on which the server greets first (SMTP, STARTTLS)",
         python_server("greeting", "220 tls-server.local ESMTP"), curl(),
         failed("tls-to-starttls-port", ["wrong version number"]), sport=587),
    Case("transport/tls-to-ssh", "A client speaks TLS to an SSH server", python_server("greeting", "SSH-2.0-OpenSSH_9.2"), curl(),
         failed("tls-to-plaintext-port", ["wrong version number"]), sport=22),
    Case("transport/alpn-mismatch-12", "TLS 1.2: no common application protocol", s_server("-tls1_2", "-alpn", "h2"),
         s_client("-tls1_2", "-alpn", "http/1.1"), failed("alpn-mismatch", ["alert no application protocol"])),
    Case("transport/alpn-mismatch-13", "TLS 1.3: no common application protocol", s_server("-tls1_3", "-alpn", "h2"),
         s_client("-tls1_3", "-alpn", "http/1.1"), failed("alpn-mismatch", ["alert no application protocol"])),
    Case("transport/unrecognized-name-12", "TLS 1.2: the server knows no host of the name that the client asks for",
         s_server("-tls1_2", "-servername", "www.example", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.key"),
         s_client("-tls1_2"), failed("unrecognized-name", ["unrecognized name"])),
    Case("transport/unrecognized-name-13", "TLS 1.3: the server knows no host of the name that the client asks for",
         s_server("-tls1_3", "-servername", "www.example", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.key"),
         s_client("-tls1_3"), failed("unrecognized-name", ["unrecognized name"])),
]

LOOK_UP = """const r = new (require("dns").promises.Resolver)({timeout: 700, tries: 4}); r.setServers(["127.0.0.1:{port}"]); (async () => {
for (const n of ["tls-server.local.corp.example", "tls-server.local", "nosuch.example", "lost.example"])
await r.resolve4(n).then(a => console.log(n, a[0]), e => console.log(n, e.code)) })()"""

DNS = [
    Case("transport/dns", "Names that a client asks for: one that does not exist, one that nobody answers, one found by its search list",
         python_server("nameserver"), ["node", "-e", LOOK_UP.replace("\n", " ")],
         {"flows": 0, "whole": ["dns-name-not-found", "dns-no-answer"],
          "words": ["tls-server.local 198.51.100.20", "nosuch.example ENOTFOUND", "lost.example ETIMEOUT"]},
         udp=True, sport=53),
]

CLIENTS = [
    Case("transport/client-closes-after-server-flight-13", "TLS 1.3: the client reads the server's flight and closes without a word",
         s_server("-tls1_3"), peer("abort-after-server-hello", "fin"),
         failed("client-rejects-after-server-flight", [], ["server-cert-rejected", "handshake-abandoned", "fin-during-cert-flight"],
                version="TLS 1.3")),
    Case("transport/client-resets-after-server-flight-12", "TLS 1.2: the client reads the server's flight and resets",
         s_server("-tls1_2"), peer("abort-after-server-hello", "rst"),
         failed("rst-during-cert-flight", [], ["client-rejects-after-server-flight", "server-cert-rejected", "handshake-abandoned"],
                version="TLS 1.2", client_auth=NEVER)),
    Case("transport/probe", "A client connects and goes away without a byte, as health checks do", s_server("-tls1_3"), peer("probe"),
         {"outcome_any": ["failed", "incomplete"], "findings": ["tcp-half-open-no-data"], "no_errors": True, "protocol": "tls"}),
    Case("transport/closes-after-finished-13", "TLS 1.3: the client completes the handshake and leaves without data",
         s_server("-tls1_3", serve=False), s_client_typed("sleep 0.3; echo Q", "-tls1_3"),
         {"outcome_any": ["established", "rejected"], "silent": ["server-cert-rejected"], "version": "TLS 1.3",
          "client_auth": NEVER}),
]


def ends(how, version, title, findings):
    return Case(f"transport/{how}-after-data-{version.replace('.', '')}", f"TLS {version}: {title}",
                python_server("tls-without-close-notify", how), curl("--tls-max", version),
                {"outcome": "established", "findings": findings, "version": f"TLS {version}", "client_auth": NEVER})


AFTER = [
    ends("fin", "1.2", "the server closes without close_notify after its answer", ["no-close-notify"]),
    ends("fin", "1.3", "the server closes without close_notify after its answer", ["no-close-notify"]),
    ends("rst", "1.2", "the server resets the connection after its answer", ["no-close-notify"]),
    ends("rst", "1.3", "the server resets the connection after its answer", ["no-close-notify"]),
]

SMTP = ["openssl", "s_client", "-connect", "127.0.0.1:{port}", "-starttls", "smtp", "-name", "client.example", "-CAfile", "root.pem",
        "-servername", "tls-server.local"]
PROXIED = ["curl", "--silent", "--show-error", "--max-time", "10", "--proxy", "http://127.0.0.1:{port}", "--cacert", "root.pem",
           "https://tls-server.local:8443/"]


def upgraded(how, version, **more):
    return {"outcome": "established", "no_errors": True, "upgrade": how, "version": version, "client_auth": NEVER, **more}


UPGRADE = [
    Case("upgrade/smtp-12", "SMTP with STARTTLS, then TLS 1.2", python_server("smtp", "220 ready"), [*SMTP, "-tls1_2"],
         upgraded("smtp", "TLS 1.2"), sport=587, stdin="QUIT\r\n"),
    Case("upgrade/smtp-13", "SMTP with STARTTLS, then TLS 1.3", python_server("smtp", "220 ready"), [*SMTP, "-tls1_3"],
         upgraded("smtp", "TLS 1.3"), sport=587, stdin="QUIT\r\n"),
    Case("upgrade/smtp-refused", "SMTP: the server offers STARTTLS and refuses it", python_server("smtp", "454 TLS not available"),
         SMTP, none("starttls-refused"), sport=587),
    Case("upgrade/postgres-13", "PostgreSQL: SSLRequest, then TLS 1.3", python_server("postgres", "S"),
         peer("postgres-client", "require"), upgraded("postgres", "TLS 1.3"), sport=5432),
    Case("upgrade/postgres-refused", "PostgreSQL: the server has no TLS and the client insists", python_server("postgres", "N"),
         peer("postgres-client", "require"),
         none("postgres-ssl-denied", ["server does not support SSL, but SSL was required"], ["starttls-refused"]), sport=5432),
    Case("upgrade/http-connect-12", "Through an HTTP proxy with CONNECT, then TLS 1.2", python_server("proxy", "200 Established"),
         [*PROXIED, "--tls-max", "1.2"], upgraded("http-connect", "TLS 1.2"), sport=3128),
    Case("upgrade/http-connect-13", "Through an HTTP proxy with CONNECT, then TLS 1.3", python_server("proxy", "200 Established"),
         PROXIED, upgraded("http-connect", "TLS 1.3"), sport=3128),
    Case("upgrade/http-connect-denied", "The proxy refuses CONNECT", python_server("proxy", "407 Proxy Authentication Required"),
         PROXIED, none("connect-proxy-denied", ["407"]), sport=3128),
    Case("upgrade/smtp-to-tls-port", "A client waits for an SMTP greeting and says EHLO on a port with TLS from the first byte",
         s_server(), peer("smtp-to-tls"), none("starttls-to-implicit-port"), sport=465),
]

CASES = [*HAND, *DNS, *SERVERS, *CLIENTS, *AFTER, *UPGRADE]
