"""A page of docs that is generated: written, or compared with what is there."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from flows.adapters.files import write_atomic


def write_or_check(
    arguments: Sequence[str], script: str, text: Callable[[], str], file: Path, what: str
) -> int:
    """Write what `text` gives to `file`, or with `--check` say whether it is there already.

    `script` is the module that a person runs, `what` what the page has to say. Returns the exit
    code: 0 done or current, 1 not current, 2 other arguments.
    """
    if list(arguments) not in ([], ["--check"]):
        print(f"usage: python -m {script} [--check]", file=sys.stderr)
        return 2
    wanted, name = text(), f"{file.parent.name}/{file.name}"
    if not arguments:
        write_atomic(file, wanted.encode())
        file.chmod(0o644)
        print(f"wrote {name}")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == wanted:
        return 0
    print(
        f"Error: {name} does not say {what}\n  Run: python -m {script}",
        file=sys.stderr,
    )
    return 1
