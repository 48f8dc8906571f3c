"""Client authentication beyond the guide's rows: how servers ask, what clients show, and which stack does it how."""
from .. import wire
from ..case import MUTUAL, Case, client_cert, curl, s_client_typed, s_server

EMPTY = {"requested": True, "certificate": "empty"}
SENT = {"requested": True, "certificate": "sent"}
TLS12 = ["--tls-max", "1.2"]
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def works(version, auth, *findings, **more):
    return {"outcome": "established", "no_errors": True, "findings": list(findings), "version": f"TLS {version}", "client_auth": auth,
            **more}


def asking(*names):
    """A server that asks for a certificate of these CAs and goes on without one."""
    return s_server("-tls1_2", "-verify", "10", "-CAfile", *names)


LISTS = [
    Case("client/ca-list-bundle-12", "TLS 1.2: the server gives the bundle of the operating system as its list of client CAs",
         asking(BUNDLE), curl(*TLS12), works("1.2", EMPTY, "ca-list-huge", "ca-list-is-public-roots"), suffix="pcapng.gz",
         write=lambda packets: wire.gzipped(wire.pcapng(packets))),
    Case("client/ca-list-directory-12", "TLS 1.2: the list of client CAs shows the name of an internal directory",
         asking("directory-ca.pem"), curl(*TLS12), works("1.2", EMPTY, "ca-list-leaks-internal-names")),
]

CERTIFICATES = [
    Case("client/mail-12", "TLS 1.2: the client's certificate shows a mailbox to everybody", s_server("-tls1_2", *MUTUAL),
         curl(*TLS12, *client_cert("client-mail")), works("1.2", SENT, "client-cert-privacy-leak", words=["A. Person"])),
    Case("client/encipher-only-12", "TLS 1.2: the client's certificate may encipher keys, not sign", s_server("-tls1_2", *MUTUAL),
         curl(*TLS12, *client_cert("client-encipher")),
         {"outcome": "failed", "cause": "client-cert-key-usage", "findings": ["client-cert-key-usage"], "version": "TLS 1.2",
          "client_auth": SENT, "words": ["alert unsupported certificate", "unsuitable certificate purpose"]}),
]



def typed_server(typed, *options):
    """s_server with somebody at the keyboard, who asks for a second handshake with R (a certificate with it)."""
    return ["sh", "-c", f"({typed}) | {' '.join(s_server('-tls1_2', *options, serve=False))} 2>&1"]


RENEGOTIATED = [
    Case("client/asked-later-12", "TLS 1.2: the server asks for a second handshake and for a certificate in it, the client has one",
         typed_server("sleep 0.8; echo R; sleep 0.3; echo hello; sleep 0.5; echo Q", "-CAfile", "client-ca.pem"),
         s_client_typed("echo hello; sleep 1.5; echo Q", "-tls1_2", "-cert", "client.pem", "-key", "client.key"),
         works("1.2", {"requested": False, "certificate": "none"}, "renegotiation-server", "renegotiation-client", words=["SSL_do_handshake -> 1"])),
    Case("client/asked-later-refused-12", "TLS 1.2: the server asks for a second handshake, the client refuses it, the server closes",
         typed_server("sleep 0.8; echo R; sleep 1; echo Q", "-CAfile", "client-ca.pem"),
         s_client_typed("echo hello; sleep 1.5; echo Q", "-tls1_2", "-no_renegotiation"),
         works("1.2", {"requested": False, "certificate": "none"}, "renegotiation-server", "renegotiation-refused",
               "client-cert-missing-then-renegotiation", words=["no renegotiation|alert handshake failure"])),
]

CASES = [*LISTS, *CERTIFICATES, *RENEGOTIATED]
