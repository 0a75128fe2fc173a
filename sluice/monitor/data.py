"""What has changed in what the model is asked, and in what it answers: from the counts of days.

Each column is held against the training rows: the newest day, the last seven days, and those
against the four weeks before. A change is named where its effect is large, and chance is no
explanation after Holm over all columns.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from sluice.model.artifact.reference import Numbers, Reference, Texts
from sluice.monitor.day import Day, NumberCounts, TextCounts
from sluice.monitor.distance import NO_DISTANCE, Distance, distance, holm, share_p_value
from sluice.monitor.report import ACT, WATCH, Finding
from sluice.percent import percent
from sluice.policy import DriftPolicy
from sluice.served.contract import Column, Contract

NEW = "(new)"
LEVEL = 0.0001  # of the tests of one look; a year has many, and an effect has to be large besides
_WEEK, _MONTH = 7, 28
_SHARE = 0.02  # by which the share of missing values, or of those outside the reference, moves
_FLOODED = 0.5  # from which such a share is no drift: the column is broken
_LEAST_ROWS = 50
_NAMED = 3  # of the fields of refused requests
_FLAGGED = 0.05  # points by which the share flagged moves
_SENT = "See what the sender changed: nobody is answered, and no row of it is in this report."
_LOOK = "Look at what writes this column; until then, do not retrain on these rows."
_RETRAIN = "Retrain on recent rows where the change is real; the gate decides about the result."
_NEW = "See whether the contract and the features have to know it; then retrain on recent rows."


@dataclass(frozen=True)
class Seen:
    """A column in some days: how many rows, those without a value, and those `outside`, which no
    training row had; `new` names such texts.

    `bins` has the counts in the order of the reference. Numbers outside are in the outermost bins,
    where training has put its own; texts outside are in a last bin.
    """

    bins: tuple[int, ...]
    outside: int
    new: tuple[str, ...]
    missing: int
    rows: int


def seen_in(days: Sequence[Day], key: str, cell: Numbers | Texts) -> Seen:
    """The counts of a column in all these days together."""
    if isinstance(cell, Numbers):
        return _numbers([day.columns[key] for day in days if key in day.columns], cell)
    return _texts([day.columns[key] for day in days if key in day.columns], cell)


def last_week(days: Sequence[Day]) -> list[Day]:
    """The last seven days that have rows, in their order."""
    return [day for day in days if day.rows][-_WEEK:]


def histogram_of(days: Sequence[Day], reference: Reference) -> Reference:
    """The columns of these days as the reference counts them; texts that it does not know are
    pooled as NEW. A column without rows is left out.
    """
    found: Reference = {}
    for key, cell in reference.items():
        if not cell.counted:
            continue
        seen = seen_in(days, key, cell)
        if not seen.rows:
            continue
        if isinstance(cell, Numbers):
            found[key] = replace(cell, counts=seen.bins, missing=seen.missing)
        else:
            counts = dict(zip(cell.values, seen.bins, strict=False))
            new = {NEW: seen.outside} if seen.outside else {}
            found[key] = replace(cell, values={**counts, **new}, missing=seen.missing)
    return found


def effects(days: Sequence[Day], contract: Contract, reference: Reference) -> dict[str, float]:
    """By published name, how far each column of these days is from the training rows: the PSI
    without what chance makes of it.
    """
    found = {}
    for column in contract.features:
        cell = reference.get(column.key)
        if cell is not None and cell.counted:
            far = _against_reference(seen_in(days, column.key, cell), cell)
            found[column.name] = round(far.effect, 4)
    return found


def data_findings(
    days: Sequence[Day], contract: Contract, reference: Reference, policy: DriftPolicy
) -> list[Finding]:
    """What has changed in the columns; `days` are in their order, the newest last."""
    columns = [
        column
        for column in contract.features
        if column.key in reference and reference[column.key].counted
    ]
    refused = _refused(days)
    days = [day for day in days if day.rows]
    if not days or not columns:
        return refused
    findings = [*refused, *_units(days[-_WEEK:], columns)]
    told = {finding.column for finding in findings}
    for which, period in (("on", days[-1:]), ("in the seven days up to", days[-_WEEK:])):
        when = f"{which} {days[-1].day}"
        left = [column for column in columns if column.name not in told]
        more = _period(period, when, left, len(columns), reference, policy)
        told |= {finding.column for finding in more}
        findings += more
    left = [column for column in columns if column.name not in told]
    return findings + _against_month(days, left, reference, policy)


def _refused(days: Sequence[Day]) -> list[Finding]:
    """Whether more requests are refused for their fields than before. A request may hold many rows,
    and of those that were answered the rows are known: so a share of refused requests is told of
    rows and refused requests together, and is rather too low.
    """
    asked = [day for day in days if day.rows + day.refused]
    week, month = asked[-_WEEK:], asked[-_WEEK - _MONTH : -_WEEK]
    refused, of = _asked(week)
    before, of_before = _asked(month)
    if of < _LEAST_ROWS:
        return []
    # Before the first week has passed none is usual.
    usual, trials = (before / of_before, of_before) if of_before else (0.0, of)
    if refused / of < usual + _SHARE or share_p_value(before, trials, refused, of) > LEVEL:
        return []
    named: Counter[str] = Counter()
    for day in week:
        named.update(day.refused_fields)
    shown = ", ".join(f"{name} in {count:,}" for name, count in named.most_common(_NAMED))
    sentence = (
        f"In the seven days up to {week[-1].day}, {refused:,} requests were refused for their"
        f" fields: {percent(refused / of, 1)} of {of:,} refused requests and answered rows;"
        f" {percent(usual, 1)} is usual. Most of all: {shown}."
    )
    severity = ACT if refused / of >= _FLOODED else WATCH
    return [Finding(kind="request", severity=severity, sentence=sentence, response=_SENT)]


def _asked(days: Sequence[Day]) -> tuple[int, int]:
    """How many requests were refused, and that with all rows that were answered."""
    refused = sum(day.refused for day in days)
    return refused, refused + sum(day.rows for day in days)


def answer_findings(days: Sequence[Day], promised: float, of: int) -> list[Finding]:
    """Whether the share that is flagged has moved from the one of the holdout, of `of` rows."""
    week = [day for day in days if day.rows][-_WEEK:]
    rows, flagged = sum(day.rows for day in week), sum(day.flagged for day in week)
    if rows < _LEAST_ROWS:
        return []
    share = flagged / rows
    p_value = share_p_value(round(promised * of), of, flagged, rows)
    if abs(share - promised) < _FLAGGED or p_value > LEVEL:
        return []
    tiers: Counter[str] = Counter()
    for day in week:
        tiers.update(day.tiers)
    shown = ", ".join(f"{name} {percent(count / rows)}" for name, count in tiers.most_common())
    sentence = (
        f"Flagged in the seven days up to {week[-1].day} are {percent(share, 1)} of {rows:,}"
        " rows; it was"
        f" {percent(promised, 1)} when the model was judged (tiers: {shown})."
    )
    response = "See which columns have changed; the work that follows the flags changes with it."
    return [Finding(kind="prediction", severity=WATCH, sentence=sentence, response=response)]


def _units(days: Sequence[Day], columns: Sequence[Column]) -> list[Finding]:
    findings = []
    for column in columns:
        changed = [day for day in days if column.key in day.units]
        if not changed:
            continue
        unit = changed[-1].units[column.key]
        was = f", not in {column.unit}" if column.unit else ""
        sentence = (
            f"{column.name} comes in another unit since {changed[0].day}{was}: its values are"
            f" {unit.factor:.4g} times what they were ({unit.example})."
        )
        findings.append(
            Finding(
                kind="data", severity=ACT, sentence=sentence, response=_LOOK, column=column.name
            )
        )
    return findings


def _period(
    days: Sequence[Day],
    when: str,
    columns: Sequence[Column],
    looked_at: int,
    reference: Reference,
    policy: DriftPolicy,
) -> list[Finding]:
    """What differs in these days from the training rows, at most one finding for each column."""
    found = [(column, seen_in(days, column.key, reference[column.key])) for column in columns]
    found = [(column, seen) for column, seen in found if seen.rows >= _LEAST_ROWS]
    findings = []
    for column, seen in found:
        finding = _broken(column, seen, reference[column.key], when, looked_at)
        if finding:
            findings.append(finding)
    told = {finding.column for finding in findings}
    rest = [(column, seen) for column, seen in found if column.name not in told]
    fars = [_against_reference(seen, reference[column.key]) for column, seen in rest]
    whole = "the training rows"
    return findings + _drifted([column for column, _ in rest], fars, when, whole, policy)


def _against_month(
    days: Sequence[Day], columns: Sequence[Column], reference: Reference, policy: DriftPolicy
) -> list[Finding]:
    """What differs in the last seven days from the four weeks before."""
    week, month = days[-_WEEK:], days[-_WEEK - _MONTH : -_WEEK]
    if not month:
        return []
    fars = []
    for column in columns:
        cell = reference[column.key]
        before, after = seen_in(month, column.key, cell), seen_in(week, column.key, cell)
        enough = min(before.rows, after.rows) >= _LEAST_ROWS
        ordered = isinstance(cell, Numbers)
        far = distance(before.bins, after.bins, ordered=ordered) if enough else NO_DISTANCE
        fars.append(far)
    when = f"in the seven days up to {days[-1].day}"
    return _drifted(columns, fars, when, "the four weeks before", policy)


def _drifted(
    columns: Sequence[Column],
    fars: Sequence[Distance],
    when: str,
    against: str,
    policy: DriftPolicy,
) -> list[Finding]:
    findings = []
    adjusted = holm([far.p_value for far in fars])
    for column, far, p_value in zip(columns, fars, adjusted, strict=True):
        if far.effect < policy.drifted or p_value > LEVEL:
            continue
        strength = "strong" if far.effect >= policy.strong else "some"
        ks = f", KS {far.ks:.2f}" if far.ks else ""
        sentence = (
            f"{column.name} has drifted from {against} {when} ({strength}): PSI"
            f" {far.psi:.2f}, of which chance makes {far.noise:.2f}; Jensen-Shannon"
            f" {far.jensen_shannon:.2f}{ks}; below {policy.drifted:g} is usual."
        )
        findings.append(
            Finding(
                kind="data",
                severity=WATCH,
                sentence=sentence,
                response=_RETRAIN,
                column=column.name,
            )
        )
    return findings


def _broken(
    column: Column, seen: Seen, cell: Numbers | Texts, when: str, looked_at: int
) -> Finding | None:
    """Values that are missing, new, or outside of what training has seen."""
    trained = _rows_of(cell)
    missing = seen.missing / seen.rows
    usual = cell.missing / trained
    rare = LEVEL / looked_at
    p_value = share_p_value(cell.missing, trained, seen.missing, seen.rows)
    if missing >= usual + _SHARE and p_value <= rare:
        sentence = (
            f"{column.name} is missing in {percent(missing, 1)} of the rows {when};"
            f" {percent(usual, 1)} is usual."
        )
        return _loud(column, sentence, missing - usual, _LOOK)
    outside = seen.outside / seen.rows
    if outside >= _SHARE and share_p_value(0, trained, seen.outside, seen.rows) <= rare:
        if seen.new:
            names = ", ".join(seen.new[:3])
            sentence = (
                f"{column.name} has values {when} that no training row had: {names}, in"
                f" {percent(outside, 1)} of the rows."
            )
            return _loud(column, sentence, outside, _NEW)
        sentence = (
            f"{column.name} lies outside of the training rows in {percent(outside, 1)} of the"
            f" rows {when};"
            f" below {percent(_SHARE)} is usual."
        )
        return _loud(column, sentence, outside, _LOOK)
    return None


def _loud(column: Column, sentence: str, share: float, response: str) -> Finding:
    severity = ACT if share >= _FLOODED else WATCH
    return Finding(
        kind="data", severity=severity, sentence=sentence, response=response, column=column.name
    )


def _against_reference(seen: Seen, cell: Numbers | Texts) -> Distance:
    if isinstance(cell, Numbers):
        return distance(cell.counts, seen.bins, ordered=True)
    return distance((*cell.values.values(), 0), seen.bins, ordered=False)


def _numbers(found: Sequence[NumberCounts | TextCounts], cell: Numbers) -> Seen:
    bins = [0] * len(cell.counts)
    outside = missing = 0
    for day in found:
        if isinstance(day, NumberCounts) and len(day.counts) == len(bins):
            bins = [held + more for held, more in zip(bins, day.counts, strict=True)]
            bins[0] += day.below
            bins[-1] += day.above
            outside += day.below + day.above
            missing += day.missing
    return Seen(tuple(bins), outside, (), missing, sum(bins) + missing)


def _texts(found: Sequence[NumberCounts | TextCounts], cell: Texts) -> Seen:
    counts: Counter[str] = Counter()
    new: Counter[str] = Counter()
    missing = 0
    for day in found:
        if isinstance(day, TextCounts):
            counts.update(day.counts)
            new.update(day.new)
            missing += day.missing
    named = tuple(name for name, _ in new.most_common())
    bins = (*(counts[value] for value in cell.values), new.total())
    return Seen(bins, new.total(), named, missing, sum(bins) + missing)


def _rows_of(cell: Numbers | Texts) -> int:
    counts = cell.counts if isinstance(cell, Numbers) else tuple(cell.values.values())
    return max(sum(counts) + cell.missing, 1)
