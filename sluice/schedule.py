"""When the runs of a model begin by themselves: the table [schedule] of its policy.

It decides nothing about a model. So it is in no key and ships with none: what a release rests on is
the policy without it, and who changes the hour trains nothing anew.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from sluice.errors import UsageError
from sluice.toml_text import read_toml

TABLE = "schedule"
SCHEDULED = ("release", "monitor", "reconcile")
_ZONE = "timezone"
_EVERY = re.compile(r"every ([1-9]\d{0,3}) (minute|hour|day)s?")
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_LONGEST = 366 * 86_400  # seconds
_HEADER = re.compile(r"[ \t]*\[")
_OURS = re.compile(rf"[ \t]*\[[ \t]*{TABLE}[ \t]*\][ \t]*(#.*)?")
_HOW = 'Write five fields of cron, such as "0 3 * * 1-5", or "every 6 hours".'


@dataclass(frozen=True)
class When:
    """How often a run begins: by the five fields of `cron`, or every so many `seconds` from a
    midnight on; the other of the two is empty or 0.
    """

    timezone: str
    cron: str = ""
    seconds: int = 0


def read_schedule(text: str, source: str = "policy.toml") -> dict[str, When]:
    """When runs begin, by what is run, from the text of a policy; nothing where it does not say.

    Raises UsageError as `check_schedule` does.
    """
    return check_schedule(source, read_toml(text, source).get(TABLE, {}))


def check_schedule(source: str, table: object) -> dict[str, When]:
    """The table [schedule], read. Raises UsageError, which names file and key, where it is
    wrong.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{source}: {TABLE} is {table!r}", f"Write it as a table, [{TABLE}].")
    zone = _zone(source, table.get(_ZONE, "UTC"))
    for key in table:
        if key not in (_ZONE, *SCHEDULED):
            what = f"{source}: [{TABLE}] {key!r} is not a known key"
            raise UsageError(what, f"Known: {', '.join((_ZONE, *SCHEDULED))}.")
    return {name: _when(source, name, table[name], zone) for name in SCHEDULED if name in table}


def decisive(text: str, source: str = "policy.toml") -> str:
    """The text of a policy without its table [schedule]: what a release rests on.

    A text without that table stays as it is, byte for byte. Raises UsageError where the table
    cannot be taken out line by line.
    """
    before = read_toml(text, source)
    if TABLE not in before:
        return text
    lines = text.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if _OURS.fullmatch(line.rstrip("\r\n"))]
    rest = _without(lines, begins[0]) if len(begins) == 1 else text
    kept = {name: value for name, value in before.items() if name != TABLE}
    try:
        apart = read_toml(rest, source) == kept
    except UsageError:
        apart = False
    if not apart:
        raise UsageError(
            f"{source}: {TABLE} is not one table with a line [{TABLE}] of its own",
            "Write it as one, and no other table into it: nothing of it is a model's.",
        )
    return rest


def _without(lines: list[str], begin: int) -> str:
    """The lines without the table whose header is number `begin`, and the comment above it.

    What stands above the next header belongs to that. At the end of the file the blank lines before
    the table go with it.
    """
    end = next((at for at in range(begin + 1, len(lines)) if _HEADER.match(lines[at])), len(lines))
    last = end == len(lines)
    while not last and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    while begin and lines[begin - 1].lstrip().startswith("#"):
        begin -= 1
    while last and begin and not lines[begin - 1].strip():
        begin -= 1
    return "".join([*lines[:begin], *lines[end:]])


def _zone(source: str, given: object) -> str:
    what = f"{source}: [{TABLE}] {_ZONE} is {given!r}"
    fix = 'Write the name of a time zone, such as "UTC" or "Europe/Berlin".'
    if not isinstance(given, str):
        raise UsageError(what, fix)
    try:
        ZoneInfo(given)
    except (ValueError, OSError, LookupError):
        raise UsageError(what, fix) from None
    return given


def _when(source: str, name: str, given: object, zone: str) -> When:
    what = f"{source}: [{TABLE}] {name} is {given!r}"
    if not isinstance(given, str):
        raise UsageError(what, _HOW)
    every = _EVERY.fullmatch(given)
    if every:
        seconds = int(every[1]) * _SECONDS[every[2]]
        if seconds > _LONGEST:
            raise UsageError(f"{what}; at most 366 days are allowed", _HOW)
        return When(zone, seconds=seconds)
    if not _is_cron(given):
        raise UsageError(what, _HOW)
    return When(zone, cron=given)


def _is_cron(given: str) -> bool:
    """Whether these are five fields of cron that some day fits."""
    if len(given.split()) != 5:
        return False
    try:
        next(CronSim(given, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)))
    except (CronSimError, StopIteration):
        return False
    return True
