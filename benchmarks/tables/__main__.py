"""Tables that nobody here has seen, from the file to a rollback, as a new user types it.

    PYTHONPATH=tests:. python -m benchmarks.tables [NAME ...] [--keep FOLDER]

Each table is made up and has peculiarities that tables of people's own have. It goes through init
--yes, validate, release, serve, predict, a release of newer rows a month later and a rollback, in
one project with servers of its own in a folder. A person edits two lines of TOML, as the tutorial
says: the policy is reviewed, and what a look found is told, so that newer rows may replace a
champion that is as good. A table to standard error, JSON to standard output; exit code 1 where a
table comes to another end than it should.
"""

import argparse
import dataclasses
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import deliveries, parcels, strange_tables  # type: ignore[import-not-found]  # below tests/

from flows.adapters import server
from flows.project.root import ROOT
from sluice.served.contract import Contract, load_contract

ROWS = 6000
# One column says nearly all of these. init says so, and the gate asks for more rows.
_ONE_COLUMN = ("incomes", "sessions", "machines")
_MORE = "more than its best column"
_SHOWN = "alone, at "
_COMMAND = [sys.executable, "-c", "from flows.cli.main import main; main()"]
_OLDER = 0.8  # of the rows are there at the first release
_LATER = [sys.executable, "-m", "benchmarks.tables.later"]
_EDITS = (("reviewed = false", "reviewed = true"), ('told = "promoted"', 'told = "figures"'))


@dataclass(frozen=True)
class Table:
    """How a table is made, what its user is told where it is not drafted, and what is typed beside
    `init FILE --yes`.
    """

    make: Callable[[int], bytes]
    told: str = ""
    words: tuple[str, ...] = ()


TABLES = {
    "churn": Table(strange_tables.churn),
    "incomes": Table(strange_tables.incomes),
    "sessions": Table(strange_tables.sessions),
    "machines": Table(strange_tables.machines),
    "stays": Table(strange_tables.stays),
    "parcels": Table(parcels.to_csv),  # three classes
    "deliveries": Table(deliveries.to_csv, words=("--target", "Minutes")),  # a number
    "from_excel": Table(strange_tables.from_excel),
    "tabbed_utf16": Table(strange_tables.tabbed_utf16),
    "with_signs": Table(strange_tables.with_signs),
    "dated_two_ways": Table(strange_tables.dated_two_ways),
    "same_name_twice": Table(strange_tables.same_name_twice, "more than one column named"),
    "titled": Table(strange_tables.titled, "one text in its first line"),
    "totalled": Table(strange_tables.totalled, "are these totals?"),
    "spelled_three_ways": Table(strange_tables.spelled_three_ways, "two but for capitals"),
}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and seconds of the clock."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Story:
    """What became of a table: its name, keystrokes, edited lines of TOML, seconds, ROC-AUC of the
    quick model, recall and precision of the first release, and how each step ended. `wrong` is
    what went otherwise than it should, empty for nothing.
    """

    table: str
    keystrokes: int = 0
    edits: int = 0
    seconds: float = 0.0
    verdict: str = ""
    second: str = ""
    rollback: str = ""
    told: str = ""
    wrong: str = ""


