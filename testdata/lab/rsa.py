"""RSA keys that no sound program makes: with the fingerprint of ROCA, and with a prime that another key has too."""
import base64
import functools
import os
import random

EXPONENT = 65537
BITS = 1024  # of each prime
# Of the faulty generator, by the length of the key: the product of the first 126 primes for 2048 bits.
PRIMES = [p for p in range(2, 702) if all(p % d for d in range(2, int(p ** 0.5) + 1))][:126]


def is_prime(n):
    """Miller and Rabin, 20 times."""
    if any(n % p == 0 for p in PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        x = pow(random.randrange(2, n - 1), odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime():
    """A random prime whose two highest bits are set."""
    while True:
        p = random.SystemRandom().getrandbits(BITS) | 3 << BITS - 2 | 1
        if is_prime(p) and p % EXPONENT != 1:
            return p


def roca_prime():
    """By the definition: k * M + (65537^a mod M)."""
    m = functools.reduce(lambda a, b: a * b, PRIMES)
    while True:
        k = random.randrange((3 << BITS - 2) // m + 1, (1 << BITS) // m)
        p = k * m + pow(EXPONENT, random.randrange(m), m)
        if p.bit_length() == BITS and is_prime(p):
            return p


@functools.cache
def common_prime():
    return prime()


def roca(path):
    """Writes a key with the fingerprint of CVE-2017-15361."""
    write(path, roca_prime(), roca_prime())


def sharing(path):
    """Writes a key one prime of which all keys of this function have."""
    write(path, common_prime(), prime())


def write(path, p, q):
    """RSAPrivateKey (RFC 8017, appendix A.1.2) as PEM."""
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    numbers = [0, p * q, EXPONENT, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
    der = tlv(0x30, b"".join(tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in numbers))
    with open(os.path.join(path), "w", encoding="ascii") as out:
        out.write("-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(der).decode() + "-----END RSA PRIVATE KEY-----\n")


def tlv(tag, content):
    """One DER element."""
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + content
