"""The reference of policies, `docs/policy.md`, from what the reader of policies declares:
`python -m scripts.policy_reference`, or `--check` for CI.

Every key of every table that `Policy` has gets a line. A key without a sentence or without limits
here ends in an error that names it, and so does a sentence about one that there is no more.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from flows.project.root import ROOT
from scripts.generated_page import write_or_check
from sluice.class_policy import gate_of_classes
from sluice.errors import UsageError
from sluice.number_policy import OF_A_CLASS
from sluice.policy import (
    ADAPTIVE,
    BY_HASH,
    BY_TIME,
    EXCLUDED,
    FAMILIES,
    FIGURES,
    INCLUDED,
    LOOK_CHOICES,
    PROMOTED,
    SAMPLED,
    WORDS,
    Policy,
    limits_of,
)
from sluice.schedule import SCHEDULED

PAGE = ROOT / "docs" / "policy.md"
_ANY = "any"  # a number that may be whatever it is
_KINDS = {"int": "whole number", "float": "number", "str": "text"}

# The keys above all tables.
_TOP = {
    "schema": "1; another one is refused",
    "reviewed": "`false` in a draft: a release warns until a person has read the limits and writes"
    " `true`. `true` where it is left out; it decides nothing else",
}
# What each table is for; its keys follow.
_TABLES = {
    "data": "What the table must have before anything is trained.",
    "split": "Which rows teach, which place the threshold, and which decide. Who changes it has"
    " another holdout, and models made before are compared on what none of them has seen.",
    "search": "How a model is looked for: [more](training.md#the-search).",
    "operating_point": "Where the threshold is placed, on the validation rows:"
    " [more](training.md#the-threshold). One of the two slacks has to be written, if as 0, unless"
    " `flagged_share` or costs place it.",
    "gate": "The limits of the gate: [more](gate.md). Limits of intervals are one-sided at `level`."
    " `precision_floor` or `lift_floor` has to be written, `calibration_ceiling` or"
    " `calibration_share_ceiling` too, and `recall_floor`; where costs are, they stand for both"
    " floors.",
    "drift": "When the data are called drifted from the champion's. It informs, and decides"
    " nothing.",
    "anchor": "How far a release that becomes the anchor may lie below the one before it:"
    " [more](gate.md).",
    "monitor": 'When the monitor of what is live says "act": [more](monitor.md).',
    "triggers": "When what the monitor finds makes a candidate: [more](monitor.md).",
    "canary": "When a canary is taken back, and when a step of it is passed.",
    "approvals": "How many people approve before production: [more](operations.md).",
    "number": "Only where the target is a number, and then needed. A skill is how much nearer"
    " answers are than the median of the training rows, as a share; margins and `stability_ceiling`"
    " of `[gate]` are differences of skills, `one_column_ceiling` is a skill, `least_positives` and"
    " `segment_positives` count rows.",
    "classes": "Only where the target has several classes, and then needed, if as an empty table:"
    " [more](gate.md). Each name is a class of the contract.",
}
_SHARE = "above 0 and below 1"
_COMPARED = "The rows that are compared are the holdout without what a compared model has seen."
# Of each key what it is, and how to choose it.
_SAID: Mapping[str, tuple[str, str]] = {
    "data.minimum_rows": (
        "fewer rows are refused",
        "half of what there is today: it stops a table that was cut off",
    ),
    "data.newest_days": (
        "so old may the newest row be, by the column that the contract names as `as_of`; 0 asks"
        " nothing",
        "twice the days between two exports",
    ),
    "split.salt": (
        "hashed together with the id or group of a row: that decides its part",
        "any text, once; another one is another split",
    ),
    "split.train": ("the share of the rows that teaches", "0.6"),
    "split.validation": (
        "the share that places the threshold",
        "0.2; below 1,000 positives in all rather 0.25",
    ),
    "split.holdout": ("the share that decides", "it is what the two others leave"),
    "split.by": (
        f"`{BY_HASH}`: by lot, and no row moves as the table grows. `{BY_TIME}`: the newest rows"
        " decide, by `as_of` of the contract",
        f"`{BY_TIME}` where the world changes and each row has its day",
    ),
    "search.trials": (
        "how many settings are tried, over all families; it bounds the fits",
        "16; each further one finds less",
    ),
    "search.families": (
        "which kinds of models are tried",
        "all three up to 20,000 rows, without `random_forest` above: it takes ten times as long",
    ),
    "search.folds": (
        "in how many parts the training rows are cut, each judged by a model of the others",
        "5",
    ),
    "search.seed": ("from which chance begins", "any; another one is another search"),
    "search.method": (
        f"`{ADAPTIVE}`: begins with what fits the table and ends what falls behind, with half of"
        f" the fits. `{SAMPLED}`: all folds of all trials",
        f"`{ADAPTIVE}`",
    ),
    "search.positive_weight": (
        "how many rows a positive counts for while a model is fitted; scores stay probabilities."
        " Not with several classes",
        "1; try 5 where positives are under 2 %",
    ),
    "operating_point.precision_slack": (
        "the threshold has the highest recall whose validation precision is the floor and so much"
        " more",
        "0.025: what validation promises, another sample seldom keeps to the point",
    ),
    "operating_point.slack_share": (
        "the same as a share of the precision that is required, whatever requires it",
        "0.1 to 0.3, the more the fewer positives there are",
    ),
    "operating_point.flagged_share": (
        "this share of the rows is flagged and no more; not together with costs",
        "as many as people can look at: 50 of each 1,000 are 0.05",
    ),
    "gate.flagged_ceiling": (
        "the share of the rows that may be flagged",
        "what can be handled: flagging everybody has a recall of 1",
    ),
    "gate.stability_ceiling": (
        "how far ROC-AUC may lie apart between folds, validation and holdout",
        "0.03; twice what chance makes of parts of this size, if that is more",
    ),
    "gate.one_column_ceiling": (
        "the ROC-AUC that one column may have by itself: above, it gives the answer away",
        "0.8, or a little above the best column that is known to be honest",
    ),
    "gate.duplicate_ceiling": (
        "the share of the holdout that may repeat training rows",
        "0.01; more where few columns with few values repeat by chance",
    ),
    "gate.comparable_share": (
        "the share of the rows that the contract of the champion must take",
        "0.95",
    ),
    "gate.least_positives": (
        f"with fewer there is no comparison. {_COMPARED}",
        "half of the positives of the holdout; under 100 a difference says little",
    ),
    "gate.level": (
        "the chance of an error that people accept, for each limit, and for all superiority tests"
        " of one holdout together",
        "0.05",
    ),
    "gate.margin": (
        "the recall that a candidate may lose against champion and anchor, the precision against"
        " the anchor; with costs a share of what it costs to find nobody",
        "a loss that nobody would mind: 0.01, and not under half of what `sluice power` says that"
        " this holdout sees",
    ),
    "gate.brier_margin": ("the Brier score it may lose against the anchor", "0.02"),
    "gate.segment_margin": (
        "the recall that a group may lose against the champion",
        "0.03 to 0.05",
    ),
    "gate.segment_positives": ("groups with fewer positives are shown and not judged", "50"),
    "gate.segments_required": (
        'segments for which "too few to say" is not enough',
        "none, or what a duty names; each of its groups then needs positives enough",
    ),
    "gate.refresh_days": (
        "a HOLD on fresh data may replace a champion that is so old",
        "14; the time in which your data change",
    ),
    "gate.uses": (
        "how often one holdout decides at most; use k has `level / (k (k + 1))`",
        "0, or 20 where many people release",
    ),
    "gate.look_days": ("the days between two looks at the holdout, at least", "0, or 7"),
    "gate.look_choice": (
        "who has the look when these days are over: the `first` that comes, or the `best` by"
        " validation of all since the last; `best` needs `look_days`",
        "`best` where there are several candidates between two looks",
    ),
    "gate.shipped_margin": (
        "the recall and precision that may be lost as shipped, each model at its own threshold",
        "a little more than `margin`: thresholds move by chance too",
    ),
    "gate.shipped_flagged_margin": (
        "how many more of the rows may be flagged than by champion and anchor",
        "0.05",
    ),
    "gate.anchor_segment_margin": ("the recall that a group may lose against the anchor", "0.05"),
    "gate.group_floors": (
        'the recall that a group must have: a table of `"segment = group" = 0.6`',
        "none, or what a duty asks",
    ),
    "gate.near_duplicate_ceiling": (
        "the share of the holdout that may equal a training row in all features but one; off where"
        " it is left out",
        "0.01 where there are more than a dozen columns",
    ),
    "gate.recall_floor": (
        "the share of the positives that must be found; of several classes the mean over them",
        "what the work needs, not what a model reaches",
    ),
    "gate.precision_floor": (
        "the share of those flagged that must be positive",
        "what one false alarm may cost, beside a hit",
    ),
    "gate.calibration_ceiling": (
        "how far probability and outcome may lie apart, on average",
        "0.05",
    ),
    "gate.lift_floor": (
        "precision over prevalence: means the same at every prevalence",
        "2, where positives are rarer than 10 %",
    ),
    "gate.brier_skill_floor": (
        "1 less the Brier score over that of telling everybody the mean",
        "none, or 0.05",
    ),
    "gate.calibration_share_ceiling": (
        "the calibration error over the prevalence",
        "0.2, where positives are rarer than 10 %",
    ),
    "gate.cost_of_a_miss": (
        "with the other cost, in the place of floors or beside them: the threshold is where errors"
        " cost least, and models are compared by what theirs cost",
        "in any unit; both or neither",
    ),
    "gate.cost_of_a_false_alarm": ("the other cost", "in the same unit"),
    "gate.told": (
        f"what leaves a release of a look at the holdout: what the whole of it measured of what is"
        f" `{PROMOTED}`, and beside the word for all others what validation says; its `{FIGURES}`;"
        f" or `{WORDS}` alone. Only with `{FIGURES}` may a HOLD replace a champion",
        f"`{PROMOTED}`, as every drafted policy has; `{FIGURES}` where nobody steers by them",
    ),
    "drift.drifted": (
        "the population stability index from which a column has drifted",
        "0.1",
    ),
    "drift.strong": ("from which one column alone is strong drift; at least `drifted`", "0.25"),
    "drift.strong_share": ("the share of drifted columns that is strong drift", "0.3"),
    "anchor.recall_fall": ("the recall that it may be below", "0.02"),
    "anchor.precision_fall": ("the precision that it may be below", "0.02"),
    "anchor.calibration_fall": (
        "how much farther probability and outcome may lie apart",
        "0.02",
    ),
    "anchor.group_fall": (
        "the recall that a group with at least `segment_positives` may be below",
        "0.05",
    ),
    "monitor.level": (
        'the chance that a year in which nothing changed ever says "act"',
        "0.05",
    ),
    "monitor.maturity_days": (
        "days after an answer until its outcome counts",
        "as long as nearly all outcomes take to come in",
    ),
    "monitor.tolerance": (
        "from so far below the promise on, quality has fallen; of a number it is a skill",
        "0.02",
    ),
    "monitor.group_tolerance": (
        "the same of a group; of a number a part of what the training median is off",
        "0.05",
    ),
    "monitor.silent_days": ("days without an answer after which the log is silent", "7"),
    "monitor.label_days": (
        "so old may the newest label be",
        "`maturity_days` and a month",
    ),
    "monitor.labels_by_lot": (
        "the share of the answers whose outcome is looked up, drawn by lot; left out where they"
        " come in of themselves",
        "0.05 where a person has to find out each",
    ),
    "monitor.control_share": (
        "the share of the rows that is left untouched by lot",
        "0.05 where people act upon what is flagged, because then outcomes are also theirs",
    ),
    "triggers.window_days": ("reasons within so many days make one run", "3"),
    "triggers.pause_days": (
        "no candidate for so long after one that was not promoted, and twice as long after each"
        " further one",
        "7",
    ),
    "triggers.budget": ("candidates in 30 days, at most", "4"),
    "triggers.breaker": ("after so many refusals only a person lets the next begin", "4"),
    "triggers.canary_days": (
        "for so long after the commit of a release none begins: its canary may still run",
        "the length of your canary, rounded up",
    ),
    "triggers.schedule_days": (
        "another is due so long after the last; 0: not for that reason",
        "0, or 30",
    ),
    "triggers.new_positives": (
        "another is due with so many new positives; 0: not for that reason",
        "0, or a quarter of those in training",
    ),
    "canary.level": ("the chance that a model that says the same is taken back", "0.05"),
    "canary.flagged_share": (
        "how much of that chance is for the share flagged, or of the commonest class; the rest is"
        " for all else",
        "0.6",
    ),
    "canary.tolerance": (
        "how far shares may lie from what replay foretold",
        "0.05",
    ),
    "canary.alarming": (
        "a step is passed once so large a change is excluded; more than `tolerance`",
        "0.15; the nearer to `tolerance`, the more requests a step needs",
    ),
    "canary.failing": ("by how much more of its requests may fail than of stable's", "0.01"),
    "canary.refusing": ("by how much more of them may be refused", "0.05"),
    "canary.p95_seconds": (
        "95 of 100 requests are answered within these seconds",
        "what callers wait for",
    ),
    "canary.p99_seconds": ("99 of 100 are; at least `p95_seconds`", "four times that"),
    "canary.slower": ("so many times what stable needs", "2"),
    "canary.restarts": ("so many restarts are tolerated", "1"),
    "canary.replay_changed": (
        "the share of replayed rows whose flag or class a candidate may change, or whose number by"
        " two tenths of all answers; more refuses the release before any canary",
        "0.2",
    ),
    "approvals.required": ("how many people; 0 asks nobody", "2 where the law says four eyes"),
    "approvals.makers": (
        "whether those who made the release may be among them",
        f"`{EXCLUDED}`",
    ),
    "number.band": (
        "how far off an answer may be and still be near enough, in the unit of the target; the"
        " share of such answers is told",
        "what the work takes for the same",
    ),
    "number.bias_ceiling": (
        "how far answers lie above or below the outcomes on the average, as a share of the mean"
        " absolute error of the training median",
        "small where answers are added up, as 0.1",
    ),
    "number.skill_floor": (
        "the skill that is needed: 1 less the mean absolute error over that of the training median."
        " This or `mae_ceiling` is needed",
        "as the error, where no unit says what is enough",
    ),
    "number.mae_ceiling": (
        "the mean absolute error that is borne, in the unit of the target",
        "what the work needs, where it says so in the unit",
    ),
    "classes.floors": (
        'the recall that a class must have: a table of `"class" = 0.4`',
        "as needed",
    ),
    "classes.weights": (
        'by what the probability of a class is multiplied before the largest is answered: `"class"'
        " = 3.0`; 1 for those that are not named",
        "above 1 for a class that must not be missed",
    ),
}
# What a key may be where the declaration of its table does not say it: a check of its own does.
_CHECKED: Mapping[str, str] = {
    "data.newest_days": "at least 0",
    "split.salt": _ANY,
    "split.holdout": "never written",
    "split.by": f"`{BY_HASH}` or `{BY_TIME}`",
    "search.trials": "at least one for each family",
    "search.families": ", ".join(f"`{family}`" for family in FAMILIES)
    + "; of a number `linear_regression` in the place of the first",
    "search.folds": "2 to 20",
    "search.seed": _ANY,
    "search.method": f"`{SAMPLED}` or `{ADAPTIVE}`",
    "search.positive_weight": "0.01 to 1000",
    "operating_point.precision_slack": "at least 0; with the floor below 1",
    "operating_point.slack_share": "0 or more and below 1",
    "operating_point.flagged_share": "0.0005 to `flagged_ceiling`; 0 states none",
    "gate.segments_required": "segments of the contract",
    "gate.look_choice": " or ".join(f"`{choice}`" for choice in LOOK_CHOICES),
    "gate.group_floors": f"each {_SHARE}",
    "gate.told": f"`{PROMOTED}`, `{FIGURES}` or `{WORDS}`",
    "drift.drifted": "above 0",
    "drift.strong": "above 0",
    "monitor.level": "above 0 and at most 0.5",
    "canary.level": "above 0 and at most 0.49",
    "canary.flagged_share": _SHARE,
    "canary.p95_seconds": "above 0 and at most 5",
    "canary.p99_seconds": "above 0 and at most 5",
    "canary.slower": "1 to 100",
    "approvals.required": "0 to 10",
    "approvals.makers": f"`{EXCLUDED}` or `{INCLUDED}`",
    "number.band": "a number above 0",
    "number.bias_ceiling": f"a share, {_SHARE}",
    "number.skill_floor": f"a share, {_SHARE}",
    "number.mae_ceiling": "a number above 0",
    "classes.floors": f"each {_SHARE}",
    "classes.weights": "each 0.000001 to 1,000,000",
}
_SCHEDULE = {
    "timezone": "of the hours below; UTC where it is left out",
    "release": "when a release begins",
    "monitor": "when the monitor looks at what is live",
    "reconcile": "when ended canaries are acted upon",
}
_EXAMPLE = """\
```toml
schema = 1
reviewed = true

[data]
minimum_rows = 2_000

[split]
salt = "churn-1"
train = 0.6
validation = 0.2

[search]
method = "adaptive"
trials = 16
families = ["logistic_regression", "gradient_boosting"]
folds = 5
seed = 1

[operating_point]
slack_share = 0.2

[gate]
recall_floor = 0.5
lift_floor = 2.0
flagged_ceiling = 0.4
calibration_ceiling = 0.05
stability_ceiling = 0.05
one_column_ceiling = 0.8
duplicate_ceiling = 0.01
comparable_share = 0.95
least_positives = 200
level = 0.05
margin = 0.02
brier_margin = 0.02
segment_margin = 0.05
segment_positives = 50
segments_required = []
refresh_days = 14
```"""


def page() -> str:
    """The whole page. Raises ValueError where what is declared and what is said here differ."""
    declared = dict(tables())
    require_all(declared)
    title = (
        "<!-- Written by `python -m scripts.policy_reference`: change its sentences there. -->"
        "\n\n# The policy\n\n"
        "`models/<name>/policy.toml` holds the decisions about a model that go through review."
        " `sluice init FILE` drafts one, with limits from the table; `sluice validate` reads it. A"
        " key that is not known is refused, one that is needed and missing too, and a value outside"
        " of its limits is named with file, table and key (exit code 2). Tables whose keys all have"
        " a default may be left out. This is the least that a policy says:"
    )
    parts = [title, _EXAMPLE, "## Top level", _rows(("key", "what it is"), _top_lines())]
    parts += [_section(name, kind) for name, kind in declared.items()]
    parts += [
        "## `[schedule]`\n\nWhen runs begin by themselves: [more](prefect.md). It decides nothing"
        ' about a model. Five fields of cron, such as `"0 3 * * 1-5"`, or `"every 6 hours"`.',
        _rows(("key", "what it is"), _schedule_lines()),
    ]
    return "\n\n".join(parts) + "\n"


def tables() -> Iterator[tuple[str, type]]:
    """Each table of a policy and the dataclass that declares its keys, in their order."""
    for name, kind in get_type_hints(Policy).items():
        for part in (kind, *get_args(kind)):
            if isinstance(part, type) and is_dataclass(part):
                yield name, part


def require_all(declared: Mapping[str, type]) -> None:
    """Raise ValueError, naming each, for what lacks a sentence or limits, and for what is said of
    nothing.
    """
    keys = {f"{name}.{field.name}" for name, kind in declared.items() for field in fields(kind)}
    problems = [_odd("a sentence", keys, _SAID), _odd("a sentence", set(declared), _TABLES)]
    for name, kind in declared.items():
        problems += [
            f"{name}.{field.name} lacks limits"
            for field in fields(kind)
            if f"{name}.{field.name}" not in _CHECKED and not limits_of(name, field)
        ]
    problems += [f"{key} is no key" for key in sorted(set(_CHECKED) - keys)]
    problems.append(_odd("a sentence", {"timezone", *SCHEDULED}, _SCHEDULE))
    found = [problem for problem in problems if problem]
    if found:
        raise ValueError(f"{'; '.join(found)}. Mend it in scripts/policy_reference.py.")


def _odd(what: str, names: set[str], said: Mapping[str, object]) -> str:
    lacking = [f"{name} lacks {what}" for name in sorted(names - set(said))]
    return "; ".join(lacking + [f"{name} is no key" for name in sorted(set(said) - names)])


def limits(table: str, field: Field[Any]) -> str:
    """What a key may be, in words."""
    return _CHECKED.get(f"{table}.{field.name}") or limits_of(table, field)


def _section(name: str, kind: type) -> str:
    head = ("key", "takes", "default", "what it is", "how to choose it")
    lines = [
        (
            f"`{field.name}`",
            _takes(name, field),
            _default(name, field),
            *_SAID[f"{name}.{field.name}"],
        )
        for field in fields(kind)
    ]
    section = f"## `[{name}]`\n\n{_TABLES[name]}\n\n{_rows(head, lines)}"
    if name == "classes":
        refused = ", ".join(f"`{key}`" for key in of_one_class())
        section += (
            "\n\nBeside it `[gate]` needs `recall_floor` and `calibration_ceiling`, and refuses"
            f" what is about rows that are flagged: {refused}."
        )
    if name == "number":
        refused = ", ".join(f"`{key}`" for key in OF_A_CLASS)
        section += f"\n\nBeside it `[gate]` refuses what is about a positive class: {refused}."
    return section


def of_one_class() -> list[str]:
    """The keys of the gate that are refused beside a table [classes]."""
    return [field.name for field in fields(dict(tables())["gate"]) if _refused(field.name)]


def _refused(key: str) -> bool:
    gate = {"recall_floor": 0.5, "calibration_ceiling": 0.05, key: 0.5}
    try:
        gate_of_classes("policy", gate)
    except UsageError:
        return True
    return False


def _takes(table: str, field: Field[Any]) -> str:
    sort = getattr(field.type, "__name__", str(field.type))
    kind = _KINDS.get(sort) or ("texts" if sort == "tuple" and _of_texts(field) else "table")
    may = limits(table, field)
    return kind if may == _ANY else f"{kind}: {may}"


def _of_texts(field: Field[Any]) -> bool:
    return get_args(field.type)[:1] == (str,)


def _default(table: str, field: Field[Any]) -> str:
    if f"{table}.{field.name}" == "split.holdout":
        return "the rest"
    if field.default is MISSING:
        return "**needed**"
    if field.default in ((), 0, 0.0):
        return "none"
    return f"`{field.default}`"


def _top_lines() -> list[tuple[str, str]]:
    return [(f"`{key}`", said) for key, said in _TOP.items()]


def _schedule_lines() -> list[tuple[str, str]]:
    return [(f"`{key}`", _SCHEDULE[key]) for key in ("timezone", *SCHEDULED)]


def _rows(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    every = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in every)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` say whether it is up to date; the exit code."""
    return write_or_check(
        arguments, "scripts.policy_reference", page, PAGE, "what a policy may hold"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
