"""The policy of a model: the decisions that go through review, read from `policy.toml`.

Each table is a dataclass. A key that is unknown is refused everywhere. A key that is missing is
refused too, because a limit that nobody wrote was reviewed by nobody; only a field with a default
may be absent. Policies travel in model artifacts, so a field that is added here needs a default:
without one, the policies of all earlier champions could no longer be read.

The table [schedule] is checked here and read in `sluice.schedule`: it decides nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import Any, TypeVar, cast

from sluice.class_policy import TABLE as CLASSES
from sluice.class_policy import ClassPolicy, gate_of_classes, read_classes
from sluice.errors import UsageError
from sluice.number_policy import TABLE as NUMBER
from sluice.number_policy import NumberPolicy, gate_of_number, read_number
from sluice.schedule import TABLE, check_schedule
from sluice.toml_text import read_toml

LOOK_CHOICES = ("first", "best")
FIGURES, PROMOTED, WORDS = "figures", "promoted", "words"
BY_HASH, BY_TIME = "hash", "time"
_USUAL = ("by", BY_HASH)
EXCLUDED, INCLUDED = "excluded", "included"
FAMILIES = ("logistic_regression", "gradient_boosting", "random_forest")
FAMILIES_OF_NUMBER = ("linear_regression", "gradient_boosting", "random_forest")
SAMPLED, ADAPTIVE = "sampled", "adaptive"


@dataclass(frozen=True)
class DataPolicy:
    """What the data must have before anything is trained.

    The newest row is at most `newest_days` old, by the column that the contract names as `as_of`;
    0 sets no limit.
    """

    minimum_rows: int
    newest_days: int = 0


@dataclass(frozen=True)
class SplitPolicy:
    """The salt of the split, and the shares of train, validation and holdout (which sum to one).

    `by` says what decides the part of a row: its `hash`, or its `time`, so that models learn from
    the past and are judged on the newest rows.
    """

    salt: str
    train: float
    validation: float
    holdout: float
    by: str = BY_HASH

    @property
    def by_time(self) -> bool:
        """Whether the newest rows are the holdout."""
        return self.by == BY_TIME

    @property
    def named(self) -> dict[str, object]:
        """What identifies the split: a hash of it is what it was before there was another way."""
        return {name: value for name, value in vars(self).items() if (name, value) != _USUAL}


@dataclass(frozen=True)
class SearchPolicy:
    """How many trials, over which families, cross-validated on how many folds, from which seed.

    With the method `sampled` each family has its share of the trials, all folds of each. With
    `adaptive` the search begins with what fits the table, ends a trial that falls behind, and takes
    half of the fits that so many trials would be. `positive_weight` is how many rows a positive
    counts for while a model is fitted; its scores are set back, so that they stay probabilities.
    """

    trials: int
    families: tuple[str, ...]
    folds: int
    seed: int
    method: str = SAMPLED
    positive_weight: float = 1.0

    @property
    def named(self) -> dict[str, object]:
        """What identifies the search: as it was before there was a choice, where none is made."""
        usual = (("method", SAMPLED), ("positive_weight", 1.0))
        named = {name: value for name, value in vars(self).items() if (name, value) not in usual}
        return {**named, "families": list(self.families)}


@dataclass(frozen=True)
class OperatingPoint:
    """How far above the floors the threshold is chosen on validation.

    `precision_slack` is added to the precision floor; `slack_share` is a share of the precision
    that is required, whichever floor requires it, and so means the same at every prevalence.
    `flagged_share` stands in the place of the highest recall: the threshold is where this share of
    the rows is flagged and no more, for people who can look at so many; 0 states none.
    """

    precision_slack: float = 0.0
    slack_share: float = 0.0
    flagged_share: float = 0.0


@dataclass(frozen=True)
class GroupFloor:
    """The recall that a group must have; `group` is `segment = group`."""

    group: str
    recall: float

    def __repr__(self) -> str:
        return f"{self.group}: {self.recall:g}"


@dataclass(frozen=True)
class GatePolicy:
    """The limits of every rule of the gate; `sluice.gate.rules` says what each is for.

    All limits of intervals are one-sided at `level`, those beside the anchor at a part of it;
    superiority is tested at the part that `sluice.gate.spending` gives a use, so that the tests of
    one holdout together err with at most `level`. Margins are differences in recall, precision,
    Brier score and share flagged. `uses` is how often one holdout decides at most, `look_days` how
    many days lie between two looks at least; 0 sets no limit. `look_choice` says which candidate
    has the look when these days are over: the `first` that comes then, or the `best` by validation
    of all since the last look. What `near_duplicate_ceiling` bounds is ordinary where a contract
    has few columns with few values, so it is off (1) unless it is given.

    Three limits are in units that mean the same at every prevalence (the share of positives):
    `lift_floor` is precision over prevalence, `brier_skill_floor` is 1 less the Brier score over
    that of the prevalence itself, `calibration_share_ceiling` is the calibration error over the
    prevalence. 0 says that a limit is not stated. `precision_floor` or `lift_floor` has to be, and
    so has `calibration_ceiling` or `calibration_share_ceiling`; where both are, both hold.

    `cost_of_a_miss` and `cost_of_a_false_alarm`, in any unit, stand in the place of floors or
    beside them: the threshold is then where the errors cost least, and models are compared by what
    theirs cost as they ship. `margin` is then a share of what it costs to find nobody.

    `told` says what leaves a release of a look at the holdout: its `figures`; or `words`, which are
    whether the candidate is promoted; or both by the verdict: figures of the whole holdout, and
    none of a group, where the candidate is `promoted`, and the word where it is not. Only with
    figures may a HOLD replace a champion: otherwise that would be told.
    """

    flagged_ceiling: float
    stability_ceiling: float
    one_column_ceiling: float
    duplicate_ceiling: float
    comparable_share: float
    least_positives: int
    level: float
    margin: float
    brier_margin: float
    segment_margin: float
    segment_positives: int
    segments_required: tuple[str, ...]
    refresh_days: int
    uses: int = 0
    look_days: int = 0
    look_choice: str = "first"
    shipped_margin: float = 0.025
    shipped_flagged_margin: float = 0.05
    anchor_segment_margin: float = 0.05
    group_floors: tuple[GroupFloor, ...] = ()
    near_duplicate_ceiling: float = 1.0
    recall_floor: float = 0.0
    precision_floor: float = 0.0
    calibration_ceiling: float = 0.0
    lift_floor: float = 0.0
    brier_skill_floor: float = 0.0
    calibration_share_ceiling: float = 0.0
    cost_of_a_miss: float = 0.0
    cost_of_a_false_alarm: float = 0.0
    told: str = FIGURES

    @property
    def worded(self) -> bool:
        """Whether a look tells a word, and no figure unless the candidate is promoted."""
        return self.told != FIGURES

    @property
    def promoted_figures(self) -> bool:
        """Whether figures of the whole holdout are told of a candidate that is promoted."""
        return self.told != WORDS

    @property
    def costed(self) -> bool:
        """Whether models are held against each other by what their errors cost."""
        return self.cost_of_a_miss > 0


@dataclass(frozen=True)
class DriftPolicy:
    """When data have drifted from a reference; `sluice.drift.verdict` says what the limits mean.

    `drifted` and `strong` are population stability indices of one column, `strong_share` is a share
    of the columns.
    """

    drifted: float = 0.1
    strong: float = 0.25
    strong_share: float = 0.3


@dataclass(frozen=True)
class AnchorPolicy:
    """How far a release that becomes the anchor may lie below the anchor before it.

    Differences of recall and precision, of the mean distance of probability and outcome, and of the
    recall of a group that has enough positives to be judged.
    """

    recall_fall: float = 0.02
    precision_fall: float = 0.02
    calibration_fall: float = 0.02
    group_fall: float = 0.05


@dataclass(frozen=True)
class MonitorPolicy:
    """When the monitor of what is live says "act".

    `level` is the chance that a year in which nothing changed ever does. An outcome counts
    `maturity_days` after the answer, when those that come late are in too. Recall and precision
    have fallen from `tolerance` below the promise on, groups from `group_tolerance`. The log is
    silent after `silent_days` without an answer, and labels are late when the newest is
    `label_days` old. `labels_by_lot` is the share of the answers whose outcome is looked up, drawn
    by lot: the scores of all the others then help; 0 where outcomes come in of themselves.
    `control_share` of the rows are left untouched by lot, whatever the model says of them: they
    tell how good it is where others are acted upon.
    """

    level: float = 0.05
    maturity_days: int = 30
    tolerance: float = 0.02
    group_tolerance: float = 0.05
    silent_days: int = 7
    label_days: int = 60
    labels_by_lot: float = 0.0
    control_share: float = 0.0


@dataclass(frozen=True)
class TriggerPolicy:
    """When what the monitor finds makes a candidate, and what holds it back.

    Reasons within `window_days` are one run. After a candidate that was not promoted there is none
    for `pause_days`, and twice as long after each further one; `budget` is how many there are in 30
    days at most, and after `breaker` that the gate refused only a person lets the next one begin.
    For `canary_days` after the commit of a release its canary may still run, and none begins.
    Another is due `schedule_days` after the last one, and with `new_positives` labelled since then;
    0: not for that reason.
    """

    window_days: int = 3
    pause_days: int = 7
    budget: int = 4
    breaker: int = 4
    canary_days: int = 1
    schedule_days: int = 0
    new_positives: int = 0


@dataclass(frozen=True)
class CanaryPolicy:
    """When a canary is taken back, and when a step is passed; `sluice.canary.judge` says how.

    `level` is the chance that one rollout of a model that says the same is taken back; it is shared
    by all that is judged, `flagged_share` of it for the share flagged. `tolerance` is how far the
    shares of canary and stable may lie from what replay foretold (from no change, where nothing
    did); a step is passed once a change of `alarming` is excluded. `failing` and `refusing` are by
    how much more of its requests may fail or be refused than of stable's. Requests are to be
    answered within `p95_seconds` and `p99_seconds`, and `slower` times what stable needs; these
    are rounded up to a bucket of the service's histogram. `restarts` is how many are tolerated.
    `replay_changed` is the largest share of replayed rows whose flag a candidate may change, or
    whose class, or whose number by two tenths of all answers.
    """

    level: float = 0.05
    flagged_share: float = 0.6
    tolerance: float = 0.05
    alarming: float = 0.15
    failing: float = 0.01
    refusing: float = 0.05
    p95_seconds: float = 0.25
    p99_seconds: float = 1.0
    slower: float = 2.0
    restarts: int = 1
    replay_changed: float = 0.2


@dataclass(frozen=True)
class ApprovalPolicy:
    """How many people approve the evidence of a release before it is live in production.

    `required` is how many distinct people have to; 0 asks nobody. `makers` says whether those who
    made the release may be among them: `excluded` or `included`.
    """

    required: int = 0
    makers: str = EXCLUDED


NEUTRAL_APPROVALS = ApprovalPolicy()
NEUTRAL_CANARY = CanaryPolicy()
NEUTRAL_DRIFT = DriftPolicy()
NEUTRAL_ANCHOR = AnchorPolicy()
NEUTRAL_MONITOR = MonitorPolicy()
NEUTRAL_TRIGGERS = TriggerPolicy()


@dataclass(frozen=True)
class Policy:
    """All tables of a policy. `reviewed` is false in a draft that no person has answered for.

    `classes` is there where the target has several classes, `number` where it is a number, and None
    otherwise.
    """

    data: DataPolicy
    split: SplitPolicy
    search: SearchPolicy
    operating_point: OperatingPoint
    gate: GatePolicy
    drift: DriftPolicy = NEUTRAL_DRIFT
    anchor: AnchorPolicy = NEUTRAL_ANCHOR
    monitor: MonitorPolicy = NEUTRAL_MONITOR
    triggers: TriggerPolicy = NEUTRAL_TRIGGERS
    canary: CanaryPolicy = NEUTRAL_CANARY
    approvals: ApprovalPolicy = NEUTRAL_APPROVALS
    classes: ClassPolicy | None = None
    number: NumberPolicy | None = None
    reviewed: bool = True


T = TypeVar("T")
_TABLES = {
    "data": DataPolicy,
    "split": SplitPolicy,
    "search": SearchPolicy,
    "gate": GatePolicy,
    "operating_point": OperatingPoint,
    "drift": DriftPolicy,
    "anchor": AnchorPolicy,
    "monitor": MonitorPolicy,
    "triggers": TriggerPolicy,
    "canary": CanaryPolicy,
    "approvals": ApprovalPolicy,
}
_SORTS: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "tuple": tuple,
}
_SAID = {"int": "a whole number", "float": "a number", "str": "a text", "tuple": "a list of texts"}
_COUNTS = (
    "minimum_rows",
    "trials",
    "folds",
    "least_positives",
    "segment_positives",
    "refresh_days",
    "silent_days",
    "label_days",
    "pause_days",
    "budget",
    "breaker",
)
_LIMITS = (
    "uses",
    "look_days",
    "restarts",
    "newest_days",
    "maturity_days",
    "window_days",
    "canary_days",
    "schedule_days",
    "new_positives",
    "required",
)  # counts, too; 0 sets no limit
_MOST_APPROVALS = 10
_LEVEL = "It is the chance of an error that people accept: 0.05 is usual."
_FLOOR = "A floor below it refuses no model; write what the work needs."
_MARGIN = "A margin is a loss that nobody would mind: a few points."
_SAYS_NOTHING = "Beyond it, probabilities say nothing."
_COST = "Write what one costs, in the unit in which you count."
_COUNT = "Write a number that a holdout can have."
# The least and the most that each number of the gate may be, and what it is.
_BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "level": (0.0001, 0.49, _LEVEL),
    "margin": (0.0001, 0.9, _MARGIN),
    "brier_margin": (0.0001, 0.9, _MARGIN),
    "segment_margin": (0.0001, 0.9, _MARGIN),
    "anchor_segment_margin": (0.0001, 0.9, _MARGIN),
    "shipped_margin": (0.0001, 0.9, _MARGIN),
    "shipped_flagged_margin": (0.0001, 0.9, _MARGIN),
    "stability_ceiling": (0.0001, 0.9, "Beyond it, any two parts agree."),
    "comparable_share": (0.1, 0.9999, "A champion is compared on most of the rows."),
    "least_positives": (1, 10_000_000, _COUNT),
    "segment_positives": (1, 10_000_000, _COUNT),
    "uses": (0, 10_000, "0 sets no limit: the level is spent without an end."),
    "look_days": (0, 3_650, "Write days; 0 sets no limit."),
    "refresh_days": (1, 3_650, "Write days."),
}
# The same for limits that need not be stated; 0 then stands for none.
_BOUNDS_WHERE_STATED: Mapping[str, tuple[float, float, str]] = {
    "recall_floor": (0.02, 0.999, _FLOOR),
    "precision_floor": (0.02, 0.999, _FLOOR),
    "lift_floor": (1.01, 1_000, "A lift of 1 is that of flagging by lots; write more."),
    "brier_skill_floor": (0.001, 0.999, "A skill of 0 is that of telling everybody the mean."),
    "calibration_ceiling": (0.0001, 0.9, _SAYS_NOTHING),
    "calibration_share_ceiling": (0.001, 0.9, _SAYS_NOTHING),
    "cost_of_a_miss": (1e-6, 1e12, _COST),
    "cost_of_a_false_alarm": (1e-6, 1e12, _COST),
}
# Of each of these at least one is stated: the same limit in other units.
_ONE_OF = (
    ("recall_floor", "cost_of_a_miss"),
    ("precision_floor", "lift_floor", "cost_of_a_miss"),
    ("calibration_ceiling", "calibration_share_ceiling"),
)
# Numbers that are no shares: a difference that may be 0, and indices without an upper end. Those
# of `_BOUNDS_WHERE_STATED` that may be written as 0 have bounds of their own.
_NO_SHARES = (
    "precision_slack",
    "slack_share",
    "flagged_share",
    "positive_weight",
    "drifted",
    "strong",
    "lift_floor",
    "brier_skill_floor",
    "calibration_share_ceiling",
    "cost_of_a_miss",
    "cost_of_a_false_alarm",
    "p95_seconds",
    "p99_seconds",
    "slower",
)


def load_policy(text: str, source: str = "policy.toml") -> Policy:
    """Read a policy from the text of its file; `source` is what errors call that file.

    Raises UsageError naming file, table and key where it is wrong.
    """
    raw = read_toml(text, source)
    _check_tables(source, raw)
    specs = {**raw, "split": _split(source, raw.get("split", {}))}
    gate = dict(raw.get("gate", {}))
    floors = _group_floors(source, gate.pop("group_floors", {}))
    classes = read_classes(source, raw)
    number = read_number(source, raw)
    if classes is not None and number is not None:
        what = f"{source} has the tables [{CLASSES}] and [{NUMBER}]"
        raise UsageError(what, "Write one of them: a target has classes, or is a number.")
    specs["gate"] = gate if classes is None else gate_of_classes(source, gate)
    if number is not None:
        if floors:
            gate["group_floors"] = floors
        specs["gate"] = gate_of_number(source, gate)
    no_side = classes is not None or number is not None
    tables: dict[str, Any] = {
        name: _read(source, name, kind, specs.get(name, {})) for name, kind in _TABLES.items()
    }
    policy = Policy(**tables, classes=classes, number=number, reviewed=_reviewed(source, raw))
    policy = replace(policy, gate=replace(policy.gate, group_floors=floors))
    _check_split(source, policy.split)
    _check_gate(source, policy.gate, no_side=no_side)
    _check_data(source, policy.data)
    families = FAMILIES if number is None else FAMILIES_OF_NUMBER
    _check_search(source, policy.search, families, no_side=no_side)
    _check_flagged_share(source, policy)
    written = not policy.gate.costed and not policy.operating_point.flagged_share
    if written and not no_side:
        _check_written(source, specs.get("operating_point", {}))
    _check_slack(source, policy)
    _check_drift(source, policy.drift)
    _check_monitor(source, policy.monitor)
    check_canary(source, policy.canary)
    check_schedule(source, raw.get(TABLE, {}))
    _check_approvals(source, policy.approvals)
    return policy


def load_approvals(text: str, source: str = "policy.toml") -> ApprovalPolicy:
    """What the text of a policy asks of people, whatever else stands in it: a policy that an older
    or newer version wrote may have tables that nobody here knows.

    Raises UsageError where that table is wrong.
    """
    found = _read(source, "approvals", ApprovalPolicy, read_toml(text, source).get("approvals", {}))
    _check_approvals(source, found)
    return found


def changes(before: Policy, after: Policy) -> list[str]:
    """Every value that differs, as `gate.recall_floor 0.72 -> 0.7`, in the order of the tables."""
    changed = []
    for table in fields(Policy):
        if table.name == "reviewed":  # it decides nothing
            continue
        old, new = getattr(before, table.name), getattr(after, table.name)
        if old is None or new is None:
            if old is not new:
                changed.append(f"{table.name} {old} -> {new}")
            continue
        for key in fields(old):
            first, second = getattr(old, key.name), getattr(new, key.name)
            if first != second:
                changed.append(f"{table.name}.{key.name} {first} -> {second}")
    return changed


def limits_of(table: str, field: Field[Any]) -> str:
    """What a number of a table may be, as the reference of policies says it; empty where it is no
    number, or a check of its own says it.
    """
    bounds, where_stated = _BOUNDS.get(field.name), _BOUNDS_WHERE_STATED.get(field.name)
    if table == "gate" and bounds:
        return f"{bounds[0]:g} to {bounds[1]:,.15g}"
    if table == "gate" and where_stated:
        none = "; 0 states none" if field.name in _NO_SHARES else ""
        return f"{where_stated[0]:g} to {where_stated[1]:,.15g}{none}"
    if field.name in _COUNTS:
        return "at least 1"
    if field.name in _LIMITS:
        return "at least 0"
    shares = _sort_of(field) == "float" and field.name not in _NO_SHARES
    return "above 0 and below 1" if shares else ""


def _check_tables(source: str, raw: Mapping[str, Any]) -> None:
    if raw.get("schema") != 1:
        given = repr(raw["schema"]) if "schema" in raw else "missing"
        what = f"{source}: schema is {given}; 1 is required"
        raise UsageError(what, "Write schema = 1, or use the version of Sluice that wrote it.")
    for name, table in raw.items():
        if name not in ("schema", "reviewed", TABLE, CLASSES, NUMBER, *_TABLES):
            what = f"{source}: {name!r} is not a known table"
            raise UsageError(what, f"Known: {', '.join((*_TABLES, CLASSES, NUMBER, TABLE))}.")
        if name in _TABLES and not isinstance(table, dict):
            raise UsageError(f"{source}: {name} is {table!r}", f"Write it as a table, [{name}].")


def _reviewed(source: str, raw: Mapping[str, Any]) -> bool:
    """Whether a person answers for this policy: yes, unless it says no."""
    reviewed = raw.get("reviewed", True)
    if not isinstance(reviewed, bool):
        what = f"{source}: reviewed is {reviewed!r}; true or false is required"
        raise UsageError(what, "Write reviewed = true once a person has read the limits.")
    return reviewed


def _split(source: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The table of the split with its holdout, which is what train and validation leave."""
    if "holdout" in spec:
        what = f"{source}: [split] holdout is {spec['holdout']!r}"
        raise UsageError(what, "Leave it out: it is all the rest.")
    train, validation = spec.get("train"), spec.get("validation")
    if isinstance(train, float) and isinstance(validation, float):
        return {**spec, "holdout": round(1.0 - train - validation, 9)}
    return dict(spec)


