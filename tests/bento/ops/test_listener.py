"""The door of the service: who is connected stays so when it is shut, and nobody else gets in."""

import socket
import subprocess
import sys

import pytest

from bento.ops.listener import shut

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a filter of Linux")


def test_who_waits_is_taken_and_who_comes_later_is_not_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        with socket.create_connection(place, timeout=5) as early:
            early.sendall(b"early")
            shut(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(place, timeout=0.2)
            taken, _ = listener.accept()
            with taken:
                assert taken.recv(10) == b"early"
                early.sendall(b"later")
                assert taken.recv(10) == b"later"
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()


_CLOSED = """
import asyncio, socket
from bento.ops import listener as door
with socket.create_server(("127.0.0.1", 0)) as listener:
    asyncio.run(door.close())
    try:
        socket.create_connection(listener.getsockname(), timeout=0.2)
    except TimeoutError:
        print("shut")
"""


def test_every_listener_of_a_process_is_shut() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _CLOSED], check=True, stdout=subprocess.PIPE, text=True
    )
    assert ended.stdout == "shut\n"
