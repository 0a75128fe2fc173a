"""The commands of the README, as they stand there."""

import re

from support.clones import PROJECT


def commands() -> list[str]:
    """Each command of an indented block of README.md; lines of output and of other languages are
    none.
    """
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    found: list[str] = []
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.M):
        for line in re.sub(r"^ {4}", "", block, flags=re.M).splitlines():
            if re.match(r"(?:make|curl|git|\.venv/bin/\w+|python3?|sluice) ", line):
                found.append(line)
            elif found and found[-1].count("'") % 2:
                found[-1] += f"\n{line}"
    return found


def table() -> list[str]:
    """The commands in the first column of the tables of README.md."""
    return re.findall(
        r"^\| `((?:sluice|make) [^`]+)`", (PROJECT / "README.md").read_text(encoding="utf-8"), re.M
    )
