"""The one door to other programs: a failure shows the command, its exit code and what it
printed.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import SluiceError

_KEPT = 4000  # characters of output that an error shows; the end of a log is where the cause is
_MISSING, LATE = 127, 124  # exit codes as a shell and `timeout` have them
_LOGIN = re.compile(r"(?<=://)[^/\s]+@")


@dataclass(frozen=True)
class Result:
    """What a program printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


def without_login(text: str) -> str:
    """The same text without the user and password of any URL in it."""
    return _LOGIN.sub("", text)


class CommandFailed(SluiceError):
    """A program ended with an exit code other than zero, or not at all."""

    def __init__(self, argv: Sequence[str], result: Result) -> None:
        output = without_login(
            "\n".join(part.strip() for part in (result.stdout, result.stderr) if part.strip())
        )
        fix = f"Install {argv[0]}, or put it on PATH." if result.code == _MISSING else ""
        command = without_login(shlex.join(argv))
        ended = (
            f"was ended by signal {-result.code}"
            if result.code < 0
            else f"ended with exit code {result.code}"
        )
        super().__init__(f"`{command}` {ended}\n{output[-_KEPT:]}", fix)
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
    """Run a program to its end; raise CommandFailed unless it ends with 0 or `check` is off.

    A program that is not there ends with 127, one that is not done after `timeout` seconds with
    124. One that a signal ended has answered nothing, and is a failure where `check` is off too:
    silence must not be taken for "no". `env` is added to the environment of this process, less the
    variables named in `without`.
    """
    words = [str(word) for word in argv]
    kept = {name: value for name, value in os.environ.items() if name not in without}
    try:
        result = _finished(words, cwd, {**kept, **(env or {})}, stdin, timeout)
    except (FileNotFoundError, PermissionError) as error:
        result = Result(_MISSING, "", str(error))
    if result.code and (check or result.code < 0):
        raise CommandFailed(words, result)
    return result


def answer(argv: Sequence[str | Path], content: bytes, env: Mapping[str, str]) -> bytes:
    """What a program makes of these bytes, under this environment alone; its exit code and what it
    complains of go.
    """
    return subprocess.run(
        [*map(str, argv)], input=content, env=dict(env), capture_output=True, check=False
    ).stdout


def _finished(
    words: list[str],
    cwd: Path | None,
    env: Mapping[str, str],
    stdin: str | None,
    timeout: float | None,
) -> Result:
    """Start it in a process group of its own, so that what it started itself ends with it when the
    time is over.
    """
    kind = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=env,
        stdin=kind,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    ) as started:
        try:
            out, err = started.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            _end(started)
            return Result(LATE, "", f"no end after {timeout:g} seconds")
        except BaseException:
            _end(started)
            raise
        return Result(started.returncode, out, err)


def _end(started: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)
    started.kill()