def _group_floors(source: str, table: object) -> tuple[GroupFloor, ...]:
    """The table [gate.group_floors]: a recall for each `segment = group`, in its order."""
    what = f"{source}: [gate.group_floors]"
    if not isinstance(table, dict):
        raise UsageError(f"{what} is {table!r}", "Write it as a table, [gate.group_floors].")
    floors = []
    for group, recall in table.items():
        segment, _, name = group.partition(" = ")
        if not segment.strip() or not name.strip():
            fix = 'Write segment and group, such as "gender = Female" = 0.6.'
            raise UsageError(f"{what} names {group!r}", fix)
        if isinstance(recall, bool) or not isinstance(recall, float | int) or not 0 < recall < 1:
            raise UsageError(f"{what} {group!r} is {recall!r}", "It is a share between 0 and 1.")
        floors.append(GroupFloor(group, float(recall)))
    return tuple(floors)


def _check_gate(source: str, gate: GatePolicy, *, no_side: bool) -> None:
    """Every number lies where it can mean something: a limit that all models clear is none.

    `no_side`: there are several classes, or a number is predicted, so that nothing is flagged.
    """
    if gate.look_choice not in LOOK_CHOICES:
        what = f"{source}: [gate] look_choice is {gate.look_choice!r}"
        raise UsageError(what, f"Known: {', '.join(LOOK_CHOICES)}.")
    if gate.told not in (FIGURES, PROMOTED, WORDS):
        what = f"{source}: [gate] told is {gate.told!r}"
        raise UsageError(what, f"Known: {FIGURES}, {PROMOTED}, {WORDS}.")
    if gate.look_choice == "best" and not gate.look_days:
        what = f"{source}: [gate] look_days is 0; at least 1 is required where look_choice is best"
        raise UsageError(what, "Write in how many days one look is wanted: 7 is one a week.")
    for name, (least, most, why) in _BOUNDS.items():
        value = getattr(gate, name)
        if not least <= value <= most:
            what = f"{source}: [gate] {name} is {value:g}; {least:g} to {most:g} is required"
            raise UsageError(what, why)
    for name, (least, most, why) in _BOUNDS_WHERE_STATED.items():
        value = getattr(gate, name)
        if value != 0 and not least <= value <= most:
            what = f"{source}: [gate] {name} is {value:g}; {least:g} to {most:g} is required"
            raise UsageError(what, f"{why} Leave it out to state none.")
    if bool(gate.cost_of_a_miss) != bool(gate.cost_of_a_false_alarm):
        what = (
            f"{source}: [gate] cost_of_a_miss is {gate.cost_of_a_miss:g} and cost_of_a_false_alarm"
            f" is {gate.cost_of_a_false_alarm:g}; both or neither are required"
        )
        raise UsageError(what, "Only their ratio says where a threshold lies best.")
    for names in () if no_side else _ONE_OF:
        if not any(getattr(gate, name) for name in names):
            what = f"{source}: [gate] {names[0]} is missing; a number is required"
            raise UsageError(what, f"Write {' or '.join(names)}.")


