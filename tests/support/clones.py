"""A clean clone of this project with a home of its own: what somebody has who typed `git clone`,
and nothing more.
"""

import os
import re
import resource
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.adapters import process, server

PROJECT = Path(__file__).parent.parent.parent
_OWN = (
    "SLUICE_",
    "PREFECT_",
    "MLFLOW_",
    "BENTO",
    "XDG_",
    "COV",
    "PYTEST_",
    "GITHUB_",
    "CI",
    "VIRTUAL_ENV",
    "PYTHON",
    "OMP_",
    "OPENBLAS_",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "MAKE",
    "MFLAGS",
)


@dataclass(frozen=True)
class Clone:
    """A clone: its folder, its HOME, and a folder whose `python3` comes first on PATH."""

    path: Path
    home: Path
    bin: Path


@dataclass(frozen=True)
class Finished:
    """How a command ended, what it printed, the seconds it took, and those that it kept processors
    busy.

    The latter say what it costs also where other programs are in its way.
    """

    code: int
    stdout: str
    stderr: str
    seconds: float = field(compare=False)
    computing: float = field(compare=False)

    @property
    def last(self) -> str:
        """The last line of standard output, which is the one that matters."""
        return self.stdout.strip().splitlines()[-1]

    def shown(self, name: str) -> str:
        """What the summary at the end of a release says under this name."""
        [text] = re.findall(rf"^{name} +(.+)$", self.stdout, re.M)
        return str(text)


@dataclass(frozen=True)
class Demo:
    """The clone in which `make demo` ran with nothing there before, how it ended, and a copy of its
    evidence.
    """

    clone: Clone
    ended: Finished
    evidence: Path


@dataclass(frozen=True)
class Watched:
    """A release that ran while a Prefect server was up, and the address of the server."""

    url: str
    ended: Finished

    @property
    def page(self) -> str:
        """The address of its page, which it prints before its first step."""
        printed = self.ended.stderr.partition("Validate data")[0]
        [address] = re.findall(r"^Run +(http://\S+)$", printed, re.M)
        return str(address)


def clone(folder: Path, home: Path, python: Path | None = None) -> Clone:
    """Clone HEAD of this project into `folder`; `python` is its `python3` (default: the one that
    runs the tests).
    """
    process.run(["git", "clone", "--quiet", PROJECT, folder / "sluice"])
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(python or Path(sys.base_prefix) / "bin" / "python3")
    home.mkdir(parents=True, exist_ok=True)
    return Clone(folder / "sluice", home, folder / "bin")


def environment(place: Clone, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process without what would steer Sluice or its tools, with the
    clone's HOME and PATH, and the model of the README, as it says.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    return {
        **plain,
        "HOME": str(place.home),
        "PATH": f"{place.bin}:{plain['PATH']}",
        "SLUICE_MODEL": "attrition",
        **(given or {}),
    }


def run(
    place: Clone, command: str | Sequence[str | Path], timeout: float = 1200, **given: str
) -> Finished:
    """Run a command in the clone, through a shell where it is one text; nothing is raised for its
    exit code.
    """
    words = ["bash", "-c", command] if isinstance(command, str) else command
    started, before = time.monotonic(), computed()
    done = process.run(
        words,
        cwd=place.path,
        env=environment(place, given),
        without=set(os.environ),
        timeout=timeout,
        check=False,
    )
    return Finished(
        done.code, done.stdout, done.stderr, time.monotonic() - started, computed() - before
    )


def computed(*of: int) -> float:
    """Seconds of processors that processes took: those that ended below this one, unless told
    otherwise.
    """
    used = [resource.getrusage(who) for who in of or (resource.RUSAGE_CHILDREN,)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def done(
    place: Clone, command: str | Sequence[str | Path], timeout: float = 1200, **given: str
) -> Finished:
    """The same, for a command that must end with 0."""
    finished = run(place, command, timeout, **given)
    assert finished.code == 0, f"{command}\n{finished.stdout[-6000:]}\n{finished.stderr[-6000:]}"
    return finished


def git(place: Path, *words: str) -> str:
    """What git prints in this folder."""
    return process.run(["git", *words], cwd=place).stdout.strip()


def state(place: Clone) -> Path:
    """The state folder of generated rows, which is the demo's."""
    return place.path / ".sluice" / "demo"


def manifests(place: Clone) -> Path:
    """The demo's manifest repo."""
    return state(place) / "manifests.git"


@contextmanager
def serving(place: Clone, command: str, port: int, path: str, **given: str) -> Iterator[str]:
    """A server of the clone, started as a person types it, while the block runs; its URL."""
    env = (f"{name}={value}" for name, value in environment(place, given).items())
    # `env -i`: what the tests' own environment has and the clone's has not must be gone, not left
    # in place.
    words = [
        "env",
        "-i",
        *env,
        "bash",
        "-c",
        f"cd {shlex.quote(str(place.path))} && exec {command}",
    ]
    with server.running(
        words, port, place.path.parent / f"{port}.log", deadline=240, path=path
    ) as url:
        yield url
