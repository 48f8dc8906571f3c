"""The lab's throw-away PKI, made anew by each run of make.py with `openssl ca` and deleted with its directory.

Nothing here protects anything: the keys live in a temporary directory and are never committed.
"""
import os
import ssl
import subprocess

from . import rsa

VALID = ("20260101000000Z", "20360101000000Z")
EXPIRED = ("20250101000000Z", "20260301000000Z")
NOT_YET = ("20340101000000Z", "20360101000000Z")

SERVER_NAMES = "DNS:tls-server.local,DNS:www.tls-server.local"

CONFIG = """
[ca]
default_ca = lab
[lab]
database = index.txt
new_certs_dir = issued
rand_serial = yes
unique_subject = no
copy_extensions = none
policy = any
default_md = sha256
crlnumber = crlnumber
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
domainComponent = optional
[req]
distinguished_name = dn
string_mask = utf8only
[dn]
"""

CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nsubjectKeyIdentifier=hash\n"
AKI = "authorityKeyIdentifier=keyid\n"
SERVER = LEAF + AKI + f"extendedKeyUsage=serverAuth\nsubjectAltName={SERVER_NAMES}\n"
SERVER_EC = SERVER.replace(",keyEncipherment", "")
CLIENT = LEAF + AKI + "extendedKeyUsage=clientAuth\n"

RSA, RSA1024 = ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"], ["rsa", "-pkeyopt", "rsa_keygen_bits:1024"]
P256, ED25519 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ed25519"]

# A certificate that spells CA:FALSE out (BasicConstraints { cA FALSE }), and whose key usage has a bit among those not used.
NOT_DER = SERVER_EC.replace("critical,CA:FALSE", "critical,DER:3003010100").replace("critical,digitalSignature", "critical,DER:03020581")
# b\u00fccher.tls-server.local in UTF-8.
U_LABEL = rsa.tlv(0x30, rsa.tlv(0x82, "b\u00fccher.tls-server.local".encode())).hex()


def timestamps(*all_of_them):
    """SignedCertificateTimestampList (RFC 6962, section 3.3) as an extension: (version, seconds) of each, without real signatures."""
    scts = [bytes([version]) + bytes(32) + (secs * 1000).to_bytes(8, "big") + bytes.fromhex("0000 0403 0004 30020201")
            for version, secs in all_of_them]
    content = b"".join(len(one).to_bytes(2, "big") + one for one in scts)
    return "1.3.6.1.4.1.11129.2.4.2=DER:" + rsa.tlv(4, len(content).to_bytes(2, "big") + content).hex() + "\n"