def _read(source: str, table: str, kind: type[T], spec: Mapping[str, Any]) -> T:
    """A table as its dataclass. `threshold`, which an artifact adds, is passed over."""
    expected = {field.name: field for field in fields(cast(Any, kind))}
    for key in spec:
        if key not in expected and (table, key) != ("operating_point", "threshold"):
            what = f"{source}: [{table}] {key!r} is not a known key"
            raise UsageError(what, f"Known: {', '.join(expected)}.")
    values = {
        key: _value(source, table, field, spec.get(key))
        for key, field in expected.items()
        if key in spec or field.default is MISSING
    }
    return kind(**values)


def _value(source: str, table: str, field: Field[Any], given: object) -> object:
    """The value of a key, checked against the type of its field; a list becomes a tuple."""
    value = tuple(given) if isinstance(given, list) else given
    sort = _sort_of(field)
    what = f"{source}: [{table}] {field.name} is {'missing' if given is None else repr(given)}"
    if not isinstance(value, _SORTS[sort]) or isinstance(value, bool):
        raise UsageError(f"{what}; {_SAID[sort]} is required", f"Write it in [{table}].")
    if isinstance(value, tuple) and not all(_is_name(entry) for entry in value):
        raise UsageError(f"{what}; a list of texts is required", "None of them is empty.")
    if sort == "float" and field.name not in _NO_SHARES and not 0.0 < cast(float, value) < 1.0:
        fix = "Write it as a share: 0.72 is 72 %."
        raise UsageError(f"{what}; a share between 0 and 1 is required", fix)
    if field.name in _COUNTS and cast(int, value) < 1:
        raise UsageError(f"{what}; at least 1 is required", "It counts something.")
    if field.name in _LIMITS and cast(int, value) < 0:
        raise UsageError(f"{what}; at least 1 is required", "Or write 0 for no limit.")
    return value


