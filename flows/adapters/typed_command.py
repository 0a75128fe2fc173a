"""How the command is typed here: `sluice`, or the path of the script that was started.

Sentences of ours name a command as `sluice status`, wherever they are made and kept. Where they are
printed, the word becomes what this person's shell finds.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

_NAME = "sluice"
_COMMAND = re.compile(rf"(?<![\w./@:~-]){_NAME}(?= (?:--)?[a-z])")


def typed(started: str, found: str | None, folder: str) -> str:
    """What is typed for the command, quoted for a shell.

    `started` is the script as this process was started, `found` what the shell finds for `sluice`,
    if anything, and `folder` the one that the person is in.
    """
    if os.sep not in started or Path(started).name != _NAME:
        return _NAME  # not by the path of the console script
    script = os.path.abspath(Path(folder, started))  # noqa: PTH100 - links are kept as they are
    if found and Path(found).resolve() == Path(script).resolve():
        return _NAME
    relative = os.path.relpath(script, folder)
    if not relative.startswith(os.pardir):
        # A name without a folder would be looked for on PATH.
        return shlex.quote(relative if os.sep in relative else f"./{relative}")
    return shlex.quote(script)


def here() -> str:
    """What is typed for the command in this process."""
    return typed(sys.argv[0], shutil.which(_NAME), os.getcwd())  # noqa: PTH109


def as_typed(text: str, command: str | None = None) -> str:
    """The text, its commands as they are typed here, or as `command` says."""
    if _NAME not in text:
        return text
    word = here() if command is None else command
    return _COMMAND.sub(lambda _: word, text)


def line(words: Sequence[str | Path]) -> str:
    """A command of ours with its arguments, each quoted for a shell: `sluice status MODEL`."""
    return f"{_NAME} {shlex.join(str(word) for word in words)}"
