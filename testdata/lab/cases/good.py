"""Handshakes that work: in the plain ones nothing may be called an error; the weak ones name what is weak."""
from ..case import MUTUAL, Case, client_cert, curl, gnutls, peer, s_client, s_client_typed, s_server
from .. import wire

NEVER = {"requested": False, "certificate": "none"}
EMPTY = {"requested": True, "certificate": "empty"}
SENT = {"requested": True, "certificate": "sent"}
OLD = ["-cipher", "DEFAULT@SECLEVEL=0"]
WEAK = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
TLS12 = ["--tls-max", "1.2"]
GET = "GET /hello.txt HTTP/1.0\r\n\r\n"


def good(version, auth=None, **more):
    expect = {"outcome": "established", "no_errors": True, "version": version, "client_auth": auth or NEVER, **more}
    return expect


def weak(version, *findings, **more):
    """Works, but has something that is called an error or a warning."""
    return {"outcome": "established", "findings": list(findings), "version": version, "client_auth": NEVER, **more}


def ask(*options):
    """s_client that sends one HTTP request and reads until the server closes."""
    return s_client("-ign_eof", *options)


def weak_suite(name, suite, findings, *server, cert="server"):
    return Case(f"good/{name}", f"TLS 1.2 with {suite}", s_server("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", *server, cert=cert),
                ask("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0"), stdin=GET,
                expect=weak("TLS 1.2", *findings, words=[f"Cipher    : {suite}"]))


FULL = {"outcome": "established", "no_errors": True, "resumed": False, "client_auth": NEVER}
AGAIN = FULL | {"resumed": True}
PLAIN = [
    Case("good/one-way-12", "TLS 1.2, only the server has a certificate", s_server("-tls1_2"), curl(*TLS12),
         good("TLS 1.2", words=["hello"])),
    Case("good/one-way-13", "TLS 1.3, only the server has a certificate", s_server("-tls1_3"), curl(),
         good("TLS 1.3", words=["hello"])),
    Case("good/mtls-12", "TLS 1.2, both have a certificate", s_server("-tls1_2", *MUTUAL), curl(*TLS12, *client_cert()),
         good("TLS 1.2", SENT, words=["CN = client-1"])),
    Case("good/mtls-13", "TLS 1.3, both have a certificate", s_server("-tls1_3", *MUTUAL), curl(*client_cert()),
         good("TLS 1.3", SENT, words=["CN = client-1"])),
    Case("good/mtls-ec-12", "TLS 1.2, both have an EC certificate", s_server("-tls1_2", *MUTUAL, cert="server-ec"),
         curl(*TLS12, *client_cert("client-ec")), good("TLS 1.2", SENT, words=["CN = client-2"])),
    Case("good/mtls-ec-13", "TLS 1.3, both have an EC certificate", s_server("-tls1_3", *MUTUAL, cert="server-ec"),
         curl(*client_cert("client-ec")), good("TLS 1.3", SENT, words=["CN = client-2"])),
    Case("good/ed25519-12", "TLS 1.2, the server has an Ed25519 certificate", s_server("-tls1_2", cert="server-ed25519"),
         curl(*TLS12), good("TLS 1.2")),
    Case("good/ed25519-13", "TLS 1.3, the server has an Ed25519 certificate", s_server("-tls1_3", cert="server-ed25519"),
         curl(), good("TLS 1.3")),
    Case("good/optional-no-cert-12", "TLS 1.2: the server asks for a certificate, gets none and goes on",
         s_server("-tls1_2", "-verify", "10", "-CAfile", "client-ca.pem"), curl(*TLS12),
         good("TLS 1.2", EMPTY, findings=["client-cert-missing-tolerated"], silent=["client-cert-missing"])),
    Case("good/optional-no-cert-13", "TLS 1.3: the server asks for a certificate, gets none and goes on",
         s_server("-tls1_3", "-verify", "10", "-CAfile", "client-ca.pem"), curl(),
         good("TLS 1.3", EMPTY, findings=["client-cert-missing-tolerated"], silent=["client-cert-missing"])),
    Case("good/hello-retry-13", "TLS 1.3: the client's key share is not the server's group, one more round trip",
         s_server("-tls1_3", "-groups", "P-384"), curl("--curves", "X25519:P-384"),
         good("TLS 1.3", hello_retry=True, findings=["hrr"])),
    Case("good/mtls-hello-retry-13", "TLS 1.3: a HelloRetryRequest, then both have a certificate",
         s_server("-tls1_3", "-groups", "P-384", *MUTUAL), curl("--curves", "X25519:P-384", *client_cert()),
         good("TLS 1.3", SENT, hello_retry=True)),
    Case("good/alpn-h2-12", "TLS 1.2 with ALPN: h2 is chosen", s_server("-tls1_2", "-alpn", "h2,http/1.1"),
         ask("-tls1_2", "-alpn", "h2,http/1.1"), good("TLS 1.2", alpn="h2", words=["ALPN protocol: h2"]), stdin=GET),
    Case("good/alpn-h2-13", "TLS 1.3 with ALPN: what is chosen is encrypted", s_server("-tls1_3", "-alpn", "h2,http/1.1"),
         ask("-tls1_3", "-alpn", "h2,http/1.1"), good("TLS 1.3", words=["ALPN protocol: h2"]), stdin=GET),
    Case("good/ocsp-staple-12", "TLS 1.2 with a stapled OCSP answer: good", s_server("-tls1_2", "-status_file", "staple.der"),
         ask("-tls1_2", "-status"), good("TLS 1.2", words=["Cert Status: good"]), stdin=GET,
         start=wire.LATER_NS, note="Begins in 2031: a staple's thisUpdate is the day on which the capture was made."),
    Case("good/python-12", "TLS 1.2 from Python, with an orderly close on both sides", s_server("-tls1_2"),
         peer("tls", "tls-server.local"), good("TLS 1.2", words=["TLSv1.2"])),
    Case("good/cipher-chacha-13", "TLS 1.3 with ChaCha20-Poly1305, mutual",
         s_server("-tls1_3", *MUTUAL, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), curl(*client_cert()),
         good("TLS 1.3", SENT, cipher_suite="TLS_CHACHA20_POLY1305_SHA256")),
    Case("good/cipher-aes128-13", "TLS 1.3 with AES-128-GCM (a Finished of 32 bytes), mutual",
         s_server("-tls1_3", *MUTUAL, "-ciphersuites", "TLS_AES_128_GCM_SHA256"), curl(*client_cert()),
         good("TLS 1.3", SENT, cipher_suite="TLS_AES_128_GCM_SHA256")),
    Case("good/client-closes-first-13", "TLS 1.3: the client speaks, then ends the connection itself",
         s_server("-tls1_3", serve=False), s_client_typed("echo hello; sleep 0.3; echo Q", "-tls1_3"), good("TLS 1.3")),
]

