"""Peers that no ready program plays: `python3 peer.py ROLE PORT [ARGUMENT…]`. Servers print ACCEPT when they listen."""
import ctypes
import ctypes.util
import socket
import ssl
import struct
import sys
import time

import hello

REPLY = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n"


def listen(port):
    server = socket.create_server(("127.0.0.1", port))
    print("ACCEPT", flush=True)
    return server.accept()[0]


def close_with_reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def read_some(peer):
    peer.settimeout(10)
    try:
        return peer.recv(65536)
    except (TimeoutError, ConnectionError):
        return b""


def extensions(hello):
    """The cipher suites of a ClientHello that fills one record, and its extensions by type."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    length = struct.unpack_from(">H", hello, at)[0]
    suites = struct.unpack_from(f">{length // 2}H", hello, at + 2)
    at += 2 + length
    at += 1 + hello[at] + 2
    found = {}
    while at < len(hello):
        kind, length = struct.unpack_from(">HH", hello, at)
        found[kind] = hello[at + 4:at + 4 + length]
        at += 4 + length
    return suites, found


# --- servers ---

def close_after_hello(port):
    peer = listen(port)
    read_some(peer)
    peer.close()


def reset_after_hello(port):
    peer = listen(port)
    read_some(peer)
    close_with_reset(peer)


def close_at_once(port):
    listen(port).close()


def silent(port):
    """Takes the connection and reads, but never answers; ends when the client gives up."""
    peer = listen(port)
    while read_some(peer):
        pass


def greeting(port, text):
    """Speaks first, as SMTP, FTP and SSH servers do, then closes at the first line that it does not understand."""
    peer = listen(port)
    peer.sendall(text.encode() + b"\r\n")
    read_some(peer)
    peer.sendall(b"500 5.5.1 Command unrecognized\r\n")
    peer.close()


def smtp(port, answer):
    """An SMTP server that knows EHLO and STARTTLS; `answer` is what it says to STARTTLS; 220 begins TLS."""
    peer = listen(port)
    peer.sendall(b"220 tls-server.local ESMTP\r\n")
    while line := read_some(peer):
        if line.upper().startswith(b"EHLO"):
            peer.sendall(b"250-tls-server.local\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
        elif line.upper().startswith(b"STARTTLS"):
            peer.sendall(answer.encode() + b"\r\n")
            if answer.startswith("220"):
                secure = server_context().wrap_socket(peer, server_side=True)
                while line := secure.recv(1000):
                    secure.sendall(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")
                    if line.upper().startswith(b"QUIT"):
                        break
                secure.unwrap().close()
                return
        else:
            peer.sendall(b"221 bye\r\n")
            break
    peer.close()


def nameserver(port):
    """A DNS server: names that begin with `lost` get no answer, with `no` or below corp.example none exist, all others do."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    print("ACCEPT", flush=True)
    while True:
        query, client = server.recvfrom(1000)
        end = query.index(b"\0", 12)
        name, question = query[13:end], query[12:end + 5]
        if name.startswith(b"lost"):
            continue
        found = not name.startswith(b"no") and not name.endswith(b"\x04corp\x07example")
        head = query[:2] + struct.pack(">HHHHH", 0x8180 if found else 0x8183, 1, int(found), 0, 0)
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([198, 51, 100, 20]) if found else b""
        server.sendto(head + question + answer, client)


def proxy(port, status):
    """An HTTP proxy that answers CONNECT with `status`; with 200 it is itself the TLS server behind it."""
    peer = listen(port)
    read_some(peer)
    peer.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
    if status.startswith("200"):
        secure = server_context().wrap_socket(peer, server_side=True)
        secure.recv(65536)
        secure.sendall(REPLY)
        secure.unwrap().close()
    else:
        peer.close()


def postgres(port, answer):
    """A PostgreSQL server's answer to SSLRequest: S or N. With S it goes on with TLS and closes after the first message."""
    peer = listen(port)
    read_some(peer)
    peer.sendall(answer.encode())
    if answer == "S":
        secure = server_context().wrap_socket(peer, server_side=True)
        secure.recv(1000)
        secure.unwrap().close()
    else:
        read_some(peer)
        peer.close()


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with open("chain.pem", "w", encoding="ascii") as chain:
        chain.write(open("server.pem", encoding="ascii").read() + open("intermediate.pem", encoding="ascii").read())
    context.load_cert_chain("chain.pem", "server.key")
    return context


