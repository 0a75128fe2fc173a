"""The trial of a model artifact: loaded, and asked for one row, in a process of its own that has
little time and memory.

What is in a model's bytes is looked at before anything runs them (sluice/served/onnx_file.py). What
they make ONNX Runtime do is only known when it does it. So an artifact that somebody else made is
tried first, and whatever it does to the process that loads it ends in a sentence here.
"""

import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sluice.errors import Refused, SluiceError, UsageError
from sluice.served.scoring import MODEL_FILE, load_model

_TRAIN = "Train a smaller model, or build this artifact anew."
# What ONNX Runtime says where it got no memory; it is the text of an error of any kind.
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Unable to allocate")
_MODULE = "bento.model_trial"
_SOURCES = str(Path(__file__).resolve().parents[1])
_NO_ROOM = 4  # exit code of the process where memory ran out
_KINDS = {kind.exit_code: kind for kind in (SluiceError, UsageError, Refused)}


@dataclass(frozen=True)
class Limits:
    """What a trial may take: `seconds` of the processor, `room` bytes of memory and `per_byte` more
    for each byte of the model, both besides what ONNX Runtime takes without a model; and `longest`
    seconds by the clock, which only a machine that does nothing else needs.
    """

    seconds: int = 20
    room: int = 128 << 20
    per_byte: int = 8
    longest: float = 600.0


LIMITS = Limits()


class _Said(msgspec.Struct, frozen=True):
    """What the process found wrong, as its last line."""

    what: str
    fix: str


def require_loads(folder: Path, limits: Limits = LIMITS) -> None:
    """Return where the model artifact in `folder` can be loaded and scores a row within the limits.

    Raises what `load_model` raises, Refused where the model takes more than the limits or ends the
    process that loads it, SluiceError where no such process can be started.
    """
    path = folder / MODEL_FILE
    memory = limits.room + limits.per_byte * path.stat().st_size
    words = [sys.executable, "-P", "-m", _MODULE, str(folder), str(limits.seconds), str(memory)]
    try:
        ended = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            timeout=limits.longest,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _takes(f"{limits.longest:.0f} seconds", path) from None
    if ended.returncode == 0:
        return
    raise _fault(ended, limits, memory, path)


def _environment() -> dict[str, str]:
    """The whole environment of the process: it imports what this one does, tells nobody, and gets
    no secret.
    """
    folders = [folder or str(Path.cwd()) for folder in sys.path]
    found = {
        # BentoML takes the sources of the service out of sys.path again.
        "PYTHONPATH": os.pathsep.join([_SOURCES, *folders]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    libraries = os.environ.get("LD_LIBRARY_PATH")
    if libraries:
        found["LD_LIBRARY_PATH"] = libraries
    return found


def _fault(
    ended: subprocess.CompletedProcess[bytes], limits: Limits, memory: int, path: Path
) -> SluiceError:
    """What is wrong with a model whose process ended so."""
    code = ended.returncode
    if code == -signal.SIGXCPU:
        return _takes(f"{limits.seconds} seconds of the processor", path)
    if code == _NO_ROOM:
        return _takes(f"{memory / 1e6:,.0f} MB of memory", path)
    if code < 0:
        name = signal.Signals(-code).name
        return Refused(f"the model {path} ends the process that loads it ({name})", _TRAIN)
    if code in _KINDS:
        try:
            said = msgspec.json.decode(ended.stdout.splitlines()[-1], type=_Said)
        except (IndexError, ValueError, RecursionError):
            pass  # it did not come so far
        else:
            return _KINDS[code](said.what, said.fix)
    said_last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
    why = "".join(said_last) or f"exit code {code}"
    return SluiceError(
        f"no process could be started that tries the model ({why})",
        "Look whether Python and ONNX Runtime start here, and whether memory is free.",
    )


def _takes(limit: str, path: Path) -> Refused:
    return Refused(
        f"to load the model {path} and to score one row takes more than {limit}; at most that is"
        " allowed",
        _TRAIN,
    )


def _bound(seconds: int, memory: int) -> None:
    """Bound what this process may take from now on."""
    times = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(times.ru_utime + times.ru_stime) + seconds
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    room = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The first limit ends it by a signal that tells what it was; the second one ends whoever
    # catches that.
    resource.setrlimit(resource.RLIMIT_CPU, (until, until + 1))
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


def main(arguments: Sequence[str]) -> int:
    """Try the artifact in a folder: `FOLDER SECONDS BYTES`. The exit code is that of the error."""
    import onnxruntime  # noqa: F401 - what it takes itself is not the model's

    folder, seconds, memory = arguments
    _bound(int(seconds), int(memory))
    try:
        load_model(Path(folder))
    except MemoryError:
        return _NO_ROOM
    except SluiceError as error:
        # The sentence has the beginning alone of what ONNX Runtime said.
        said = f"{error.what} {error.__cause__}"
        if any(sign in said for sign in _NO_MEMORY):
            return _NO_ROOM
        sys.stdout.buffer.write(msgspec.json.encode(_Said(error.what, error.fix)))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