def _sort_of(field: Field[Any]) -> str:
    """The name of the type of a field, such as "float"."""
    return getattr(field.type, "__name__", str(field.type)).split("[")[0]


def _is_name(entry: object) -> bool:
    return isinstance(entry, str) and bool(entry.strip())


def _check_data(source: str, data: DataPolicy) -> None:
    if data.minimum_rows < 1:
        what = f"{source}: [data] minimum_rows is {data.minimum_rows}; at least 1 is required"
        raise UsageError(what, "Write how many rows a training needs.")


def _check_split(source: str, split: SplitPolicy) -> None:
    if split.by not in (BY_HASH, BY_TIME):
        what = f"{source}: [split] by is {split.by!r}"
        raise UsageError(what, f"Known: {BY_HASH}, {BY_TIME}.")


def _check_search(
    source: str, search: SearchPolicy, families: tuple[str, ...], *, no_side: bool
) -> None:
    unknown = [family for family in search.families if family not in families]
    if unknown or not search.families:
        what = f"{source}: [search] families has {unknown}"
        raise UsageError(what, f"Known: {', '.join(families)}.")
    if search.method not in (SAMPLED, ADAPTIVE):
        what = f"{source}: [search] method is {search.method!r}"
        raise UsageError(what, f"Known: {SAMPLED}, {ADAPTIVE}.")
    if not 0.01 <= search.positive_weight <= 1000:
        what = f"{source}: [search] positive_weight is {search.positive_weight:g}"
        raise UsageError(what, "It is 0.01 to 1000; 1 counts every row once.")
    if no_side and search.positive_weight != 1.0:
        what = f"{source}: [search] positive_weight is {search.positive_weight:g}"
        raise UsageError(what, "Of several classes, or a number, none is positive: leave it out.")
    if search.trials < len(search.families) or not 2 <= search.folds <= 20:
        what = f"{source}: [search] has {search.trials} trials and {search.folds} folds"
        fix = f"At least one trial for each of {len(search.families)} families, and 2 to 20 folds."
        raise UsageError(what, fix)


