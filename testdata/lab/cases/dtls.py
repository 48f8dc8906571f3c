"""DTLS 1.2: the same handshake over datagrams."""
from ..case import MUTUAL, Case, s_client_typed, s_server

NEVER = {"requested": False, "certificate": "none"}
EMPTY = {"requested": True, "certificate": "empty"}
SENT = {"requested": True, "certificate": "sent"}
OWN = ["-cert", "client.pem", "-key", "client.key"]
OTHER = ["-cert", "client-wrong-ca.pem", "-key", "client-wrong-ca.key"]


def dtls(name, title, server, client, expect, **more):
    return Case(f"dtls/{name}", title, s_server("-dtls1_2", *server, serve=False),
                s_client_typed("sleep 0.4; echo hello; sleep 0.3; echo Q", "-dtls1_2", *client),
                {"version": "DTLS 1.2", **expect}, udp=True, **more)


def works(auth, **more):
    return {"outcome": "established", "no_errors": True, "client_auth": auth, **more}


def refused(cause, auth, words, hidden=()):
    cause = {"cause_any": [cause, *hidden]} if hidden else {"cause": cause, "findings": [cause]}
    return {"outcome": "failed", **cause, "client_auth": auth, "words": words}


CASES = [
    dtls("one-way-12", "DTLS 1.2, only the server has a certificate", [], [], works(NEVER, words=["Protocol  : DTLSv1.2"])),
    dtls("mtls-12", "DTLS 1.2, both have a certificate", MUTUAL, OWN, works(SENT, words=["CN = client-1"])),
    dtls("cookie-12", "DTLS 1.2 with HelloVerifyRequest: the server checks the client's address first", ["-listen"], [],
         works(NEVER)),
    dtls("fragments-12", "DTLS 1.2, both have a certificate, with an MTU of 400: messages lie across records and datagrams",
         [*MUTUAL, "-mtu", "400"], [*OWN, "-mtu", "400"], works(SENT)),
    dtls("client-flight-lost-12", "DTLS 1.2: the flight with the client's certificate gets lost after the capture and comes again",
         MUTUAL, OWN, works(SENT), drop=lambda side, number: side == "client" and number == 2),
    dtls("fragment-lost-12", "DTLS 1.2: one fragment of the server's certificate gets lost after the capture, the flight comes again",
         MUTUAL, OWN, works(SENT), drop=lambda side, number: side == "server" and number == 4),
    dtls("ipv6-mtls-12", "DTLS 1.2 over IPv6, both have a certificate", MUTUAL, OWN, works(SENT), ip6=True),
    dtls("client-cert-missing-12", "DTLS 1.2: the server requires a client certificate and the client sends none", MUTUAL, [],
         refused("client-cert-missing", EMPTY, ["alert handshake failure", "peer did not return a certificate"]), guide=5),
    dtls("client-cert-wrong-ca-12", "DTLS 1.2: the client's certificate is of a CA that the server does not know", MUTUAL, OTHER,
         refused("client-cert-unknown-ca", SENT, ["alert unknown ca"], ["client-cert-issuer-not-in-ca-list"]), guide=6),
]
