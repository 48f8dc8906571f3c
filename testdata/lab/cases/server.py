"""What servers choose and show: key exchanges, extensions and certificates that are weak, odd or wrong."""
from ..case import MUTUAL, Case, curl, peer, s_client, s_server
from ..wire import LATER_NS, START_NS

LOW = ":@SECLEVEL=0"
GET = "GET /hello.txt HTTP/1.0\r\n\r\n"


def works(*findings, **more):
    return {"outcome": "established", "no_errors": True, "findings": list(findings), "version": "TLS 1.2", **more}


def ask(*options):
    """s_client that sends one HTTP request and reads until the server closes."""
    return s_client("-ign_eof", *options)


CHOICES = [
    Case("server/behind-12", "The client offers TLS 1.3 and HTTP/2; the server knows neither", s_server("-tls1_2"), ask("-alpn", "h2"),
         works("version-downgraded", "alpn-ignored", words=["No ALPN negotiated"]), stdin=GET),
    Case("server/h2-with-cbc-12", "TLS 1.2: h2 is chosen together with a CBC suite, which HTTP/2 forbids",
         s_server("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256", "-alpn", "h2"), ask("-tls1_2", "-alpn", "h2"), stdin=GET,
         expect=works("alpn-h2-tls12-blocked-cipher", "cipher-cbc", alpn="h2", words=["ALPN protocol: h2"])),
    Case("server/exchange-sha1-12", "TLS 1.2: the server signs the key exchange with SHA-1",
         s_server("-tls1_2", "-cipher", "DEFAULT" + LOW), stdin=GET,
         client=ask("-tls1_2", "-cipher", "DEFAULT" + LOW, "-sigalgs", "RSA+SHA1"),
         expect=works("ske-sha1-signature", words=["Peer signing digest: SHA1"])),
    Case("server/weak-curve-12", "TLS 1.2: key exchange on a curve of 192 bits",
         s_server("-tls1_2", "-cipher", "DEFAULT" + LOW, "-groups", "P-192"), stdin=GET,
         client=ask("-tls1_2", "-cipher", "DEFAULT" + LOW, "-groups", "P-192"),
         expect={"outcome": "established", "findings": ["weak-curve"], "version": "TLS 1.2", "words": ["192 bits"]}),
]



def refused(name, title, chain, cause, words, cert, *more):
    """curl refuses the server's chain; `chain` are the files behind the server's own certificate."""
    return Case(f"server/{name}-12", f"TLS 1.2: {title}", listed(cert, *chain), curl("--tls-max", "1.2", *more),
                {"outcome": "failed", "cause": cause, "findings": [cause], "version": "TLS 1.2", "words": words})


def listed(cert, *chain, **more):
    """s_server that sends these files behind its own certificate, one after the other."""
    files = " ".join(f"{name}.pem" for name in chain)
    command = " ".join(s_server("-tls1_2", "-cert_chain", f"{cert}.chain", cert=cert, chain=False, **more))
    return ["sh", "-c", f"cat {files} > {cert}.chain; exec {command}"]


def shows(name, title, finding, words, cert, chain=("intermediate",), client=("-tls1_2",), start=START_NS):
    """A client that goes on whatever it thinks of the certificate."""
    findings = [finding] if isinstance(finding, str) else finding
    return Case(f"server/{name}-12", f"TLS 1.2: {title}", listed(cert, *chain), ask(*client), stdin=GET, start=start,
                expect=works(*findings, words=words))