@dataclass
class User:
    """Somebody with one project, who types commands; what they typed and how long they waited."""

    folder: Path
    keystrokes: int = 0
    edits: int = 0
    seconds: float = 0.0

    def environment(self) -> dict[str, str]:
        """What the commands run in: nothing of ours but the folder."""
        plain = {name: text for name, text in os.environ.items() if not name.startswith("SLUICE_")}
        home = str(self.folder / ".sluice")
        own = {"SLUICE_PROJECT": str(self.folder), "SLUICE_HOME": home, "SLUICE_TRACKING_URI": ""}
        return {**plain, **own}

    def types(self, *words: str, program: list[str] | None = None) -> Ended:
        """Run `sluice` with these words in the project; `program` takes the place of `sluice
        release`.
        """
        began = time.perf_counter()
        done = subprocess.run(  # our own command
            [*program, *words[1:]] if program else [*_COMMAND, *words],
            cwd=self.folder,
            env=self.environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        spent = time.perf_counter() - began
        self.keystrokes += len("sluice " + " ".join(words)) + 1
        self.seconds += spent
        return Ended(done.returncode, done.stdout, done.stderr, spent)


def pieces(data: bytes) -> tuple[str, list[str]]:
    """How a table is encoded, and its records with their ends; a cell may hold ends of lines."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        encoding = "utf-8"
    records: list[str] = [""]
    for line in io.StringIO(data.decode(encoding), newline=""):
        if records[-1].count('"') % 2 == 0:
            records.append("")
        records[-1] += line
    return encoding, records[1:]


def older(data: bytes) -> bytes:
    """The first rows of a table, in its own encoding."""
    encoding, records = pieces(data)
    return "".join(records[: 1 + int(_OLDER * (len(records) - 1))]).encode(encoding)


def told(name: str, made: Table, folder: Path) -> Story:
    """A table that is not drafted, and says why."""
    user = User(folder)
    (folder / f"{name}.csv").write_bytes(made.make(ROWS))
    ended = user.types("init", f"{name}.csv", "--yes")
    said = " ".join(ended.err.split())
    wrong = "" if ended.code == 3 and made.told in said else f"init: {ended.code}: {said[-300:]}"
    return Story(name, user.keystrokes, 0, user.seconds, told=said, wrong=wrong)


def released(name: str, made: Table, folder: Path) -> Story:
    """A table on its whole way."""
    user, whole = User(folder), made.make(ROWS)
    file = folder / f"{name}.csv"
    file.write_bytes(older(whole))
    story = Story(name)
    try:
        foretold = _MORE if name in _ONE_COLUMN else "Next: sluice release"
        expect(user.types("init", file.name, "--yes", *made.words), foretold)
        edit(user, folder / "models" / name / "policy.toml")
        expect(user.types("validate", name), "Valid: ")
        first = user.types("release", name)
        story = dataclasses.replace(story, verdict=shown(first, "Verdict"))
        if name in _ONE_COLUMN and first.code == 3 and _SHOWN in shown(first, "Why"):
            return spent(story, user)  # in others of the holdouts that it might have had it passes
        expect(first, "Promoted: release 1 of ")
        answer(user, name)
        out = f"{name}-scored.csv"
        expect(user.types("predict", name, "--file", file.name, "--out", out), "")
        file.write_bytes(whole)
        newer = user.types("release", name, file.name, program=_LATER)
        story = dataclasses.replace(story, second=shown(newer, "Verdict"))
        if story.second.startswith(("HOLD", "INSUFFICIENT")) and "release 2 of " not in newer.out:
            return spent(story, user)  # nothing newer is live, so there is nothing to go back from
        expect(newer, "release 2 of ")
        back = expect(user.types("rollback", name, "--reason", "a trial"), "")
        story = dataclasses.replace(story, rollback=back.out.strip().splitlines()[-1])
        expect(user.types("status", name), f"Live: release 1 of {name}, ")
    except Unexpected as error:
        story = dataclasses.replace(story, wrong=str(error))
    return spent(story, user)


def spent(story: Story, user: User) -> Story:
    """The story with what it took its user."""
    return dataclasses.replace(
        story, keystrokes=user.keystrokes, edits=user.edits, seconds=user.seconds
    )


class Unexpected(Exception):
    """A command that ended otherwise than it should."""


def expect(ended: Ended, sentence: str) -> Ended:
    """The same, where it ended well and said so. Raises Unexpected."""
    if ended.code or sentence not in " ".join(ended.out.split()):
        raise Unexpected(f"exit code {ended.code}\n{ended.out[-1500:]}\n{ended.err[-1500:]}")
    return ended


def shown(ended: Ended, name: str) -> str:
    """What the summary of a release says under this name."""
    return " ".join(re.findall(rf"^{name} +(.+)$", ended.out, re.MULTILINE))


def edit(user: User, policy: Path) -> None:
    """The lines that a person changes in the policy."""
    text = policy.read_text(encoding="utf-8")
    for old, new in _EDITS:
        if text.count(old) != 1:
            raise Unexpected(f"{policy} has {old!r} {text.count(old)} times; once is required")
        text = text.replace(old, new)
        user.edits += 1
        user.keystrokes += len(new)
    policy.write_text(text, encoding="utf-8")


def answer(user: User, model: str) -> None:
    """Serve the model and ask it for the example of its contract. Raises Unexpected."""
    contract = load_contract((user.folder / "models" / model / "contract.toml").read_text("utf-8"))
    body = json.dumps({column.key: column.example for column in contract.features}).encode()
    port, log = server.free_port(), user.folder / f"{model}.serve.log"
    words = [*_COMMAND, "serve", model, "--port", str(port)]
    user.keystrokes += len(f"sluice serve {model}") + 1
    env = user.environment() | {"PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    with server.running(words, port, log, env=env, path="/readyz", deadline=300) as url:
        user.seconds += time.perf_counter() - began
        request = urllib.request.Request(  # this machine's
            f"{url}/predict", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            found = json.load(reply)
    if not possible(contract, found):
        raise Unexpected(f"the service answered {found}")


def possible(contract: Contract, answer: dict[str, Any]) -> bool:
    """Whether an answer is one of those that the target has."""
    target = contract.target
    if target.quantity:
        return bool(target.quantity.low <= answer["value"] <= target.quantity.high)
    known = target.classes if target.several else (0, 1)
    return answer["prediction"] in known and 0 <= answer["probability"] <= 1


def table(stories: list[Story]) -> str:
    """What became of each, in Markdown."""
    lines = [
        "| table | keystrokes | edits | seconds | first release | newer rows | rollback |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in stories:
        ends = [one.verdict.partition(" (")[0], one.second.partition(":")[0], one.rollback]
        if one.told or one.wrong:
            ends = [f"told: {one.told}" if not one.wrong else "WRONG", "", ""]
        figures = [f"{one.keystrokes}", f"{one.edits}", f"{one.seconds:.0f}"]
        lines.append(f"| {' | '.join([one.table, *figures, *ends])} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Try them and print; 1 where one comes to another end than it should."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--keep", type=Path, help="a new folder in which everything is left")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(TABLES):
        parser.error(f"there is no table {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="tables-") as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        stories = []
        for name in given.names or TABLES:
            made = TABLES[name]
            tried = told if made.told else released
            stories.append(tried(name, made, folder))
            print(stories[-1].wrong, file=sys.stderr, end="\n" if stories[-1].wrong else "")
    print(table(stories), file=sys.stderr)
    found = [dataclasses.asdict(one) for one in stories]
    print(json.dumps({"python": platform.python_version(), "tables": found}, indent=1))
    return 1 if any(one.wrong for one in stories) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
