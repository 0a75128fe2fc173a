"""The one door to programs that end: a failure shows command, exit code and what was printed."""

import contextlib
import locale
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.private_files import users_umask
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


@dataclass(frozen=True)
class Raw:
    """What a program printed, byte for byte, and its exit code."""

    code: int
    stdout: bytes
    stderr: bytes

    def text(self, encoding: str) -> Result:
        """The same as text with one kind of line end; what is not in the encoding is replaced."""
        return Result(self.code, _text(self.stdout, encoding), _text(self.stderr, encoding))


def _text(printed: bytes, encoding: str) -> str:
    text = printed.decode(encoding, "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def without_login(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _LOGIN.sub("", text)


class CommandFailed(SluiceError):
    """A program ended with an exit code other than zero, or not at all."""

    def __init__(self, argv: Sequence[str], result: Result) -> None:
        parts = [part.strip() for part in (result.stdout, result.stderr)]
        output = without_login("\n".join(part for part in parts if part))
        command = without_login(shlex.join(argv))
        fix = f"Install {argv[0]}, or put it on PATH." if result.code == _MISSING else ""
        super().__init__(f"`{command}` {_ending(result.code)}\n{output[-_KEPT:]}", fix)
        self.result = result


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


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

    A program that is missing ends with 127, one that is not done after `timeout` seconds with 124.
    One that a signal ended has answered nothing, and is a failure where `check` is off too: silence
    must not be taken for "no". Its environment is that of this process, without the variables named
    in `without` and with those of `env`.
    """
    encoding = locale.getpreferredencoding(False)
    content = None if stdin is None else stdin.encode(encoding)
    raw = run_bytes(argv, cwd=cwd, env=env, without=without, stdin=content, timeout=timeout)
    result = raw.text(encoding)
    if result.code and (check or result.code < 0):
        raise CommandFailed([str(word) for word in argv], result)
    return result


def run_bytes(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    stdin: bytes | None = None,
    timeout: float | None = None,
) -> Raw:
    """As `run`, for what is no text: nothing is decoded, and no exit code raises."""
    words = [str(word) for word in argv]
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    try:
        return _finished(words, cwd, {**inherited, **(env or {})}, stdin, timeout)
    except (FileNotFoundError, PermissionError) as error:
        return Raw(_MISSING, b"", str(error).encode())


def answer(argv: Sequence[str | Path], content: bytes, env: Mapping[str, str]) -> bytes:
    """What a program prints for these bytes of input, with `env` as its whole environment.

    Its exit code and its standard error are dropped.
    """
    words = [str(word) for word in argv]
    result = subprocess.run(words, input=content, env=dict(env), capture_output=True, check=False)
    return result.stdout


def _finished(
    words: list[str],
    cwd: Path | None,
    env: Mapping[str, str],
    stdin: bytes | None,
    timeout: float | None,
) -> Raw:
    """Run it in a process group of its own, so that its own children end with it when the time is
    over.
    """
    kind = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=env,
        stdin=kind,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
        umask=users_umask(),
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            return Raw(LATE, b"", f"no end after {timeout:g} seconds".encode())
        except BaseException:
            _end(process)
            raise
        return Raw(process.returncode, out, err)


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
