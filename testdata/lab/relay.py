"""A relay between real programs on loopback that writes down what passes as a TCP conversation.

It needs neither tcpdump nor root: it accepts the client, connects to the server, forwards both directions and records
every chunk, FIN and RST when it sees them, in the order in which it sees them.
"""
import select
import socket
import struct
import threading
import time

from . import wire


class Relay:
    """Listens on a loopback port, forwards to `target`, and collects a `Conversation` for each connection."""

    def __init__(self, name, target, mss=1460, ip6=False, sport=8443, isn=None, start=wire.START_NS, ends=()):
        self.start, self.ends = start, ends
        self.name, self.target, self.mss, self.sport, self.isn = name, target, mss, sport, isn
        self.addresses = (wire.CLIENT6, wire.SERVER6) if ip6 else (wire.CLIENT4, wire.SERVER4)
        self.conversations, self.threads = [], []
        self.origin = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def now(self):
        """Capture time: a fixed start plus the real time since the first connection."""
        return self.start + time.monotonic_ns() - self.origin

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.origin is None:
                self.origin = time.monotonic_ns()
            number = len(self.conversations)
            own = self.ends[number] if number < len(self.ends) else {}
            ends = own.get("client", self.addresses[0]), own.get("server", self.addresses[1])
            talk = wire.Conversation(self.name, *ends, 50001 + number, self.sport, self.mss, self.isn)
            self.conversations.append(talk)
            thread = threading.Thread(target=self._carry, args=(client, talk), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _carry(self, client, talk):
        talk.syn(self.now())
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except ConnectionRefusedError:
            talk.rst(self.now(), "server")
            reset(client)
            return
        talk.syn(self.now(), "server")
        talk.emit(self.now(), "client", wire.ACK)
        sockets = {"client": client, "server": server}
        side_of = {client.fileno(): "client", server.fileno(): "server"}
        poll = select.poll()
        for peer in sockets.values():
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(peer, select.POLLIN)
        open_sides = {"client", "server"}
        broken = None
        while open_sides and broken is None:
            for fd, _ in poll.poll():
                side = side_of[fd]
                other = wire.Conversation.other(side)
                try:
                    chunk = sockets[side].recv(65536) if side in open_sides else b""
                    if not chunk and side not in open_sides:
                        # After its FIN only an error can still come: the reset of a program that is gone.
                        if sockets[side].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                            broken = side
                            break
                        poll.unregister(fd)
                        continue
                except OSError:
                    broken = side
                    break
                if chunk:
                    talk.data(self.now(), side, chunk)
                    try:
                        sockets[other].sendall(chunk)
                    except OSError:
                        broken = other
                        break
                else:
                    talk.fin(self.now(), side)
                    open_sides.discard(side)
                    poll.modify(fd, 0)
                    try:
                        sockets[other].shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
        if broken:
            talk.rst(self.now(), broken)
            reset(sockets[wire.Conversation.other(broken)])
        for peer in sockets.values():
            peer.close()

    def finish(self, seconds=5):
        """Waits for the connections to end, closes the listener and returns all packets in order of time."""
        limit = time.monotonic() + seconds
        for thread in list(self.threads):
            thread.join(max(0.0, limit - time.monotonic()))
        self.listener.close()
        packets = [packet for talk in self.conversations for packet in talk.packets]
        return sorted(packets, key=lambda packet: packet[0])


class DatagramRelay:
    """The same for UDP: one client, datagrams as they pass. `drop(side, number)` says which ones get lost on the way to the peer."""

    def __init__(self, target, ip6=False, sport=8443, start=wire.START_NS, drop=None):
        self.target, self.sport, self.start, self.drop = target, sport, start, drop or (lambda side, number: False)
        self.addresses = (wire.CLIENT6, wire.SERVER6) if ip6 else (wire.CLIENT4, wire.SERVER4)
        self.packets, self.stopped = [], False
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(("127.0.0.1", 0))
        self.back.connect(("127.0.0.1", target))
        self.port = self.front.getsockname()[1]
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def _carry(self):
        client, origin, numbers = None, None, {"client": 0, "server": 0}
        while not self.stopped:
            for ready in select.select([self.front, self.back], [], [], 0.05)[0]:
                side = "client" if ready is self.front else "server"
                try:
                    data, address = ready.recvfrom(65536)
                except ConnectionRefusedError:
                    continue
                if side == "client":
                    client = address
                origin = origin or time.monotonic_ns()
                source, target = self.addresses if side == "client" else self.addresses[::-1]
                ports = (50001, self.sport) if side == "client" else (self.sport, 50001)
                packet = wire.ip_packet(source, target, 17, wire.udp_datagram(source, target, *ports, data), numbers[side] + 1)
                # A lost datagram was captured before it got lost.
                self.packets.append((self.start + time.monotonic_ns() - origin, packet, side))
                if not self.drop(side, numbers[side]):
                    self.back.send(data) if side == "client" else self.front.sendto(data, client)
                numbers[side] += 1

    @property
    def conversations(self):
        return [self]

    def finish(self):
        """Waits a moment for the last datagrams and returns all packets."""
        time.sleep(0.1)
        self.stopped = True
        self.thread.join()
        self.front.close()
        self.back.close()
        return self.packets


def reset(peer):
    """Closes with an RST instead of a FIN."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def free_port():
    """A loopback port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