WAYS = [
    Case("good/ipv6-mtls-13", "TLS 1.3 over IPv6, both have a certificate", s_server("-tls1_3", *MUTUAL), curl(*client_cert()),
         good("TLS 1.3", SENT), ip6=True),
    Case("good/ipv6-one-way-12", "TLS 1.2 over IPv6, only the server has a certificate", s_server("-tls1_2"), curl(*TLS12),
         good("TLS 1.2"), ip6=True),
    Case("good/small-segments-12", "TLS 1.2, both have a certificate: 200 bytes a segment, messages lie across many frames",
         s_server("-tls1_2", *MUTUAL), curl(*TLS12, *client_cert()), good("TLS 1.2", SENT), mss=200),
    Case("good/small-segments-13", "TLS 1.3, both have a certificate: 200 bytes a segment, records lie across many frames",
         s_server("-tls1_3", *MUTUAL), curl(*client_cert()), good("TLS 1.3", SENT), mss=200),
    Case("good/tiny-segments-12", "TLS 1.2: 17 bytes a segment, headers of records and messages are cut, too",
         s_server("-tls1_2", cert="server-ec"), curl(*TLS12), good("TLS 1.2"), mss=17),
    Case("good/small-records-12", "TLS 1.2: the server sends at most 512 bytes a record, messages lie across records",
         s_server("-tls1_2", "-max_send_frag", "512", *MUTUAL), curl(*TLS12, *client_cert()), good("TLS 1.2", SENT)),
    Case("good/small-records-13", "TLS 1.3: the server sends at most 512 bytes a record, messages lie across records",
         s_server("-tls1_3", "-max_send_frag", "512", *MUTUAL), curl(*client_cert()), good("TLS 1.3", SENT)),
    Case("good/sequence-wraps-12", "TLS 1.2: the sequence numbers of both sides pass 2^32 in the handshake", s_server("-tls1_2"),
         curl(*TLS12), good("TLS 1.2"), isn=(0xFFFFFFF0, 0xFFFFFC00)),
    Case("good/pcap-microseconds-12", "TLS 1.2 in a classic capture file, µs", s_server("-tls1_2"), curl(*TLS12), good("TLS 1.2"),
         suffix="pcap", write=wire.pcap),
    Case("good/pcap-nanoseconds-big-endian-13", "TLS 1.3 in a classic capture file, ns, big-endian", s_server("-tls1_3"), curl(),
         good("TLS 1.3"), suffix="pcap", write=lambda packets: wire.pcap(packets, ">", True)),
    Case("good/pcap-microseconds-big-endian-12", "TLS 1.2 in a classic capture file, µs, big-endian", s_server("-tls1_2"),
         curl(*TLS12), good("TLS 1.2"), suffix="pcap", write=lambda packets: wire.pcap(packets, ">")),
    Case("good/gzip-mtls-13", "TLS 1.3, both have a certificate, in a gzip-compressed file", s_server("-tls1_3", *MUTUAL),
         curl(*client_cert()), good("TLS 1.3", SENT), suffix="pcapng.gz", write=lambda packets: wire.gzipped(wire.pcapng(packets))),
]

