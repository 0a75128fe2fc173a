"""evidence.json: one schema, by which a release writes it, and lineage and verify read it again.

Everything that a decision rests on, and what is shown of it: counts, curves and hashes, no row. A
part that a file does not have is None or empty, and what the schema does not know is left alone.
"""

import json
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from sluice.model.classes.metrics_file import ClassMetrics
from sluice.model.fit.tuning_file import Tuning
from sluice.model.json_file import convert, read_json
from sluice.model.number.metrics_file import NumberMetrics
from sluice.model.quality.diagnostics_file import Diagnostics, ProtectedCost
from sluice.model.quality.metrics_file import Measures, Metrics
from sluice.policy import PROMOTED, WORDS

NAME = "evidence.json"
# Parts that are in the file only where there is a champion, a replay, several classes, a number, or
# a policy that tells no part of the holdout; all others are there, null or not.
_OF_CHAMPION = (
    "champion_metrics",
    "champion_equal",
    "drift",
    "forecast",
    "class_metrics",
    "number_metrics",
    "validation",
    "class_validation",
    "number_validation",
    "mean_recall",
)


class Words(Struct, frozen=True):
    """What the contract calls a positive, a negative and the rows."""

    positive: str
    negative: str
    rows: str


class Checks(Struct, frozen=True):
    """How many checks of the contract the data met, and how many not."""

    passed: int
    failed: int


class Warned(Struct, frozen=True):
    """A rule that warns, and how many rows break it; the column is empty for the whole table."""

    column: str
    rule: str
    rows: int


class Data(Struct, frozen=True):
    """The table: SHA-256 of the file, its rows, where it came from, and what was checked.

    `classes` counts the rows by the two values of the target.
    """

    sha256: str = ""
    rows: int = 0
    source: str = ""
    columns: int = 0
    classes: dict[str, int] = {}
    checks: Checks | None = None
    warnings: tuple[Warned, ...] = ()


class ColumnDrift(Struct, frozen=True):
    """How far one column, by its published name, is from the champion's training rows (PSI)."""

    column: str
    kind: str
    distance: float
    drifted: bool


class Drift(Struct, frozen=True):
    """The verdict on drift: none, some or strong; columns with the largest distance first."""

    verdict: str
    share: float
    columns: tuple[ColumnDrift, ...]
    sentence: str


class Provenance(Struct, frozen=True, kw_only=True):
    """What predictions may depend on besides the data; `inputs` are hashes by step and name.

    `source_commit` is that of the project and `code_commit` that of Sluice; "none" without git.
    """

    schema: int = 1
    source_commit: str = ""
    code_commit: str = ""
    lock: str = ""
    interpreter: str = ""
    platform: str = ""
    system: str = ""
    blas: list[str] = []
    hardware: str = ""
    versions: dict[str, str] = {}
    seeds: dict[str, int | str] = {}
    inputs: dict[str, dict[str, str]] = {}

    def input(self, step: str, name: str) -> str:
        """The hash of an input of a step; empty where it is not on record."""
        return self.inputs.get(step, {}).get(name, "")


class Rule(Struct, frozen=True):
    """A rule of the gate in a verdict; `passed` is None where it was not decided.

    `state` is met, broken, open or waived; it is empty in verdicts of version 1.
    """

    rule: str = ""
    state: str = ""
    sentence: str = ""
    value: float | None = None
    limit: float | None = None
    needed: str = ""
    passed: bool | None = None


class Difference(Struct, frozen=True):
    """The difference of two recalls, with its one-sided limits, each of this level."""

    value: float
    low: float
    high: float
    level: float


class Comparison(Struct, frozen=True):
    """Candidate against another model, with as many rows flagged: positives gained and lost of all
    `positives`, and how many rows each flags that the other does not (None in older evidence).
    """

    against: str = ""
    flagged: int = 0
    gained: int = 0
    lost: int = 0
    positives: int = 0
    side: int | None = None
    recall: Difference | None = None
    p_value: float | None = None


class BesideOther(Struct, frozen=True):
    """A group, found by the candidate and by another model that flag as many rows in all.

    `candidate` and `other` are recalls; `margin` is the loss that the rule allows, and `seen_from`
    the smallest loss that it refuses with probability 0.8, None where it sees none.
    """

    candidate: float
    other: float
    recall: Difference
    margin: float
    seen_from: float | None


class GroupRow(Struct, frozen=True):
    """A group of a segment: rows, positives, recall as shipped, the floor that the policy names for
    it, and the group beside champion and anchor, where there are such.
    """

    segment: str
    name: str
    rows: int
    positives: int
    recall: float
    floor: float | None = None
    champion: BesideOther | None = None
    anchor: BesideOther | None = None


