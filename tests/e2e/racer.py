"""One of those who race, as a process of its own: a release that writes, or a person who edits the same file.

A line of standard input is a candidate to release, the next one the start; its number and its outcome, as JSON, are
lines of standard output.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from repos import OVERLAY, promotion, use

from flows import settings
from flows.numbers import reserve
from flows.promotion import promote
from sluice.errors import SluiceError


def told(**what: object) -> None:
    """A line for who started the race."""
    print(json.dumps(what), flush=True)


def release(tag: str, against: str) -> None:
    """Take a number, wait for the start, write."""
    given = settings.load()
    number, _ = reserve(given, "attrition", use(tag))
    told(number=number)
    sys.stdin.readline()
    try:
        written = promote(given, promotion(tag, number, against))
        told(number=number, outcome=written.outcome, sentence=written.sentence, code=0)
    except SluiceError as error:
        told(number=number, outcome="error", sentence=str(error), code=error.exit_code)


def git(folder: Path, *words: str) -> bool:
    """What a person types; whether it worked."""
    who = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, check=False).returncode == 0


def edit(url: str, count: int) -> int:
    """Raise the replicas by one, `count` times, as a person does: pull, edit, commit, push, and again if it is late."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        assert git(Path(scratch), "clone", "--quiet", url, str(folder))
        tries = 0
        for _ in range(count):
            time.sleep(random.uniform(0.1, 0.5))
            while True:
                tries += 1
                assert git(folder, "fetch", "--quiet", "origin", "main")
                assert git(folder, "reset", "--quiet", "--hard", "origin/main")
                path = folder / OVERLAY
                head, mark, rest = path.read_text().partition("    count: ")
                number, newline, tail = rest.partition("\n")
                path.write_text(f"{head}{mark}{int(number) + 1}{newline}{tail}")
                assert git(folder, "commit", "--quiet", "--all", "--message", f"Scale to {int(number) + 1}")
                if git(folder, "push", "--quiet", "origin", "HEAD:main"):
                    break
    return tries


if __name__ == "__main__":
    if sys.argv[1:2] == ["edit"]:
        print(edit(sys.argv[2], int(sys.argv[3])), flush=True)
    else:
        while line := sys.stdin.readline():
            release(**json.loads(line))
