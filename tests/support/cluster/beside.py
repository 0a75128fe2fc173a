"""Programs of ours that run beside the controllers, `sluice judge` and `sluice reconcile`: a scene
may kill one and start it again.
"""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.cluster.waiting import until

from flows.adapters import server
from flows.adapters.server import Starting

# As the console script does it; from here, whatever is installed.
SLUICE = (sys.executable, "-c", "from sluice_command import main; main()")


@dataclass
class Beside:
    """One of them: what is typed, and the file of what it prints, of which `ready` is the sign that
    it works. `port` is 0 for what listens nowhere.
    """

    words: Sequence[str]
    log: Path
    ready: str
    port: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    running: Starting | None = None

    def begin(self) -> None:
        """Start it, and wait until it works."""
        self.running = server.start([*SLUICE, *self.words], self.port, self.log, env=self.env)
        until(lambda: self.ready in self.log.read_text(), 60, self.log.read_text)

    def kill(self) -> None:
        """End it as a machine does that loses its power."""
        if self.running is not None:
            self.running.process.send_signal(signal.SIGKILL)
            self.running.process.wait()
            self.running = None


@contextmanager
def beside(program: Beside) -> Iterator[Beside]:
    """It runs while the block does, unless a scene stops it."""
    program.begin()
    try:
        yield program
    finally:
        program.kill()