CERTIFICATES = [
    refused("pathlen", "a CA with pathlen:0 has another CA below it", ["too-deep", "no-deeper"], "pathlen-exceeded",
            ["path length constraint exceeded"], "server-too-deep"),
    refused("expired-intermediate", "the intermediate has expired, the server's certificate has not", ["old-intermediate"],
            "intermediate-expired", ["certificate has expired"], "server-old-intermediate"),
    refused("name-constraints", "the CA may certify names of another domain only", ["corp-only"], "name-constraints-violated",
            ["permitted subtree violation"], "server-not-corp"),
    refused("critical-extension", "the certificate has a critical extension that the client does not know", ["intermediate"],
            "unknown-critical-extension", ["unhandled critical extension"], "server-critical"),
    refused("ca-of-the-same-name", "the CA that is sent has the name of the issuer and another key", ["renewed-again"],
            "aki-ski-mismatch", ["unable to get local issuer certificate"], "server-renewed"),
    refused("no-cert-sign", "the CA may not sign certificates by its key usage", ["no-sign"], "keycertsign-missing",
            ["unable to get issuer certificate|unable to get local issuer certificate|certificate"], "server-no-sign"),
    refused("wrong-generation", "the CA that is sent did not sign the certificate: it has the same name and another key",
            ["renewed-again"], "chain-signature-invalid", ["alert decrypt error"], "server-renewed-plain"),
    Case("server/wrong-exchange-signature-12", "TLS 1.2: the signature of the ServerKeyExchange is wrong",
         peer("wrong-signature", port="{server}"), curl("--tls-max", "1.2"),
         {"outcome": "failed", "cause": "ske-signature-invalid", "findings": ["ske-signature-invalid"], "version": "TLS 1.2",
          "words": ["rsa routines|bad signature"]}),
    Case("server/wrong-client-signature-12", "TLS 1.2: the signature of the client's CertificateVerify is wrong",
         s_server("-tls1_2", *MUTUAL), peer("wrong-client-signature"),
         {"outcome": "failed", "cause": "certificate-verify-invalid", "findings": ["certificate-verify-invalid"],
          "version": "TLS 1.2", "client_auth": {"requested": True, "certificate": "sent"}, "words": ["rsa routines|bad signature"]}),
    shows("leaf-is-ca", "the server's certificate is a CA's", "server-cert-is-ca", ["CN = tls-server.local"], "server-is-ca"),
    shows("odd-fields", "the RSA exponent is 3, names are a wildcard and an address as a DNS name",
          ["rsa-exponent-small", "wildcard-cert", "san-has-ip-as-dns"], ["CN = tls-server.local"], "server-odd"),
    refused("no-seconds", "notBefore of the certificate has no seconds", ["intermediate"], "utctime-bad",
            ["format error in certificate|certificate is not yet valid|SSL certificate problem"], "server-no-seconds"),
    shows("not-der", "CA:FALSE is spelt out and the key usage has a bit that is not used", "der-not-canonical",
          ["CN = tls-server.local"], "server-not-der"),
    Case("server/u-label-12", "TLS 1.2: the certificate has the name that the client calls, but not as an A-label",
         listed("server-u-label", "intermediate"), curl("--tls-max", "1.2", host="xn--bcher-kva.tls-server.local"),
         {"outcome": "rejected", "cause": "idn-mismatch", "findings": ["idn-mismatch"], "version": "TLS 1.2",
          "words": ["no alternative certificate subject name matches target host name"]}),
    shows("timestamps", "one certificate timestamp is from the future, another one of an unknown version",
          ["sct-invalid", "sct-in-future"], ["CN = tls-server.local"], "server-timestamps"),
    Case("server/roca-12", "TLS 1.2: the RSA key has the fingerprint of a faulty generator", listed("server-roca", "intermediate"),
         ask("-tls1_2"), stdin=GET, note="The key is made by the definition of CVE-2017-15361.",
         expect={"outcome": "established", "findings": ["roca-key"], "version": "TLS 1.2", "words": ["Verify return code: 0 (ok)"]}),
    Case("server/raw-public-key-12", "TLS 1.2: the server shows a raw public key instead of a certificate",
         ["sh", "-c", "openssl pkey -in server.key -pubout -out server.pub; exec gnutls-serv --port {server} --http --quiet "
          "--disable-client-cert --rawpkkeyfile server.key --rawpkfile server.pub --priority NORMAL:+CTYPE-SRV-RAWPK"],
         ["sh", "-c", "(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 0.5) | gnutls-cli --port {port} --no-ca-verification "
          "--sni-hostname tls-server.local --priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK 127.0.0.1"],
         works("raw-public-key", words=["Certificate type: Raw Public Key"]), ready="done", programs=("gnutls-serv", "gnutls-cli")),
    shows("bundle", "the list holds a certificate twice, and a CA of the same name as the issuer", ["chain-duplicate", "chain-extra-cert"],
          ["CN = Lab Renewed CA"], "server-renewed", ("renewed", "renewed", "renewed-again")),
    shows("must-staple", "the certificate demands a staple and the server sends none", "must-staple-violated",
          ["OCSP response: no response sent"], "server-must-staple", client=("-tls1_2", "-status")),
    shows("no-staple", "the client asks for a staple and the server sends none", "ocsp-staple-missing",
          ["OCSP response: no response sent"], "server-ocsp", client=("-tls1_2", "-status")),
    shows("imitates-public", "the certificate has the policy of public CAs, no timestamps, and lives for ten years",
          ["validity-too-long", "cert-has-no-sct"], ["CN = tls-server.local"], "server-public"),
    Case("server/staple-of-another-12", "TLS 1.2: the staple is about another certificate",
         s_server("-tls1_2", "-status_file", "staple.der", cert="server-ec"), ask("-tls1_2", "-status"), stdin=GET, start=LATER_NS,
         expect=works("ocsp-staple-wrong-cert", words=["OCSP Response Status: successful"]),
         note="Begins in 2031: a staple's thisUpdate is the day on which the capture was made."),
    Case("server/staple-early-12", "TLS 1.2: the staple is from the future", s_server("-tls1_2", "-status_file", "staple.der"),
         ask("-tls1_2", "-status"), stdin=GET,
         expect=works("ocsp-staple-not-yet", words=["Cert Status: good"])),
    Case("server/cert-status-12", "TLS 1.2: curl insists on a staple and gets none", s_server("-tls1_2", cert="server-ocsp"),
         curl("--tls-max", "1.2", "--cert-status"),
         {"outcome_any": ["failed", "rejected", "established"], "version": "TLS 1.2", "findings": ["ocsp-staple-missing"],
          "words": ["OCSP"]}),
    Case("server/ed25519-unsupported-12", "TLS 1.2: the server has an Ed25519 key, the client does not offer it",
         s_server("-tls1_2", cert="server-ed25519"), s_client("-tls1_2", "-sigalgs", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"),
         {"outcome": "failed", "cause_any": ["no-shared-sigalg", "handshake-failure-ambiguous"], "words": ["handshake failure"]}),
]

CASES = [*CHOICES, *CERTIFICATES]