def tls_without_close_notify(port, how):
    """Answers one request over TLS and ends the connection without close_notify: `fin` or `rst`."""
    secure = server_context().wrap_socket(listen(port), server_side=True)
    secure.recv(65536)
    secure.sendall(REPLY)
    time.sleep(0.05)
    plain = socket.socket(fileno=secure.detach())
    if how == "rst":
        close_with_reset(plain)
    else:
        plain.close()


def turn_bit(flight, kind):
    """Turns the last bit of the handshake message of that type: the end of its signature."""
    flight, at = bytearray(flight), 0
    while at < len(flight):
        end, message = at + 5 + int.from_bytes(flight[at + 3:at + 5], "big"), at + 5
        while flight[at] == 22 and message < end:
            following = message + 4 + int.from_bytes(flight[message + 1:message + 4], "big")
            if flight[message] == kind and following <= end:
                flight[following - 1] ^= 1
            message = following
        at = end
    return flight


def wrong_signature(port):
    """Answers a ClientHello of TLS 1.2 with a good flight in which one bit of the ServerKeyExchange's signature is turned."""
    peer = listen(port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = server_context().wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(read_some(peer))
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    flight = turn_bit(outgoing.read(), 12)
    peer.sendall(flight)
    read_some(peer)
    peer.close()


def serve(plain, context):
    """One request answered, whatever the client thinks of the certificate."""
    try:
        with context.wrap_socket(plain, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(REPLY)
            secure.unwrap()
    except (ssl.SSLError, OSError) as error:
        print(type(error).__name__, error, flush=True)


def context_of(cert, ca=""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(f"{cert}.pem", f"{cert}.key")
    if ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{ca}.pem")
    return context


def turns(port, *specs):
    """Gives each connection the next certificate: CERT, or CERT:CA to ask the client for one of that CA."""
    listener = socket.create_server(("127.0.0.1", port))
    print("ACCEPT", flush=True)
    for spec in specs:
        cert, _, ca = spec.partition(":")
        serve(listener.accept()[0], context_of(cert, ca))


def intolerant(port, what):
    """Closes without a word when the ClientHello has what it does not know: TLS 1.3, a session ticket, GREASE."""
    listener = socket.create_server(("127.0.0.1", port))
    print("ACCEPT", flush=True)
    while True:
        plain = listener.accept()[0]
        suites, found = extensions(plain.recv(65536, socket.MSG_PEEK))
        offends = {"version": b"\x03\x04" in found.get(43, b""), "ticket": 35 in found, "grease": 0x1A1A in suites}
        if offends[what]:
            read_some(plain)
            plain.close()
        else:
            serve(plain, context_of("server-ec"))


# --- clients ---

def connect(port):
    return socket.create_connection(("127.0.0.1", int(port)))


def client_context(*options):
    context = ssl.create_default_context(cafile="root.pem" if "no-root" not in options else None)
    if "no-root" in options:
        context.load_verify_locations("client-ca.pem")
    if "1.2" in options:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    # urllib3 2 and others no longer look at the common name; the ssl module alone still does.
    context.hostname_checks_common_name = "no-common-name" not in options
    return context


def tls(port, name, *options):
    """Python's own client: handshake, one request, orderly close; prints what it thinks of the server."""
    context = client_context(*options)
    try:
        with context.wrap_socket(connect(port), server_hostname=name) as secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while secure.recv(65536):
                pass
            print(secure.version(), secure.cipher())
    except (ssl.SSLError, OSError) as error:
        print(type(error).__name__, error)


def client_hello():
    """The record with Python's own ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client_context().wrap_bio(incoming, outgoing, server_hostname="tls-server.local")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def changed_hello(port, *changes):
    """Sends a ClientHello with a change of hello.py, reads the answer; then the same hello with the next change, …"""
    own, plain = client_hello(), connect(port)
    plain.settimeout(1)
    for change in changes:
        sent = hello.Hello(own)
        getattr(hello, change.replace("-", "_"))(sent)
        plain.sendall(sent.record())
        read_some(plain)
    plain.close()


def abort_after_server_hello(port, how):
    """Sends a ClientHello, reads the server's flight and goes away without a word: `fin` or `rst`."""
    plain = connect(port)
    plain.sendall(client_hello())
    read_some(plain)
    time.sleep(0.05)
    if how == "rst":
        close_with_reset(plain)
    else:
        plain.close()


def wrong_client_signature(port):
    """Answers a CertificateRequest of TLS 1.2 with a good flight in which one bit of CertificateVerify's signature is turned."""
    context = client_context("1.2")
    context.load_cert_chain("client.pem", "client.key")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session, plain = context.wrap_bio(incoming, outgoing, server_hostname="tls-server.local"), connect(port)
    for kind in (0, 15):
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        plain.sendall(turn_bit(outgoing.read(), kind))
        incoming.write(read_some(plain))
    plain.close()


def probe(port):
    """Connects and goes away, as health checks do."""
    plain = connect(port)
    time.sleep(0.02)
    plain.close()


def say(port, text):
    """Says one line of another protocol and waits for the answer."""
    plain = connect(port)
    plain.sendall(text.encode() + b"\r\n")
    read_some(plain)
    plain.close()


def smtp_to_tls(port):
    """A STARTTLS client on a port with TLS from the first byte: waits for a greeting, then tries EHLO."""
    plain = connect(port)
    plain.settimeout(0.5)
    try:
        plain.recv(1000)
    except TimeoutError:
        pass
    plain.sendall(b"EHLO client.example\r\n")
    read_some(plain)
    plain.close()


def postgres_client(port, wish):
    """SSLRequest, then TLS when the server says S; `require` gives up when it says N, as libpq's sslmode=require does."""
    plain = connect(port)
    plain.sendall(struct.pack(">II", 8, 80877103))
    if plain.recv(1) == b"S":
        secure = client_context().wrap_socket(plain, server_hostname="tls-server.local")
        secure.sendall(struct.pack(">II", 8, 196608))
        secure.recv(1000)
        secure.close()
    else:
        print(f"server does not support SSL, but SSL was {wish}d")
        plain.close()


def hello_of(context):
    """The ClientHello that Python would send, and where it goes on from there."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="tls-server.local")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def careless(port, context):
    """One request, without a look at the certificate."""
    with context.wrap_socket(connect(port), server_hostname="tls-server.local") as secure:
        secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while secure.recv(65536):
            pass


def careless_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def greased(port, how):
    """A client whose offer has one GREASE cipher suite (`with`), or the same client without it."""
    if how == "without":
        careless(port, careless_context())
        return
    hello = hello_of(careless_context())
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    suites = struct.unpack_from(">H", hello, at)[0]
    body = hello[9:at] + struct.pack(">HH", suites + 2, 0x1A1A) + hello[at + 2:]
    plain = connect(port)
    plain.sendall(hello[:3] + struct.pack(">HI", len(body) + 4, 1 << 24 | len(body)) + body)
    read_some(plain)
    plain.close()


def same_hello_twice(port):
    """Two connections that begin with the same bytes; leaves after the server's answer."""
    hello = hello_of(careless_context())
    for _ in range(2):
        plain = connect(port)
        plain.sendall(hello)
        read_some(plain)
        plain.close()


def telling_time(port, *pauses):
    """A client of TLS 1.2 that begins its random with the time, as OpenSSL did before 1.1.0 and does when it is told to;
    one connection after each pause (in seconds)."""
    library = ctypes.CDLL(ctypes.util.find_library("ssl"))
    library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    context = careless_context()
    # CPython keeps the SSL_CTX behind the header of the object.
    inside = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    mode, send_client_hello_time = 33, 0x20
    library.SSL_CTX_ctrl(inside, mode, send_client_hello_time, None)
    for pause in pauses:
        time.sleep(float(pause))
        careless(port, context)


if __name__ == "__main__":
    role, port, rest = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    globals()[role.replace("-", "_")](port, *rest)