class Verdict(Struct, frozen=True):
    """The verdict: its word, why, the rules, and the comparisons with champion and anchor.
    `validation` are rules on the validation rows, which decide nothing: they are there where those
    on the holdout are not told.
    """

    verdict: str = ""
    sentence: str = ""
    rules: list[Rule] = []
    validation: list[Rule] = []
    champion: str | None = None
    comparison: Comparison | None = None
    anchor: Comparison | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """evidence.json. `verdict` has all that the gate said, as it said it; `seals` and `lineage` are
    hashes by name; `excluded` names the columns that the model is never fed. `champion_metrics` are
    the champion's as it ships, `champion_equal` where it flags as many rows as the candidate.

    Where the target has several classes, `class_metrics` stand in the place of `metrics`, and where
    it is a number `number_metrics`. Where no part of the holdout is told, `validation` (or
    `class_validation`, `number_validation`) is what was measured on the validation rows, which it
    calls the holdout; groups, curves and importance are then theirs too. `mean_recall` is what is
    told of the holdout where several classes go live.

    `told` is "words" where the policy lets no figure of the holdout out, and "promoted" where it
    lets those of the whole out of what is promoted; what would hold another is None or empty then.
    `override` and `policy_changed` are one sentence each, where there is
    something to say. `forecast` is what a replay foretold of the canary, as it said it.
    """

    model: str = ""
    title: str = ""
    text: str = ""
    words: Words | None = None
    verdict: dict[str, object] | None = None
    metrics: Metrics | None = None
    class_metrics: ClassMetrics | None = None
    number_metrics: NumberMetrics | None = None
    validation: Metrics | None = None
    class_validation: ClassMetrics | None = None
    number_validation: NumberMetrics | None = None
    mean_recall: float | None = None
    champion_metrics: Measures | None = None
    champion_equal: Measures | None = None
    tuning: Tuning | None = None
    data: Data | None = None
    drift: Drift | None = None
    diagnostics: Diagnostics | None = None
    protected_cost: ProtectedCost | None = None
    lineage: dict[str, str] | None = None
    provenance: Provenance | None = None
    seals: dict[str, str] | None = None
    statements: dict[str, list[str]] = {}
    excluded: tuple[str, ...] = ()
    groups: tuple[GroupRow, ...] = ()
    forecast: dict[str, object] | None = None
    told: str = "figures"
    override: str | None = None
    policy_changed: str | None = None

    @property
    def measured(self) -> Metrics | ClassMetrics | NumberMetrics | None:
        """What was measured on the holdout, of whichever target; None where no figure is told."""
        return self.metrics or self.class_metrics or self.number_metrics

    @property
    def untold(self) -> bool:
        """Whether no metrics of the holdout are told of what goes live: with words, and where the
        target has several classes and not all figures are told.
        """
        return self.told == WORDS or (self.told == PROMOTED and self.class_validation is not None)

    @property
    def in_parts(self) -> Metrics | None:
        """Of which rows groups and curves are shown: those of validation, where the holdout is told
        as a whole at most.
        """
        return self.validation or self.metrics

    @property
    def judged(self) -> Verdict:
        """What is shown of the verdict; empty where there is none. Raises ValueError."""
        return read_verdict(self.verdict or {})

    @property
    def model_hash(self) -> str:
        """The hash of the model artifact; evidence of version 0.1.0 spelled its label
        differently.
        """
        lineage = self.lineage or {}
        return lineage.get("model artifact") or lineage.get("model artefact", "")


def write_evidence(evidence: Evidence) -> str:
    """The text of evidence.json: keys by the alphabet, so that equal evidence gives equal bytes."""
    document = msgspec.to_builtins(evidence)
    for name in _OF_CHAMPION:
        if document[name] is None:
            del document[name]
    return json.dumps(document, indent=1, sort_keys=True)


def read_evidence(content: bytes) -> Evidence:
    """Read evidence.json. Raises Unreadable, a ValueError, for what is no JSON, has other types or
    comes from a newer version.
    """
    return read_json(content, Evidence, NAME)


def read_provenance(content: bytes) -> Provenance:
    """Read provenance.json. Raises Unreadable, a ValueError, as `read_evidence` does."""
    return read_json(content, Provenance, "provenance.json")


def read_verdict(verdict: Mapping[str, object]) -> Verdict:
    """What is shown of a verdict. Raises Unreadable, a ValueError, for other types."""
    return convert(verdict, Verdict, "the verdict")
