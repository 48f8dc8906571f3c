"""What servers choose and show: key exchanges, extensions and certificates that are weak, odd or wrong."""
from ..case import Case, s_client, s_server

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

CASES = [*CHOICES]
