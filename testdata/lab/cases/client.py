"""Client authentication beyond the guide's rows: how servers ask, what clients show, and which stack does it how."""
import os

from .. import wire
from ..case import HERE, MUTUAL, Case, client_cert, curl, s_client, s_client_typed, s_server

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


# Further stacks under TLS 1.3: what they put into one record, how they pad, how they refuse.
NSS_SETUP = """certutil -N -d sql:nss --empty-password; \
for n in root intermediate; do certutil -A -d sql:nss -n $n -t C,, -i $n.pem; done; certutil -A -d sql:nss -n client-ca -t T,, -i client-ca.pem; \
for n in server client; do openssl pkcs12 -export -in $n.pem -inkey $n.key -name $n -out $n.p12 -passout pass:lab; \
pk12util -i $n.p12 -d sql:nss -W lab; done"""
NSS = ("selfserv", "tstclnt")
NSS_SERVER = ["sh", "-c", f"[ -d nss ] || (mkdir nss; {NSS_SETUP}) >nss.log 2>&1; "
              "exec selfserv -d sql:nss -p {server} -n server -v -V tls1.3:tls1.3 -r -r"]


def nss(cert):
    """NSS's tstclnt with a certificate of its database; with a name that is not there it sends none."""
    return ["sh", "-c", "(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | timeout 3 tstclnt -d sql:nss -h 127.0.0.1 -p {port} "
            f"-a tls-server.local -V tls1.3:tls1.3 -n {cert} 2>&1"]


def nginx(*lines, listen="ssl"):
    """nginx with TLS 1.3 and these further lines."""
    text = ("daemon off; error_log stderr info; pid nginx.pid; events {} http { access_log off; client_body_temp_path t1; "
            "proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5; server { listen 127.0.0.1:{server} " + listen + "; "
            "ssl_protocols TLSv1.3; ssl_certificate chain.pem; ssl_certificate_key server.key; root .; " + " ".join(lines) + " } }")
    return ["sh", "-c", f"cat server.pem intermediate.pem > chain.pem; echo '{text}' > nginx.conf; "
            "(sleep 0.7; echo ACCEPT) & exec nginx -p $PWD/ -c nginx.conf 2>&1"]


ASKS = ["ssl_client_certificate client-ca.pem;", "ssl_verify_client on;"]
JAVA = ["sh", "-c", "openssl pkcs12 -export -in server.pem -inkey server.key -certfile intermediate.pem -out java.p12 -passout pass:lab; "
        f"exec java -XX:TieredStopAtLevel=1 {os.path.join(HERE, 'lab', 'Server.java')} {{server}} java.p12 client-ca.pem"]
REFUSED = {"outcome": "rejected", "version": "TLS 1.3"}
STACKS = [
    Case("client/nss-13", "TLS 1.3 between NSS and NSS, both have a certificate: flights in one record", NSS_SERVER, nss("client"),
         works("1.3", SENT, words=["subject DN: CN=client-1"]), ready="About to call accept", programs=NSS),
    Case("client/nss-none-13", "TLS 1.3 between NSS and NSS: a certificate is required, none is sent", NSS_SERVER, nss("nobody"),
         REFUSED | {"cause": "client-cert-missing", "client_auth": EMPTY, "words": ["certificate_required"]},
         ready="About to call accept", programs=NSS),
    Case("client/java-none-13", "TLS 1.3: a Java server requires a certificate, curl sends none; the padded alert", JAVA, curl(),
         REFUSED | {"cause": "client-cert-missing", "client_auth": EMPTY, "words": ["Empty client certificate chain"]},
         programs=("java",)),
    Case("client/java-wrong-ca-13", "TLS 1.3: a Java server does not know the CA of curl's certificate", JAVA,
         curl(*client_cert("client-wrong-ca")),
         REFUSED | {"cause": "client-cert-rejected", "client_auth": SENT, "words": ["unable to find valid certification path"]},
         programs=("java",)),
    Case("client/nginx-none-13", "TLS 1.3: nginx requires a certificate, none is sent: HTTP 400", nginx(*ASKS), curl(),
         works("1.3", EMPTY, "client-cert-missing-http-400", silent=["client-cert-missing"], words=["400 No required SSL certificate"]),
         programs=("nginx",)),
    Case("client/nginx-wrong-ca-13", "TLS 1.3: nginx does not know the CA of the client's certificate: HTTP 400", nginx(*ASKS),
         curl(*client_cert("client-wrong-ca")), works("1.3", SENT, "client-cert-rejected", words=["400 The SSL certificate error"]),
         programs=("nginx",)),
    Case("client/nginx-early-data-13", "TLS 1.3: nginx answers early data before the client has finished", nginx("ssl_early_data on;"),
         [s_client_typed("sleep 0.5; echo Q", "-tls1_3", "-sess_out", "nginx.sess"),
          s_client_typed("sleep 1; echo Q", "-tls1_3", "-sess_in", "nginx.sess", "-early_data", "request.txt")],
         {"flows": 2, "words": ["Early data was accepted"]},
         each=[{"outcome": "established"}, {"outcome": "established", "no_errors": True, "early_data": "accepted",
                                            "findings": ["early-data-replay-risk"]}], programs=("nginx", "openssl")),
    Case("client/early-data-too-big-13", "TLS 1.3: the server takes less early data than its ticket allows",
         s_server("-tls1_3", "-early_data", "-max_early_data", "16384", "-recv_max_early_data", "10", serve=False),
         [s_client_typed("sleep 0.5; echo Q", "-tls1_3", "-sess_out", "big.pem"),
          s_client_typed("sleep 1; echo Q", "-tls1_3", "-sess_in", "big.pem", "-early_data", "request.txt")],
         {"flows": 2, "words": ["too much early data"]},
         each=[{"outcome": "established"}, {"findings": ["early-data-too-big"]}]),
]

PLAIN = ["node", "-e", 'require("http").createServer().listen({server},"127.0.0.1",()=>console.log("ACCEPT"))']
MESH = [
    Case("client/spiffe-slash-12", "TLS 1.2: the client's SPIFFE ID ends with a slash; OpenSSL does not mind", s_server("-tls1_2", *MUTUAL),
         curl(*TLS12, *client_cert("client-spiffe")), works("1.2", SENT, "spiffe-id-invalid")),
    Case("client/istio-no-sidecar", "A client offers Istio's protocols, the server is plain HTTP", PLAIN,
         s_client("-alpn", "istio-peer-exchange,istio"),
         {"outcome": "failed", "findings": ["mesh-alpn-missing"], "words": ["wrong version number"]}),
    Case("client/linkerd-no-proxy", "A client calls a Linkerd identity, the server is plain HTTP", PLAIN,
         s_client("-servername", "web.shop.serviceaccount.identity.linkerd.cluster.local"),
         {"outcome": "failed", "findings": ["linkerd-identity-missing"], "words": ["wrong version number"]}),
]

CASES = [*LISTS, *CERTIFICATES, *RENEGOTIATED, *STACKS, *MESH]