# file name: (subject, issuer or None for itself, extensions, key, validity, further options of `openssl ca`)
LAB = "/O=Lab (test only)"
CERTIFICATES = {
    "root": (f"{LAB}/CN=Lab Root CA", None, CA, RSA, VALID, []),
    "intermediate": (f"{LAB}/CN=Lab Intermediate CA", "root", CA + AKI, RSA, VALID, []),
    "client-ca": (f"{LAB}/CN=Lab Client CA", None, CA, RSA, VALID, []),
    "other-ca": ("/O=Somebody Else (test only)/CN=Other Client CA", None, CA, RSA, VALID, []),
    "directory-ca": ("/DC=example/DC=corp/CN=corp-ISSUING-CA", None, CA, RSA, VALID, []),
    "server": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA, VALID, []),
    "server-ec": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER.replace(",keyEncipherment", ""), P256, VALID, []),
    "server-ed25519": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER.replace(",keyEncipherment", ""), ED25519, VALID, []),
    "server-cn-only": (f"{LAB}/CN=tls-server.local", "intermediate",
                       LEAF + AKI + "extendedKeyUsage=serverAuth\n", RSA, VALID, []),
    "server-expired": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA, EXPIRED, []),
    "server-not-yet": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA, NOT_YET, []),
    "server-self-signed": (f"{LAB}/CN=tls-server.local", None, SERVER.replace(AKI, ""), RSA, VALID, []),
    "inspector": ("/O=mitmproxy (test only)/CN=mitmproxy (test only)", None, CA, RSA, VALID, []),
    "server-inspected": (f"{LAB}/CN=tls-server.local", "inspector", SERVER, RSA, VALID, []),
    "server-client-eku": (f"{LAB}/CN=tls-server.local", "intermediate",
                          SERVER.replace("serverAuth", "clientAuth"), RSA, VALID, []),
    "server-rsa1024": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA1024, VALID, []),
    "server-sha1": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA, VALID, ["-md", "sha1"]),
    "server-revoked": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, RSA, VALID, []),
    "no-deeper": (f"{LAB}/CN=Lab CA without further CAs", "root", CA.replace("CA:TRUE", "CA:TRUE,pathlen:0") + AKI, RSA, VALID, []),
    "too-deep": (f"{LAB}/CN=Lab CA below it", "no-deeper", CA + AKI, P256, VALID, []),
    "no-sign": (f"{LAB}/CN=Lab CA that may not sign", "root", CA.replace("keyCertSign,", "") + AKI, P256, VALID, []),
    "old-intermediate": (f"{LAB}/CN=Lab Expired CA", "root", CA + AKI, P256, EXPIRED, []),
    "corp-only": (f"{LAB}/CN=Lab CA for corp.example", "root",
                  CA + AKI + "nameConstraints=critical,permitted;DNS:corp.example\n", P256, VALID, []),
    "renewed": (f"{LAB}/CN=Lab Renewed CA", "root", CA + AKI, P256, VALID, []),
    "renewed-again": (f"{LAB}/CN=Lab Renewed CA", "root", CA + AKI, P256, VALID, []),
    "server-too-deep": (f"{LAB}/CN=tls-server.local", "too-deep", SERVER_EC, P256, VALID, []),
    "server-no-sign": (f"{LAB}/CN=tls-server.local", "no-sign", SERVER_EC, P256, VALID, []),
    "server-old-intermediate": (f"{LAB}/CN=tls-server.local", "old-intermediate", SERVER_EC, P256, VALID, []),
    "server-not-corp": (f"{LAB}/CN=tls-server.local", "corp-only", SERVER_EC, P256, VALID, []),
    "server-renewed": (f"{LAB}/CN=tls-server.local", "renewed", SERVER_EC, P256, VALID, []),
    # No key identifier says which of two CAs of one name signed it.
    "server-renewed-plain": (f"{LAB}/CN=tls-server.local", "renewed", SERVER_EC.replace(AKI, "authorityKeyIdentifier=none\n"), P256, VALID, []),
    "server-critical": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC + "1.3.6.1.4.1.32473.1=critical,ASN1:NULL\n", P256,
                        VALID, []),
    "server-is-ca": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC.replace("CA:FALSE", "CA:TRUE"), P256, VALID, []),
    "server-odd": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER.replace(SERVER_NAMES, "DNS:*.local,DNS:192.0.2.9"),
                   ["rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"], VALID, []),
    "server-must-staple": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC + "tlsfeature=status_request\n", P256, VALID, []),
    "server-ocsp": (f"{LAB}/CN=tls-server.local", "intermediate",
                    SERVER_EC + "authorityInfoAccess=OCSP;URI:http://ocsp.example/\n", P256, VALID, []),
    "server-public": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC + "certificatePolicies=2.23.140.1.2.1\n", P256,
                      VALID, []),
    "server-not-der": (f"{LAB}/CN=tls-server.local", "intermediate", NOT_DER, P256, VALID, []),
    "server-u-label": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC.replace(SERVER_NAMES, f"DER:{U_LABEL}"), P256, VALID, []),
    # One timestamp of 2034, and one of a version that does not exist.
    "server-timestamps": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER_EC + timestamps((0, 2_020_000_000), (1, 1_770_000_000)),
                          P256, VALID, []),
    "server-roca": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, rsa.roca, VALID, []),
    "server-prime-a": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, rsa.sharing, VALID, []),
    "server-prime-b": (f"{LAB}/CN=tls-server.local", "intermediate", SERVER, rsa.sharing, VALID, []),
    "client": (f"{LAB}/CN=client-1", "client-ca", CLIENT, RSA, VALID, []),
    "client-ec": (f"{LAB}/CN=client-2", "client-ca", CLIENT, P256, VALID, []),
    "client-wrong-ca": ("/O=Somebody Else (test only)/CN=client-1", "other-ca", CLIENT, RSA, VALID, []),
    "client-revoked": (f"{LAB}/CN=client-1", "client-ca", CLIENT, RSA, VALID, []),
    "client-self-signed": (f"{LAB}/CN=client-1", None, CLIENT.replace(AKI, ""), RSA, VALID, []),
    "client-mail": (f"{LAB}/CN=A. Person", "client-ca", CLIENT + "subjectAltName=email:person@client.example\n", RSA, VALID, []),
    "client-spiffe": (f"{LAB}/CN=cart", "client-ca", CLIENT + "subjectAltName=URI:spiffe://lab.example/ns/shop/\n", RSA, VALID, []),
    "client-encipher": (f"{LAB}/CN=client-1", "client-ca", CLIENT.replace("digitalSignature,", ""), RSA, VALID, []),
    "client-expired": (f"{LAB}/CN=client-1", "client-ca", CLIENT, RSA, EXPIRED, []),
    "client-server-eku": (f"{LAB}/CN=client-1", "client-ca", CLIENT.replace("clientAuth", "serverAuth"), RSA, VALID, []),
}


