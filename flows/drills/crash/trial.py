"""One trial: a run in a forked process that is told what to do to itself at a boundary, and how it
ended.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import failpoints
from flows.drills.crash.world import World
from sluice.errors import SluiceError, disk

Play = Callable[[], int]
CRASHED = 99


@dataclass(frozen=True)
class End:
    """How a run ended: its exit code, or the signal that ended it."""

    code: int
    signal: int

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.signal == signal.SIGKILL


def start(
    world: World, env: Mapping[str, str], play: Play, seen: failpoints.Seen | None = None
) -> int:
    """Fork, and let the child play with `seen` at every boundary; its process id. Everything was
    imported before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = CRASHED
    try:
        with (world.folder / "log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        World(world.folder, dict(env)).enter()
        if seen:
            failpoints.arm(seen)
        code = play()
    except BaseException as error:  # noqa: BLE001  the child must not go on as the parent
        code = _said(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _said(error: BaseException) -> int:
    """Tell an error as the command line does; its exit code, or that nobody thought of it."""
    shown = (
        error
        if isinstance(error, SluiceError)
        else disk(error)
        if isinstance(error, Exception)
        else None
    )
    if shown is None:
        traceback.print_exception(error)
        return CRASHED
    print(f"Error: {' '.join(str(shown).split())}", file=sys.stderr)
    return shown.exit_code


def ended(pid: int) -> End:
    """Wait for a run."""
    _, status = os.waitpid(pid, 0)
    return End(
        os.waitstatus_to_exitcode(status), os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    )


def run(
    world: World, env: Mapping[str, str], play: Play, seen: failpoints.Seen | None = None
) -> End:
    """Play in a process of its own, to its end."""
    return ended(start(world, env, play, seen))


def kill_at(place: str) -> failpoints.Seen:
    """Let the process die, as from `kill -9`, where it comes to this place."""

    def seen(here: str) -> None:
        if here == place:
            os.kill(os.getpid(), signal.SIGKILL)

    return seen


def kill_after(count: int) -> failpoints.Seen:
    """Let the process die at the boundary of this number, counted from one."""
    left = [count]

    def seen(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    return seen


def noted(file: Path, about: Callable[[], str] = str) -> failpoints.Seen:
    """Write every place that is come to into a file, a line each, behind what `about` says then."""

    def seen(here: str) -> None:
        with file.open("a") as out:
            out.write(f"{about()}\t{here}\n")

    return seen


def log_of(world: World) -> str:
    """The end of what the runs said."""
    return (world.folder / "log").read_text(errors="replace")[-2000:]
