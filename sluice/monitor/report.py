"""What the monitor says: findings, one verdict, and the weeks that pictures are drawn from."""

from msgspec import Struct

FINE, WATCH, ACT = "fine", "watch", "act"
_ORDER = (FINE, WATCH, ACT)


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found: its kind (data, request, prediction, label, performance, concept,
    intervention), how serious it is, a sentence with the numbers, and what helps. `column` names a
    column or a group where it is about one.
    """

    kind: str
    severity: str
    sentence: str
    response: str
    column: str = ""


class LiveClass(Struct, frozen=True, kw_only=True):
    """One of several classes, by the labels that had time to come in: its rows, and its recall
    beside the one that the release was measured at. `recall` is None without rows.
    """

    name: str
    rows: int
    recall: float | None
    promised: float


class Figures(Struct, frozen=True, kw_only=True):
    """How far answers that are numbers are off: the mean absolute error and the bias (answer less
    outcome) in the unit of the target, the skill, and the share no further off than the band.
    """

    mae: float
    bias: float
    skill: float
    within: float


class LiveNumber(Struct, frozen=True, kw_only=True):
    """A model that answers with a number: what it was measured at on its holdout, and what it is
    now by the labels that had time to come in, None without such. `anchor` is the anchor's skill;
    `below` is what the skill is surely below, 1 where that is not sure of any.
    """

    unit: str
    band: float
    promised: Figures
    now: Figures | None
    anchor: float | None = None
    below: float = 1.0


class Live(Struct, frozen=True, kw_only=True):
    """How good the model is, by the labels that had time to come in. Shares are None where nothing
    is known; `below` is what recall is surely below, 1 where that is not sure of any share.
    `estimate` is a recall without labels, where labels are few and it may be made. Of several
    classes recall is the mean over these, and there are no positives. Of a number `labelled` alone
    says something.
    """

    labelled: int
    positives: int
    recall: float | None
    precision: float | None
    brier: float | None
    below: float = 1.0
    estimate: float | None = None


class Week(Struct, frozen=True, kw_only=True):
    """Seven days from `start` on. Recall is of the labels that had time to come in; `drift` is the
    effect size of each column against the training rows. Of several classes `positives` counts all
    rows with such a label, and none is flagged. Of a number it does so too, `skill` stands in the
    place of recall, and `below` is what that is surely below.
    """

    start: str
    rows: int
    flagged: float | None
    positives: int
    recall: float | None
    below: float
    drift: dict[str, float]
    skill: float | None = None


class Happened(Struct, frozen=True):
    """Something that happened to the model: the day, and a sentence. What moves what is live has a
    kind (release, rollback, canary) and a mark, the few words beside its line in a picture.
    """

    day: str
    what: str
    kind: str = ""
    mark: str = ""


class Promised(Struct, frozen=True, kw_only=True):
    """What the release was measured at on its holdout, and the anchor's recall. Of several classes
    these are means over them, and there is neither a share flagged nor one of positives.
    """

    recall: float
    precision: float
    brier: float
    flagged: float | None
    prevalence: float | None
    anchor: float | None = None


class Report(Struct, frozen=True, kw_only=True):
    """The report on one model on one day. `release` is its number, `since` the day it became live;
    `level` is the chance that a year without a change ever says "act". `newest_answer` and
    `newest_label` are days, empty where there is none; `story` is what happened, oldest first.
    `classes` are those of the target where it has several. Where it is a number, `number` says what
    was promised and what is live, and `promised` is None.
    """

    schema: int = 1
    model: str
    release: int
    since: str
    day: str
    verdict: str
    sentence: str
    level: float
    findings: tuple[Finding, ...]
    promised: Promised | None
    live: Live
    weeks: tuple[Week, ...]
    rows: int
    days: int
    notes: tuple[str, ...] = ()
    story: tuple[Happened, ...] = ()
    newest_answer: str = ""
    newest_label: str = ""
    classes: tuple[LiveClass, ...] = ()
    number: LiveNumber | None = None


def verdict_of(findings: tuple[Finding, ...]) -> str:
    """The most serious of the findings; fine where there is none."""
    return max((finding.severity for finding in findings), key=_ORDER.index, default=FINE)


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """The most serious first; among equals the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: -_ORDER.index(finding.severity)))


def sentence_of(verdict: str, findings: tuple[Finding, ...]) -> str:
    """The verdict in one sentence."""
    if verdict == FINE:
        return "Nothing was found that asks for anything."
    serious = [finding for finding in findings if finding.severity == verdict]
    more = f" And {len(serious) - 1} more." if len(serious) > 1 else ""
    return f"{serious[0].sentence}{more}"
