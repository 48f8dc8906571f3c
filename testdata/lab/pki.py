"""The lab's throw-away PKI, made anew by each run of make.py with `openssl ca` and deleted with its directory.

Nothing here protects anything: the keys live in a temporary directory and are never committed.
"""
import os
import subprocess

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
