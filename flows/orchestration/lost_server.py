"""The end of a process whose Prefect server went away while a release went on.

Prefect keeps what it has to tell in a queue, and at the exit of a process waits until all of it was
told: eleven tries for each event, minutes for a release. No setting ends that, and nobody is there
to hear it, so the process ends without.
"""

import os
import sys
import threading
from collections.abc import Callable

_GONE = threading.Event()


def remember() -> None:
    """Note that the server of this process went away."""
    _GONE.set()


def end_without(code: object, end: Callable[[int], object] = os._exit) -> None:
    """End the process at once with this exit code, where its server went away; else return.

    What was printed is written out. A temporary server, builders and locks end with the process, as
    they do where it is killed.
    """
    if not _GONE.is_set():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    end(code if isinstance(code, int) else int(bool(code)))
