"""A port of the bridge that leads to one of loopback: how pods reach a server of this machine."""

import contextlib
import socket
import threading


def forward(host: str, port: int) -> int:
    """Lead connections to `host`, at the port that is returned, to `port` of loopback, as long as
    this process lives.
    """
    listening = socket.create_server((host, 0))
    threading.Thread(target=_accept, args=[listening, port], name="forward", daemon=True).start()
    return int(listening.getsockname()[1])


def _accept(listening: socket.socket, port: int) -> None:
    while True:
        caller, _ = listening.accept()
        threading.Thread(target=_connect, args=[caller, port], daemon=True).start()


def _connect(caller: socket.socket, port: int) -> None:
    """Copy both ways until both have ended."""
    with contextlib.suppress(OSError), caller, socket.create_connection(("127.0.0.1", port)) as to:
        back = threading.Thread(target=_copy, args=[to, caller], daemon=True)
        back.start()
        _copy(caller, to)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