RESUMED = [
    Case("good/resumed-session-id-12", "TLS 1.2: a full handshake, then its session again by session id",
         s_server("-tls1_2", "-no_ticket"), [ask("-tls1_2", "-no_ticket", "-sess_out", "sid.pem"),
                                             ask("-tls1_2", "-no_ticket", "-sess_in", "sid.pem")], stdin=GET,
         expect={"flows": 2, "words": ["Reused, TLSv1.2"]},
         each=[FULL | {"version": "TLS 1.2"}, AGAIN | {"version": "TLS 1.2", "findings": ["resumption-ok"]}]),
    Case("good/resumed-ticket-12", "TLS 1.2: a full handshake, then its session again by ticket", s_server("-tls1_2"),
         [ask("-tls1_2", "-sess_out", "t12.pem"), ask("-tls1_2", "-sess_in", "t12.pem")], stdin=GET,
         expect={"flows": 2, "words": ["Reused, TLSv1.2"]},
         each=[FULL | {"version": "TLS 1.2"}, AGAIN | {"version": "TLS 1.2", "findings": ["resumption-ok"]}]),
    Case("good/resumed-psk-13", "TLS 1.3: a full handshake, then its session again by PSK", s_server("-tls1_3"),
         [ask("-tls1_3", "-sess_out", "t13.pem"), ask("-tls1_3", "-sess_in", "t13.pem")], stdin=GET,
         expect={"flows": 2, "words": ["Reused, TLSv1.3"]},
         each=[FULL | {"version": "TLS 1.3"}, AGAIN | {"version": "TLS 1.3", "findings": ["resumption-ok"]}]),
    Case("good/resumed-mtls-13", "TLS 1.3, both have a certificate, then the session again: no certificates any more",
         s_server("-tls1_3", *MUTUAL), [ask("-tls1_3", "-sess_out", "m13.pem", "-cert", "client.pem", "-key", "client.key"),
                                        ask("-tls1_3", "-sess_in", "m13.pem", "-cert", "client.pem", "-key", "client.key")],
         stdin=GET, expect={"flows": 2, "words": ["Reused, TLSv1.3"]},
         each=[FULL | {"version": "TLS 1.3", "client_auth": SENT}, AGAIN | {"version": "TLS 1.3"}]),
    Case("good/early-data-13", "TLS 1.3: a full handshake, then early data accepted, then the same ticket again: rejected",
         s_server("-tls1_3", "-early_data", serve=False),
         [s_client_typed("echo hello; sleep 0.5; echo Q", "-tls1_3", "-sess_out", "early.pem"),
          s_client_typed("echo hello; sleep 0.5; echo Q", "-tls1_3", "-sess_in", "early.pem", "-early_data", "request.txt"),
          s_client_typed("echo hello; sleep 0.5; echo Q", "-tls1_3", "-sess_in", "early.pem", "-early_data", "request.txt")],
         expect={"flows": 3, "words": ["Early data was accepted", "Early data was rejected"]},
         each=[FULL | {"version": "TLS 1.3"}, AGAIN | {"version": "TLS 1.3", "early_data": "accepted",
                                                      "findings": ["early-data-accepted"]},
               FULL | {"version": "TLS 1.3", "early_data": "rejected", "findings": ["early-data-rejected"]}]),
    Case("good/post-handshake-auth-13", "TLS 1.3: the server asks for a certificate after the handshake and gets one",
         ["sh", "-c", "(sleep 0.6; echo c; sleep 1.5) | " + " ".join(s_server("-tls1_3", "-CAfile", "client-ca.pem", serve=False))],
         s_client_typed("echo hello; sleep 1.2; echo Q", "-tls1_3", "-enable_pha", "-cert", "client.pem", "-key", "client.key"),
         {"outcome": "established", "no_errors": True, "version": "TLS 1.3", "findings": ["post-handshake-auth-requested"],
          "words": ["CN = client-1"]}),
    Case("good/renegotiation-12", "TLS 1.2: the client starts a second handshake inside the first",
         s_server("-tls1_2", "-client_renegotiation", serve=False),
         s_client_typed("echo hello; sleep 0.3; echo R; sleep 0.5; echo Q", "-tls1_2"),
         good("TLS 1.2", findings=["renegotiation-client"], words=["RENEGOTIATING"])),
]

