"""One trial: a run in a forked process, what it does to itself at a boundary, and how it ended."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from flows.adapters import failpoints
from flows.adapters.plain_text import say
from flows.drills.crash.world import World
from sluice.errors import SluiceError, disk

Play = Callable[[], int]
CRASHED = 99  # the exit code after an error that nobody thought of


@dataclass(frozen=True)
class End:
    """How a run ended: its exit code, or the number of the signal that ended it (else 0)."""

    code: int
    signal: int

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.signal == signal.SIGKILL


def start(
    world: World, env: Mapping[str, str], play: Play, seen: failpoints.Seen | None = None
) -> int:
    """Fork, and let the child play with `seen` at every boundary; return its process id.

    Everything that it needs was imported before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _play(World(world.folder, dict(env)), play, seen)
    return pid


def _play(world: World, play: Play, seen: failpoints.Seen | None) -> NoReturn:
    """Play in this process, which ends with it; what it says goes into the log of the world."""
    code = CRASHED
    try:
        with (world.folder / "log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        world.enter()
        if seen:
            failpoints.arm(seen)
        code = play()
    except BaseException as error:  # noqa: BLE001  the child must not go on as the parent
        code = _report(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _report(error: BaseException) -> int:
    """Print an error as the command line does; its exit code."""
    known = _known(error)
    if known is None:
        traceback.print_exception(error)
        return CRASHED
    say(f"Error: {' '.join(str(known).split())}")
    return known.exit_code


def _known(error: BaseException) -> SluiceError | None:
    """The error as a person is told it; None where nobody thought of it."""
    if isinstance(error, SluiceError):
        return error
    if isinstance(error, Exception):
        return disk(error)
    return None


def ended(pid: int) -> End:
    """Wait for a run to end."""
    _, status = os.waitpid(pid, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return End(os.waitstatus_to_exitcode(status), number)


def run(
    world: World, env: Mapping[str, str], play: Play, seen: failpoints.Seen | None = None
) -> End:
    """Play in a process of its own, to its end."""
    return ended(start(world, env, play, seen))


def kill_at(place: str) -> failpoints.Seen:
    """Let the process die, as from `kill -9`, where it comes to this side of a boundary."""

    def seen(here: str) -> None:
        if here == place:
            os.kill(os.getpid(), signal.SIGKILL)

    return seen


def kill_after(count: int) -> failpoints.Seen:
    """Let the process die at the boundary of this number, counted from one."""
    left = count

    def seen(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return seen


def note(file: Path, about: Callable[[], str] = str) -> failpoints.Seen:
    """Write every boundary that a run comes to into a file, a line each.

    A line has what `about` returns then, a tab, and the path of the boundary.
    """

    def seen(here: str) -> None:
        with file.open("a") as out:
            out.write(f"{about()}\t{here}\n")

    return seen


def log_of(world: World) -> str:
    """The last 2,000 characters that the runs printed."""
    return (world.folder / "log").read_text(errors="replace")[-2000:]