def _check_slack(source: str, policy: Policy) -> None:
    point = policy.operating_point
    if not 0.0 <= point.slack_share < 1.0:
        what = f"{source}: [operating_point] slack_share is {point.slack_share:g}"
        raise UsageError(what, "It is a share of the required precision: 0 or more, and under 1.")
    slack = point.precision_slack
    wanted = policy.gate.precision_floor * (1 + point.slack_share) + slack
    if not slack >= 0.0 or wanted >= 1.0:
        what = f"{source}: [operating_point] precision_slack is {slack:g} and makes {wanted:g}"
        raise UsageError(what, "Floor and slack stay under 1.")


def _check_flagged_share(source: str, policy: Policy) -> None:
    """The share of the rows that is flagged leaves the threshold no other reason."""
    share, gate = policy.operating_point.flagged_share, policy.gate
    if not share:
        return
    what = f"{source}: [operating_point] flagged_share is {share:g}"
    if gate.costed:
        raise UsageError(
            f"{what}, and [gate] states costs",
            "Write one of them: each of both says where the threshold lies.",
        )
    if not 0.0005 <= share <= gate.flagged_ceiling:
        raise UsageError(
            f"{what}; 0.0005 to the flagged_ceiling of {gate.flagged_ceiling:g} is required",
            "Write the share that people can look at: 50 of each 1,000 rows are 0.05.",
        )


