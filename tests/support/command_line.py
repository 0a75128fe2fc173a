"""Commands as they are typed, run in this process, and how they ended."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import typer

from flows.cli import main as cli


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Sluice = Callable[..., Ended]


@contextlib.contextmanager
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sluice]:
    """Runs a command in this process, as the program does; how signals are taken is as before
    afterwards.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sluice", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main()
            code: Any = 0
        except SystemExit as end:
            code = end.code
        return Ended(int(code or 0), *capsys.readouterr())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def parse(words: list[str]) -> None:
    """Raise where the command line does not take the words; nothing is done."""
    command = typer.main.get_command(cli.app)
    context = command.make_context("sluice", [word for word in words if word != "--debug"])
    while context.protected_args if hasattr(context, "protected_args") else context._protected_args:
        rest = [*context._protected_args, *context.args]
        name, below, rest = command.resolve_command(context, rest)  # type: ignore[attr-defined]
        command, context = below, below.make_context(name, rest, parent=context)
        if not hasattr(command, "commands"):
            return
