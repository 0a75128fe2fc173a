"""Closing the listener without a reset: no new connection is begun, the begun ones are answered.

A listener that closes resets the connections that wait in its queue, though their clients were told
that they are connected. So the kernel is told first to drop every packet for the listener itself:
a client that comes then is not connected, tries again, and is refused when nobody listens any more.
Meanwhile the server empties the queue.
"""

import asyncio
import ctypes
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import psutil

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER of Linux, which the module socket does not name
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # one instruction: keep nothing of a packet
_PAUSE = 0.05  # seconds between two looks at the queue
_LONGEST = 2.0  # seconds until nobody waits any longer for it to be empty
_ARRIVING = 0.25  # seconds in which the request of the connection that was taken last is here


async def close() -> None:
    """Close all listeners of this process, and return when their queues are empty.

    Where the system has no such filter, at once.
    """
    listeners = [*_listening()]
    try:
        for listener in listeners:
            shut(listener)
        waited = 0.0
        while waited < _LONGEST and select.select(listeners, [], [], 0)[0]:
            await asyncio.sleep(_PAUSE)
            waited += _PAUSE
        await asyncio.sleep(_ARRIVING)
    except OSError:
        return
    finally:
        for listener in listeners:
            listener.close()


def shut(listener: socket.socket) -> None:
    """Begin no new connection. Raise OSError where the system has no such filter."""
    code = ctypes.create_string_buffer(_DROP)
    listener.setsockopt(
        socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code))
    )


def _listening() -> Iterator[socket.socket]:
    """The sockets of this process that listen, copied.

    The server got its own by number, and does not hand it out.
    """
    for connection in psutil.Process().net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN:
            with suppress(OSError):  # closed meanwhile
                yield socket.socket(fileno=os.dup(connection.fd))
