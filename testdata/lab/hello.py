"""A ClientHello taken apart and put together again, to send what no program at hand sends."""
import struct

SUPPORTED_GROUPS, KEY_SHARE, ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME, COOKIE = 10, 51, 0xFE0D, 0xFFCE, 44
X25519MLKEM768, SECP256R1, SECP384R1 = 0x11EC, 23, 24


def vector(data, size):
    """`data` behind its length in `size` bytes."""
    return len(data).to_bytes(size, "big") + data


class Hello:
    """The fields of a ClientHello in one TLS record."""

    def __init__(self, record):
        body, at = record[9:], 34
        self.version, self.random = struct.unpack_from(">H", body)[0], body[2:34]

        def take(size):
            nonlocal at
            length = int.from_bytes(body[at:at + size], "big")
            at += size + length
            return body[at - length:at]
        self.session, self.suites, self.compression = take(1), take(2), take(1)
        block, self.extensions, here = take(2), {}, 0
        while here < len(block):
            kind, length = struct.unpack_from(">HH", block, here)
            self.extensions[kind] = block[here + 4:here + 4 + length]
            here += 4 + length

    def record(self):
        block = b"".join(struct.pack(">H", kind) + vector(content, 2) for kind, content in self.extensions.items())
        body = struct.pack(">H", self.version) + self.random + vector(self.session, 1) + vector(self.suites, 2)
        body += vector(self.compression, 1) + (vector(block, 2) if self.extensions else b"")
        return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3), 2)


# --- changes, by the names that the cases use ---

def nothing(hello):
    pass


def legacy_version(hello):
    hello.version = 0x0301


def compression(hello):
    hello.compression = b"\x01\x00"


def no_null_compression(hello):
    hello.compression = b"\x01"


def ssl3(hello):
    hello.version, hello.extensions = 0x0300, {}


def esni(hello):
    """draft-ietf-tls-esni-02, section 4: suite, key share, record digest, encrypted name."""
    content = b"\x13\x01" + struct.pack(">H", 29) + vector(b"\x01" * 32, 2) + vector(b"\x02" * 32, 2) + vector(b"\x03" * 292, 2)
    hello.extensions[ENCRYPTED_SERVER_NAME] = content


def ech(hello):
    """RFC 9849, section 5: outer, HKDF-SHA256 and AES-128-GCM, config_id, enc, payload; as a browser's GREASE."""
    content = b"\0" + struct.pack(">HH", 1, 1) + b"\x2a" + vector(b"\x04" * 32, 2) + vector(b"\x05" * 176, 2)
    hello.extensions[ENCRYPTED_CLIENT_HELLO] = content


def post_quantum(hello):
    """X25519MLKEM768 first, with a share of its size (1184 + 32 bytes) before the one of the program."""
    groups, shares = hello.extensions[SUPPORTED_GROUPS][2:], hello.extensions[KEY_SHARE][2:]
    hello.extensions[SUPPORTED_GROUPS] = vector(struct.pack(">H", X25519MLKEM768) + groups, 2)
    large = struct.pack(">H", X25519MLKEM768) + vector(bytes(range(256)) * 4 + bytes(192), 2)
    hello.extensions[KEY_SHARE] = vector(large + shares, 2)


def wrong_group(hello):
    """A key share of P-256 (its base point), whatever the server asked for."""
    point = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                          "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    hello.extensions[KEY_SHARE] = vector(struct.pack(">H", SECP256R1) + vector(point, 2), 2)


def short_cookie(hello):
    """A cookie that the server has not given. It must stand before pre_shared_key only."""
    hello.extensions[COOKIE] = vector(b"\x06" * 8, 2)
