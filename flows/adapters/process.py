"""The one door to other programs: a failure shows the command, its exit code and what it printed."""

import os
import shlex
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError

_KEPT = 4000  # characters of output that an error shows; the end of a log is where the cause is


@dataclass(frozen=True)
class Result:
    """What a program printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


class CommandFailed(SluiceError):
    """A program ended with an exit code other than zero, or not at all."""

    def __init__(self, argv: Sequence[str], result: Result) -> None:
        output = "\n".join(part.strip() for part in (result.stdout, result.stderr) if part.strip())
        super().__init__(f"`{shlex.join(argv)}` ended with exit code {result.code}\n{output[-_KEPT:]}")
        self.result = result


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> Result:
    """Run a program to its end; raise CommandFailed unless it ends with 0 (or `check` is off).

    `env` is added to the environment of this process, less the variables named in `without`; `timeout` is in seconds.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**{name: value for name, value in os.environ.items() if name not in without}, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandFailed(words, Result(127, "", str(error))) from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(words, Result(124, "", f"no end after {timeout:g} seconds")) from None
    result = Result(done.returncode, done.stdout, done.stderr)
    if check and result.code:
        raise CommandFailed(words, result)
    return result
