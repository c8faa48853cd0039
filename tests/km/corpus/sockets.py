# SPDX-License-Identifier: Apache-2.0
"""Sockets of every family that programs use, with ancillary data, selectors and zero-copy files."""

import array
import os
import selectors
import socket
import socketserver
import struct
import tempfile
import threading


class Echo(socketserver.StreamRequestHandler):
    """Send each line back in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


def streams() -> None:
    """A server with a thread for each of twenty connections, over IPv4 and over a UNIX socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        for server in (
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo),
            socketserver.ThreadingUnixStreamServer(path, Echo),
        ):
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
            clients = [socket.socket(server.address_family) for _ in range(20)]
            for number, client in enumerate(clients):
                client.connect(server.server_address)
                client.sendall(b"line %d\n" % number * 100)
                client.shutdown(socket.SHUT_WR)
            print([sum(map(len, iter(lambda c=c: c.recv(4096), b""))) for c in clients])
            server.shutdown()
            server.server_close()


def messages() -> None:
    """Datagrams, sequenced packets, descriptors and credentials in messages, options, errors."""
    one, two = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    two.bind(("127.0.0.1", 0))
    one.sendto(b"x" * 1000, two.getsockname())
    print(len(two.recvfrom(2000)[0]), two.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader, writer = os.pipe()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))]
    one.sendmsg([b"a", b"bc"], rights)
    text, ancillary, flags, _ = two.recvmsg(10, socket.CMSG_SPACE(4))
    got = array.array("i", ancillary[0][2])[0]
    os.write(got, b"through a passed descriptor")
    print(text, flags == socket.MSG_EOR, os.read(reader, 100))
    two.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    one.send(b"who")
    _, ancillary, _, _ = two.recvmsg(10, socket.CMSG_SPACE(12))
    print(struct.unpack("3i", ancillary[0][2]) == (os.getpid(), os.getuid(), os.getgid()))
    one.settimeout(0.05)
    for attempt in (
        lambda: one.recv(1),
        lambda: socket.create_connection(("127.0.0.1", 1)),
        lambda: socket.socket().bind(("203.0.113.1", 80)),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).recv(1),
    ):
        try:
            attempt()
        except OSError as error:
            print(type(error).__name__, error.errno)


def waiting() -> None:
    """Every selector sees what is ready; an edge is seen once."""
    for kind in ("SelectSelector", "PollSelector", "EpollSelector"):
        with getattr(selectors, kind)() as selector:
            ends = [socket.socketpair() for _ in range(50)]
            for number, (one, _) in enumerate(ends):
                selector.register(one, selectors.EVENT_READ, number)
            for _, two in ends[::7]:
                two.send(b"!")
            print(kind, sorted(key.data for key, _ in selector.select(1)))
            for pair in ends:
                pair[0].close(), pair[1].close()


def files() -> None:
    """Files go to sockets and through pipes without a copy in the program."""
    one, two = socket.socketpair()
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789" * 5000)
        file.flush()
        print(os.sendfile(one.fileno(), file.fileno(), 10, 100), two.recv(1000)[:12])
        reader, writer = os.pipe()
        print(os.splice(file.fileno(), writer, 4096, offset_src=5), os.read(reader, 8))
        print(os.copy_file_range(file.fileno(), file.fileno(), 100, 0, 50_000))
    event = os.eventfd(3)
    os.eventfd_write(event, 4)
    print(os.eventfd_read(event), os.memfd_create("name") > 0)


for part in (streams, messages, waiting, files):
    part()