OLD_AND_WEAK = [
    Case("good/tls-10", "TLS 1.0", s_server("-tls1", *OLD), ask("-tls1", *OLD), stdin=GET,
         expect=weak("TLS 1.0", "tls10-negotiated", words=["Protocol  : TLSv1"])),
    Case("good/tls-11", "TLS 1.1", s_server("-tls1_1", *OLD), ask("-tls1_1", *OLD), stdin=GET,
         expect=weak("TLS 1.1", "tls11-negotiated", words=["Protocol  : TLSv1.1"])),
    Case("good/mtls-tls-10", "TLS 1.0, both have a certificate", s_server("-tls1", *OLD, *MUTUAL),
         ask("-tls1", *OLD, "-cert", "client.pem", "-key", "client.key"), stdin=GET,
         expect=weak("TLS 1.0", "tls10-negotiated", words=["CN = client-1"]) | {"client_auth": SENT}),
    weak_suite("no-forward-secrecy-12", "AES128-SHA", ["no-forward-secrecy", "cipher-cbc-sha1"]),
    weak_suite("null-cipher-12", "NULL-SHA256", ["cipher-null", "no-forward-secrecy"]),
    weak_suite("anonymous-12", "ADH-AES128-SHA256", ["cipher-anon"]),
    weak_suite("dhe-2048-12", "DHE-RSA-AES128-GCM-SHA256", []),
    Case("good/weak-rsa-1024-12", "TLS 1.2: the server has an RSA key of 1024 bits",
         s_server("-tls1_2", *OLD, cert="server-rsa1024"), ask("-tls1_2", *OLD), stdin=GET,
         expect=weak("TLS 1.2", "rsa-key-weak", words=["1024 bit"])),
    Case("good/sha1-signature-12", "TLS 1.2: the server's certificate is signed with SHA-1",
         s_server("-tls1_2", *OLD, cert="server-sha1"), ask("-tls1_2", *OLD), stdin=GET,
         expect=weak("TLS 1.2", "sha1-signature", words=["RSA-SHA1"])),
    Case("good/no-ems-cbc-12", "TLS 1.2 with a CBC suite, without extended master secret and encrypt-then-MAC",
         s_server("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"), stdin=GET,
         client=gnutls("1.2", priority=":-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256:+SHA1:+AEAD:%NO_SESSION_HASH:%NO_ETM"),
         expect=weak("TLS 1.2", "no-extended-master-secret", "no-encrypt-then-mac", words=["(RSA-SHA256)-(AES-128-CBC)-(SHA256)"])),
]

CASES = [*PLAIN, *WAYS, *RESUMED, *OLD_AND_WEAK]
