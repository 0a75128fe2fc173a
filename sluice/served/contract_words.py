"""The words of a contract: what a positive is called, the tiers of risk, the statements of use.

Every one of them may be absent, as it is in contracts of before there were any; then the neutral
words hold. What is present is read strictly.
"""

from dataclasses import fields, replace
from itertools import pairwise

from sluice.served.contract_fields import TOP, Table, fail, known, table, text, texts
from sluice.served.tiers import NEUTRAL_TIERS, Tiers, limits_at
from sluice.served.words import NEUTRAL_STATEMENTS, NEUTRAL_WORDS, Statements, Words

TIER_KEYS = ("name", "below")
_FEWEST_TIERS = 2
THRESHOLD = "threshold"  # in the place of a probability: where a row is flagged from
_MOST_TIERS = 4  # the page draws up to four, each in its own colour


def read_words(source: str, target: Table) -> Words:
    """What a positive is called: `singular` and `plural` of [target], both or neither.

    Raises UsageError where only one is given, or one is not a text on one line.
    """
    if "singular" not in target and "plural" not in target:
        return NEUTRAL_WORDS
    return Words(
        singular=text(source, "the target", target, "singular"),
        plural=text(source, "the target", target, "plural"),
    )


def read_tiers(source: str, raw: Table) -> Tiers:
    """The tiers of risk: two to four [[tiers]], lowest first, each with `name` and `below`.

    `below` is the probability at which the next tier begins; the last tier has none. Where it is
    "threshold" for one of them, that is the threshold of the model, and the numbers are shares: of
    the threshold before it, of the way from there to 1 behind it. Raises UsageError where a name is
    missing or doubled, or the limits do not ascend between 0 and 1.
    """
    if "tiers" not in raw:
        return NEUTRAL_TIERS
    entries = raw["tiers"]
    if not isinstance(entries, list) or not _FEWEST_TIERS <= len(entries) <= _MOST_TIERS:
        fix = f"Write {_FEWEST_TIERS} to {_MOST_TIERS} tables [[tiers]], the lowest first."
        raise fail(source, TOP, "tiers", f"is {entries!r}", fix)
    names: list[str] = []
    for number, entry in enumerate(entries, 1):
        place = f"tier {number}"
        known(source, place, entry, TIER_KEYS)
        name = text(source, place, entry, "name")
        if name in names:
            raise fail(source, place, "name", f"{name!r} is taken", "Give each tier its own name.")
        names.append(name)
    places = [place for place, entry in enumerate(entries[:-1]) if entry.get("below") == THRESHOLD]
    if not places:
        return Tiers(tuple(names), _limits(source, entries))
    shares = _shares(source, entries, places)
    return Tiers(tuple(names), limits_at(shares, 0.5), shares)


def _limits(source: str, entries: list[Table]) -> tuple[float, ...]:
    """The limits of all tiers but the last, which must have none."""
    _require_open_end(source, entries)
    limits = [_limit(source, number, entry) for number, entry in enumerate(entries[:-1], 1)]
    _require_ascending(source, limits, 2)
    return tuple(limits)


def _require_open_end(source: str, entries: list[Table]) -> None:
    last = entries[-1]
    if "below" in last:
        fix = "Leave it out: the last tier has no limit."
        raise fail(source, f"tier {len(entries)}", "below", f"is {last['below']!r}", fix)


def _require_ascending(source: str, limits: list[float], second: int) -> None:
    """Refuse limits that do not ascend; `second` is the number of the tier of the second one."""
    for number, (lower, upper) in enumerate(pairwise(limits), second):
        if upper <= lower:
            fix = f"It must be above {lower:g}, where the tier begins."
            raise fail(source, f"tier {number}", "below", f"is {upper:g}", fix)


def _shares(source: str, entries: list[Table], places: list[int]) -> tuple[float, ...]:
    """The limits where one is the threshold, as `Tiers` has shares; `places` are those of it."""
    _require_open_end(source, entries)
    if len(places) > 1:
        fix = f"Only one tier ends at the threshold; tier {places[0] + 1} does."
        raise fail(source, f"tier {places[1] + 1}", "below", f"is {THRESHOLD!r} again", fix)
    [at] = places
    known_ones = {number: entry for number, entry in enumerate(entries[:-1], 1) if number != at + 1}
    shares = {number: _limit(source, number, entry) for number, entry in known_ones.items()}
    before = [share for number, share in shares.items() if number <= at]
    behind = [share for number, share in shares.items() if number > at]
    _require_ascending(source, before, 2)
    _require_ascending(source, behind, at + 3)
    return (*before, 1.0, *(1.0 + share for share in behind))


def _limit(source: str, number: int, entry: Table) -> float:
    """The limit of a tier that is not the last one."""
    value = entry.get("below")
    if not isinstance(value, float) or not 0.0 < value < 1.0:
        fix = f'It takes a probability between 0 and 1, or "{THRESHOLD}".'
        raise fail(source, f"tier {number}", "below", f"is {value!r}", fix)
    return value


def read_statements(
    source: str, raw: Table, neutral: Statements = NEUTRAL_STATEMENTS
) -> Statements:
    """The statements of [statements]: lists of `use`, `misuse`, `limits` and `duties`.

    A list that is given replaces the neutral one. Raises UsageError where one is no list of texts.
    """
    spec = table(source, raw, "statements", needed=False)
    place = "the statements"
    known(source, place, spec, tuple(field.name for field in fields(Statements)))
    lists = {key: texts(source, place, spec, key) for key in spec}
    return replace(neutral, **lists)