def make(folder):
    """Writes NAME.pem (certificate) and NAME.key for each certificate of the lab into `folder`."""
    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="ascii") as out:
            out.write(text)

    write("ca.cnf", CONFIG)
    write("index.txt", "")
    write("crlnumber", "01\n")
    write("hello.txt", "hello\n")
    write("request.txt", "GET /hello.txt HTTP/1.0\r\n\r\n")
    os.makedirs(os.path.join(folder, "issued"))
    for name, (subject, issuer, extensions, key, (start, end), options) in CERTIFICATES.items():
        write(f"{name}.ext", extensions)
        if callable(key):
            key(os.path.join(folder, f"{name}.key"))
        else:
            run(folder, ["openssl", "genpkey", "-quiet", "-algorithm", *key, "-out", f"{name}.key"])
        run(folder, ["openssl", "req", "-new", "-config", "ca.cnf", "-utf8", "-subj", subject, "-key", f"{name}.key",
                     "-out", f"{name}.csr"])
        signer = ["-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"] if issuer else \
                 ["-selfsign", "-keyfile", f"{name}.key"]
        # `default`: the digest that goes with the key (Ed25519 has its own).
        md = options or ["-md", "default" if key is ED25519 and not issuer else "sha256"]
        run(folder, ["openssl", "ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN", *signer, *md,
                     "-startdate", start, "-enddate", end, "-extfile", f"{name}.ext", "-in", f"{name}.csr",
                     "-out", f"{name}.pem"])
    without_seconds(folder, "server-ec", "server-no-seconds", "intermediate")
    revocation(folder)
    bundle(folder, "server-chain.pem", "server.pem", "intermediate.pem")
    bundle(folder, "server-chain.key", "server.key")
    # A chain that no first window holds.
    bundle(folder, "long-chain.pem", *["intermediate.pem", "root.pem", "client-ca.pem", "other-ca.pem"] * 5)


def revocation(folder):
    """CRLs of all authorities, and a good OCSP answer for `server` as a server would staple it."""
    for name in ("server-revoked", "client-revoked"):
        issuer = CERTIFICATES[name][1]
        run(folder, ["openssl", "ca", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-revoke",
                     f"{name}.pem", "-crl_reason", "keyCompromise"])
    crls = b""
    for issuer in ("root", "intermediate", "client-ca"):
        run(folder, ["openssl", "ca", "-config", "ca.cnf", "-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key", "-md", "sha256",
                     "-gencrl", "-crl_lastupdate", VALID[0], "-crl_nextupdate", VALID[1], "-out", f"{issuer}.crl"])
        with open(os.path.join(folder, f"{issuer}.crl"), "rb") as crl:
            crls += crl.read()
    with open(os.path.join(folder, "crls.pem"), "wb") as out:
        out.write(crls)
    bundle(folder, "client-ca-and-crl.pem", "client-ca.pem", "client-ca.crl")
    run(folder, ["openssl", "ocsp", "-index", "index.txt", "-CA", "intermediate.pem", "-rsigner", "intermediate.pem", "-rkey",
                 "intermediate.key", "-issuer", "intermediate.pem", "-cert", "server.pem", "-ndays", "3650", "-no_nonce",
                 "-respout", "staple.der"])


def without_seconds(folder, name, new, issuer):
    """NEW is the certificate NAME whose notBefore lacks the seconds, which `openssl ca` does not write, signed again."""
    path = os.path.join(folder, f"{new}.pem")
    with open(os.path.join(folder, f"{name}.pem"), encoding="ascii") as old:
        tbs, algorithm, _ = elements(ssl.PEM_cert_to_DER_cert(old.read()))
    fields = elements(tbs)
    before, after = elements(fields[4])
    fields[4] = rsa.tlv(0x30, rsa.tlv(0x17, before[2:12] + b"Z") + after)
    tbs = rsa.tlv(0x30, b"".join(fields))
    with open(f"{path}.tbs", "wb") as out:
        out.write(tbs)
    run(folder, ["openssl", "dgst", "-sha256", "-sign", f"{issuer}.key", "-out", f"{path}.signature", f"{path}.tbs"])
    with open(f"{path}.signature", "rb") as signature:
        der = rsa.tlv(0x30, tbs + algorithm + rsa.tlv(3, b"\0" + signature.read()))
    with open(path, "w", encoding="ascii") as out:
        out.write(ssl.DER_cert_to_PEM_cert(der))
    bundle(folder, f"{new}.key", f"{name}.key")


def elements(der):
    """The elements inside of a DER element, each whole."""
    def header(at):
        size = der[at + 1]
        if size < 128:
            return at + 2, size
        return at + 2 + size - 128, int.from_bytes(der[at + 2:at + 2 + size - 128], "big")

    at, out = header(0)[0], []
    while at < len(der):
        start, size = header(at)
        out.append(der[at:start + size])
        at = start + size
    return out


def bundle(folder, name, *parts):
    """One file of several."""
    with open(os.path.join(folder, name), "wb") as out:
        for part in parts:
            with open(os.path.join(folder, part), "rb") as one:
                out.write(one.read())


def run(folder, command):
    """Runs one openssl command of the PKI, loudly when it fails."""
    if "-quiet" in command:
        command = [word for word in command if word != "-quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
