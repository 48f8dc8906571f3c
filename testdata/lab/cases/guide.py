"""The rows of the troubleshooting guide, each as real programs fail."""
import os

from ..case import HERE, MUTUAL, Case, client_cert, curl, gnutls, peer, s_client, s_server

NEVER = {"requested": False, "certificate": "none"}
EMPTY = {"requested": True, "certificate": "empty"}
SENT = {"requested": True, "certificate": "sent"}
UNANSWERED = {"requested": True, "certificate": "unanswered"}
OLD = ["-cipher", "DEFAULT@SECLEVEL=0"]
TLS12 = ["--tls-max", "1.2"]
# Where the wire does not say what the peers could not agree on, the honest general code is right too.
AMBIGUOUS = "handshake-failure-ambiguous"


def fails(cause, words, *, version=None, auth=None, outcome="failed", hidden=(), findings=None, silent=()):
    """What a failed handshake must yield. `hidden`: further codes that are as honest, because the wire does not show more."""
    expect = {"outcome": outcome}
    if hidden:
        expect["cause_any"] = [cause, *hidden]
    else:
        expect["cause"] = cause
        expect["findings"] = findings or [cause]
    if silent:
        expect["silent"] = list(silent)
    if version:
        expect["version"] = version
    if auth:
        expect["client_auth"] = auth
    return expect | {"words": words}


def both(stem, title, server, client, words, at12, at13, guide=None, words13=None):
    """The same failure in TLS 1.2 and 1.3; `server` and `client` get the version's options; `at12`, `at13`: keywords of `fails`."""
    return [
        Case(f"guide/{stem}-12", f"TLS 1.2: {title}", server("-tls1_2"), client("1.2"), guide=guide,
             expect=fails(words=words, version="TLS 1.2", **at12)),
        Case(f"guide/{stem}-13", f"TLS 1.3: {title}", server("-tls1_3"), client("1.3"), guide=guide,
             expect=fails(words=words13 or words, version="TLS 1.3", **at13)),
    ]


def one_way(cert="server", **more):
    return lambda version: s_server(version, cert=cert, **more)


def mutual(version):
    return s_server(version, *MUTUAL)


def plain_curl(*options, **more):
    return lambda version: curl("--tls-max", version, *options, **more)


def python(name, *options):
    return lambda version: peer("tls", name, version, *options)


def java(version):
    return ["java", os.path.join(HERE, "lab", "StrictClient.java"), "{port}", f"TLSv{version}", "root.pem"]