def _check_written(source: str, point: Mapping[str, object]) -> None:
    """One of the two slacks is written, if as 0: a choice that nobody made was reviewed by
    nobody.
    """
    if "precision_slack" not in point and "slack_share" not in point:
        what = f"{source}: [operating_point] precision_slack is missing; a number is required"
        raise UsageError(what, "Write precision_slack or slack_share; 0 is none.")


def _check_drift(source: str, drift: DriftPolicy) -> None:
    if not 0.0 < drift.drifted <= drift.strong < math.inf:
        what = f"{source}: [drift] drifted is {drift.drifted:g} and strong is {drift.strong:g}"
        raise UsageError(what, "Both are above 0, and strong is at least drifted.")


def _check_monitor(source: str, monitor: MonitorPolicy) -> None:
    if monitor.level > 0.5:
        what = f"{source}: [monitor] level is {monitor.level:g}; at most 0.5 is required"
        raise UsageError(what, _LEVEL)


def _check_approvals(source: str, approvals: ApprovalPolicy) -> None:
    what = f"{source}: [approvals]"
    if approvals.required > _MOST_APPROVALS:
        raise UsageError(
            f"{what} required is {approvals.required}; at most {_MOST_APPROVALS} is required",
            "Write how many people read the evidence of each release.",
        )
    if approvals.makers not in (EXCLUDED, INCLUDED):
        raise UsageError(
            f"{what} makers is {approvals.makers!r}", f"Known: {EXCLUDED}, {INCLUDED}."
        )


def check_canary(source: str, canary: CanaryPolicy) -> None:
    """Raise UsageError for limits of a canary that cannot both hold, or hold nothing."""
    what = f"{source}: [canary]"
    if not canary.tolerance < canary.alarming < 1.0:
        raise UsageError(
            f"{what} alarming is {canary.alarming:g}; more than the tolerance of"
            f" {canary.tolerance:g} and less than 1 is required",
            "Between the two lies what neither passes a step nor takes a canary back.",
        )
    if not 0.0 < canary.level <= 0.49 or not 0.0 < canary.flagged_share < 1.0:
        raise UsageError(
            f"{what} level is {canary.level:g} and flagged_share is {canary.flagged_share:g}; above"
            " 0, and up to 0.49 and below 1, are required",
            _LEVEL,
        )
    if not 0.0 < canary.p95_seconds <= canary.p99_seconds <= 5.0 or not 1.0 <= canary.slower <= 100:
        raise UsageError(
            f"{what} p95_seconds is {canary.p95_seconds:g}, p99_seconds is {canary.p99_seconds:g}"
            f" and slower is {canary.slower:g}; above 0, at least p95_seconds and at most 5, and 1"
            " to 100 are required",
            "The histogram of the service ends at 5 seconds.",
        )