ROW1 = [
    Case("guide/1-version-client-12-server-13", "The client speaks at most TLS 1.2, the server only TLS 1.3", s_server("-tls1_3"),
         curl(*TLS12), fails("version-mismatch", ["alert protocol version", "unsupported protocol"]), guide=1),
    Case("guide/1-version-client-11-server-12", "The client speaks at most TLS 1.1, the server only TLS 1.2", s_server("-tls1_2"),
         s_client("-tls1_1", *OLD), fails("version-mismatch", ["alert protocol version", "unsupported protocol"]), guide=1),
    Case("guide/1-version-client-13-server-12", "The client speaks only TLS 1.3, the server only TLS 1.2", s_server("-tls1_2"),
         curl("--tlsv1.3"), fails("version-mismatch", ["alert protocol version", "unsupported protocol"]), guide=1),
    Case("guide/1-cipher-12", "TLS 1.2: no common cipher suite", s_server("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"),
         curl(*TLS12, "--ciphers", "ECDHE-RSA-CHACHA20-POLY1305"),
         fails("cipher-mismatch", ["alert handshake failure", "no shared cipher"], hidden=[AMBIGUOUS]), guide=1),
    Case("guide/1-cipher-13", "TLS 1.3: no common cipher suite", s_server("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"),
         curl("--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"),
         fails("cipher-mismatch", ["alert handshake failure", "no shared cipher"], hidden=[AMBIGUOUS]), guide=1),
    Case("guide/1-group-13", "TLS 1.3: no common group", s_server("-tls1_3", "-groups", "X25519"),
         curl("--tlsv1.3", "--curves", "P-384"),
         fails("no-shared-group", ["alert handshake failure", "no suitable key share"], hidden=[AMBIGUOUS]), guide=1),
    Case("guide/1-cert-type-12", "TLS 1.2: the client knows only ECDSA suites, the server has an RSA certificate", s_server("-tls1_2"),
         curl(*TLS12, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"),
         fails("cert-type-cipher-mismatch", ["alert handshake failure", "no shared cipher"], hidden=["cipher-mismatch", AMBIGUOUS]),
         guide=1),
    Case("guide/1-sigalg-13", "TLS 1.3: the client verifies only ECDSA signatures, the server has an RSA certificate",
         s_server("-tls1_3"), s_client("-tls1_3", "-sigalgs", "ECDSA+SHA256"),
         fails("no-shared-sigalg", ["alert handshake failure", "no suitable signature algorithm"], hidden=[AMBIGUOUS]), guide=1),
]

UNKNOWN_CA = {"cause": "server-cert-unknown-ca", "auth": NEVER}
ROW2 = [
    *both("2-unknown-ca", "the client lacks the server's root CA", one_way(), plain_curl(root=None),
          ["alert unknown ca", "self-signed certificate in certificate chain|unable to get local issuer"],
          UNKNOWN_CA, UNKNOWN_CA | {"auth": None}, guide=2),
    *both("2-unknown-ca-s-client", "the client lacks the server's root CA and may not ignore it", one_way(),
          lambda version: s_client("-verify_return_error", "-tls1_" + version[2:], root="client-ca"),
          ["alert unknown ca", "unable to get local issuer certificate"], UNKNOWN_CA, UNKNOWN_CA | {"auth": None}, guide=2),
    *both("2-self-signed", "the server's certificate is self-signed", one_way("server-self-signed", chain=False), plain_curl(),
          ["alert unknown ca", "self-signed certificate"],
          {"cause": "server-cert-self-signed", "hidden": ["server-cert-unknown-ca"], "auth": NEVER},
          {"cause": "server-cert-unknown-ca", "hidden": ["server-cert-self-signed"]}, guide=2),
    *both("2-chain-incomplete", "the server does not send its intermediate certificate", one_way(chain=False), plain_curl(),
          ["alert unknown ca", "unable to get local issuer certificate"],
          {"cause": "chain-incomplete", "hidden": ["server-cert-unknown-ca"], "auth": NEVER},
          {"cause": "server-cert-unknown-ca", "hidden": ["chain-incomplete"]}, guide=2),
]

HOST_HIDDEN = ["server-cert-rejected", "client-closes-after-finished-no-data", "bad-certificate"]
ROW3 = [
    *both("3-hostname-curl", "curl calls the server by a name that its certificate does not have", one_way(),
          plain_curl(host="other.example"), ["no alternative certificate subject name matches target host name 'other.example'"],
          {"cause": "server-cert-hostname-mismatch", "auth": NEVER, "outcome": "rejected"},
          {"cause": "server-cert-hostname-mismatch", "hidden": HOST_HIDDEN, "auth": NEVER, "outcome": "rejected"}, guide=3),
    *both("3-ip-address-curl", "curl calls the server by its IP address, which its certificate does not have", one_way(),
          plain_curl(host="198.51.100.20"), ["no alternative certificate subject name matches target host name '198.51.100.20'"],
          {"cause": "server-cert-hostname-mismatch", "auth": NEVER, "outcome": "rejected"},
          {"cause": "server-cert-hostname-mismatch", "hidden": HOST_HIDDEN, "auth": NEVER, "outcome": "rejected"}, guide=3),
    *both("3-hostname-python", "Python calls the server by a name that its certificate does not have", one_way(),
          python("other.example"), ["alert bad certificate", "Hostname mismatch, certificate is not valid for 'other.example'"],
          {"cause": "server-cert-hostname-mismatch", "auth": NEVER},
          {"cause": "bad-certificate", "hidden": ["server-cert-rejected", "server-cert-hostname-mismatch"]}, guide=3),
]

NO_CERT = ["no valid client certificate in the key store"]
ROW4 = both("4-strict-client-java", "a strict Java client finds no certificate for the request and gives up", mutual, java,
            NO_CERT + ["alert internal error"],
            {"cause": "client-aborts-no-usable-cert", "auth": UNANSWERED},
            {"cause": "client-aborts-no-usable-cert", "auth": UNANSWERED,
             "hidden": ["server-cert-rejected", "client-rejects-after-server-flight"]}, guide=4)

ROW5 = both("5-client-cert-missing", "the server requires a client certificate and the client sends none", mutual, plain_curl(),
            ["alert handshake failure", "peer did not return a certificate"],
            {"cause": "client-cert-missing", "auth": EMPTY}, {"cause": "client-cert-missing", "auth": EMPTY, "outcome": "rejected"},
            guide=5, words13=["alert certificate required", "peer did not return a certificate"])

NODE_CLIENT = """require("tls").connect({host:"127.0.0.1",port:{port},servername:"tls-server.local",\
ca:require("fs").readFileSync("ROOT.pem")},function(){this.write("GET /hello.txt HTTP/1.0\\r\\n\\r\\n")})\
.on("error",e=>console.log(e.message)).on("data",d=>0)"""


def node(root="root"):
    return ["node", "-e", NODE_CLIENT.replace("ROOT", root)]


# The same failures from other families of clients: their records, padding and manners differ where TLS 1.3 hides the rest.
REFUSES_SERVER = fails("server-cert-unknown-ca", [], version="TLS 1.3",
                       hidden=["server-cert-rejected", "client-rejects-after-server-flight", "handshake-abandoned"])
OTHER_CLIENTS = [
    Case("guide/2-unknown-ca-node-13", "TLS 1.3: Node.js lacks the server's root CA and closes without an alert",
         s_server("-tls1_3"), node("client-ca"), REFUSES_SERVER | {"words": ["unable to get local issuer certificate"]}, guide=2),
    Case("guide/2-unknown-ca-gnutls-13", "TLS 1.3: GnuTLS lacks the server's root CA and sends an encrypted alert",
         s_server("-tls1_3"), gnutls("1.3", "client-ca"), REFUSES_SERVER | {"words": ["The certificate issuer is unknown"]}, guide=2),
    Case("guide/2-unknown-ca-java-13", "TLS 1.3: Java lacks the server's root CA and sends an encrypted, padded alert",
         s_server("-tls1_3"), [*java("1.3")[:-1], "client-ca.pem"], REFUSES_SERVER | {"words": ["unable to find valid certification path"]},
         guide=2),
    Case("guide/2-unknown-ca-gnutls-12", "TLS 1.2: GnuTLS lacks the server's root CA", s_server("-tls1_2"),
         gnutls("1.2", "client-ca"), guide=2,
         expect=fails("server-cert-unknown-ca", ["The certificate issuer is unknown"], version="TLS 1.2", auth=NEVER,
                      hidden=["bad-certificate", "certificate-unknown", "server-cert-rejected"])),
    Case("guide/5-client-cert-missing-node-13", "TLS 1.3: the server requires a client certificate, Node.js sends none",
         s_server("-tls1_3", *MUTUAL), node(), guide=5,
         expect=fails("client-cert-missing", ["alert certificate required|tlsv13 alert", "peer did not return a certificate"],
                      version="TLS 1.3", auth=EMPTY, outcome="rejected")),
    Case("guide/5-client-cert-missing-gnutls-13", "TLS 1.3: the server requires a client certificate, GnuTLS sends none",
         s_server("-tls1_3", *MUTUAL), gnutls("1.3"), guide=5,
         expect=fails("client-cert-missing", ["Certificate is required", "peer did not return a certificate"],
                      version="TLS 1.3", auth=EMPTY, outcome="rejected")),
    Case("guide/5-client-cert-missing-java-13", "TLS 1.3: the server requires a client certificate, Java sends none, padded",
         s_server("-tls1_3", *MUTUAL), [*java("1.3"), "lenient"], guide=5,
         expect=fails("client-cert-missing", ["peer did not return a certificate"], version="TLS 1.3", auth=EMPTY,
                      outcome="rejected")),
    Case("guide/4-sigalg-gnutls-12", "TLS 1.2: GnuTLS has only an RSA key, the server takes only ECDSA signatures, GnuTLS gives up",
         s_server("-tls1_2", *MUTUAL, "-client_sigalgs", "ECDSA+SHA256"),
         gnutls("1.2", "root", "--x509certfile", "client.pem", "--x509keyfile", "client.key"), guide=4,
         expect=fails("client-aborts-no-usable-cert", ["alert handshake failure"], version="TLS 1.2",
                      hidden=["client-sigalg-mismatch"])),
]

# The TLS handshake works, the application refuses; nginx is the program that is known for this, here a Node.js server says it.
HTTP_400 = """require("https").createServer({key:require("fs").readFileSync("server.key"),\
cert:require("fs").readFileSync("server.pem")+require("fs").readFileSync("intermediate.pem"),\
ca:require("fs").readFileSync("client-ca.pem"),requestCert:true,rejectUnauthorized:false},(q,a)=>{\
a.writeHead(400,{Connection:"close"});a.end("<center>No required SSL certificate was sent</center>\\n")})\
.listen({server},"127.0.0.1",()=>console.log("ACCEPT"))"""
HTTP = [
    Case(f"guide/5-http-400-{version.replace('.', '')}", f"TLS {version}: the server goes on without a client certificate and answers HTTP 400",
         ["node", "-e", HTTP_400], curl("--tls-max", version), guide=5,
         expect={"outcome": "established", "silent": ["client-cert-missing"], "version": f"TLS {version}", "client_auth": EMPTY,
                 "words": ["No required SSL certificate was sent"]},
         note="The answer is encrypted: its length and the close are all there is to see.")
    for version in ("1.2", "1.3")
]


def refused(stem, title, cert, words, at12, hidden12=(), guide=None, server=mutual, words13=None):
    """A client certificate that the server refuses: readable in TLS 1.2, only the refusal visible in TLS 1.3."""
    return both(stem, title, server, plain_curl(*client_cert(cert)), words,
                {"cause": at12, "hidden": hidden12, "auth": SENT},
                {"cause": "client-cert-rejected", "auth": SENT, "outcome": "rejected"}, guide, words13)


ROW6 = [
    *refused("6-client-cert-wrong-ca", "the client's certificate is of a CA that the server does not know", "client-wrong-ca",
             ["alert unknown ca", "unable to get local issuer certificate"], "client-cert-unknown-ca",
             ["client-cert-issuer-not-in-ca-list"], 6),
    *refused("6-client-cert-self-signed", "the client's certificate is self-signed", "client-self-signed",
             ["alert unknown ca", "self-signed certificate"], "client-cert-unknown-ca",
             ["client-cert-issuer-not-in-ca-list", "client-cert-self-signed"], 6),
]


def bad_server(stem, title, cert, words, code, hidden13=()):
    return both(stem, title, one_way(cert), plain_curl(), words, {"cause": code, "auth": NEVER}, {"cause": code, "hidden": hidden13})


def crl_checked(version):
    return s_server(version, "-Verify", "10", "-verify_return_error", "-CAfile", "client-ca-and-crl.pem", "-crl_check")


CERTIFICATES = [
    *both("server-cn-only-python", "Python refuses a certificate that has a common name and no SAN", one_way("server-cn-only"),
          python("tls-server.local", "no-common-name"), ["alert bad certificate", "certificate is not valid for 'tls-server.local'"],
          {"cause": "server-cert-cn-only", "auth": NEVER, "hidden": ["server-cert-hostname-mismatch"]},
          {"cause": "bad-certificate", "hidden": ["server-cert-rejected", "server-cert-cn-only"]}),
    Case("guide/server-cn-only-curl-12", "TLS 1.2: curl takes a certificate that has a common name and no SAN; others would not",
         s_server("-tls1_2", cert="server-cn-only"), curl(*TLS12),
         {"outcome": "established", "findings": ["server-cert-cn-only"], "silent": ["server-cert-hostname-mismatch"],
          "version": "TLS 1.2", "client_auth": NEVER}),
    *bad_server("server-expired", "the server's certificate has expired", "server-expired",
                ["alert certificate expired", "certificate has expired"], "server-cert-expired"),
    *bad_server("server-not-yet-valid", "the server's certificate is not valid yet", "server-not-yet",
                ["alert bad certificate", "certificate is not yet valid"], "server-cert-not-yet-valid",
                ["server-cert-rejected", "bad-certificate"]),
    *bad_server("server-wrong-eku", "the server's certificate is one for clients only", "server-client-eku",
                ["alert unsupported certificate", "certificate purpose|unsuitable certificate purpose"],
                "server-cert-wrong-eku", ["server-cert-rejected", "unsupported-certificate"]),
    *both("server-revoked", "the server's certificate is on the CRL that the client has", one_way("server-revoked"),
          plain_curl("--crlfile", "crls.pem"), ["alert certificate revoked", "certificate revoked"],
          {"cause": "server-cert-revoked", "auth": NEVER}, {"cause": "server-cert-revoked"}),
    *refused("client-expired", "the client's certificate has expired", "client-expired",
             ["SSL certificate verification failed", "certificate has expired"], "client-cert-expired",
             words13=["alert certificate expired", "certificate has expired"]),
    *refused("client-wrong-eku", "the client's certificate is one for servers only", "client-server-eku",
             ["alert unsupported certificate", "unsuitable certificate purpose"], "client-cert-wrong-eku"),
    *refused("client-revoked", "the client's certificate is on the CRL that the server has", "client-revoked",
             ["alert certificate revoked", "certificate revoked"], "client-cert-revoked", server=crl_checked),
]

CASES = [*ROW1, *ROW2, *ROW3, *ROW4, *ROW5, *ROW6, *CERTIFICATES, *OTHER_CLIENTS, *HTTP]
