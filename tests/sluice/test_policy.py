"""The policy: what is read, and errors that name file, table and key."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gate_cases import POLICY, policy

from sluice.errors import UsageError
from sluice.policy import (
    FAMILIES,
    ApprovalPolicy,
    CanaryPolicy,
    DriftPolicy,
    GroupFloor,
    Policy,
    changes,
    load_approvals,
    load_policy,
)

DEFECTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "not TOML": ("schema = 1", "schema 1", ("is not TOML", "line 2")),
    "another schema": ("schema = 1", "schema = 3", ("schema is 3",)),
    "no schema": ("schema = 1", "", ("schema is missing",)),
    "unknown table": ("[gate]", "[gates]", ("'gates'", "not a known table", "operating_point")),
    "unknown key": ("recall_floor", "recal_floor", ("[gate]", "'recal_floor'", "recall_floor")),
    "no key": (
        "folds = 5",
        "",
        ("[search]", "folds is missing; a whole number is required", "Write"),
    ),
    "no table": (
        "[operating_point]\nprecision_slack = 0.025",
        "",
        ("[operating_point]", "precision_slack is missing"),
    ),
    "share as a text": (
        "recall_floor = 0.72",
        'recall_floor = "0.72"',
        ("[gate]", "recall_floor is '0.72'; a number is required"),
    ),
    "share in percent": (
        "recall_floor = 0.72",
        "recall_floor = 72",
        ("[gate]", "recall_floor is 72", "between 0 and 1"),
    ),
    "share of all": (
        "recall_floor = 0.72",
        "recall_floor = 1.0",
        ("[gate]", "recall_floor is 1.0"),
    ),
    "share of nothing": (
        "precision_floor = 0.66",
        "precision_floor = 0",
        ("[gate]", "precision_floor is 0"),
    ),
    "share that is no number": (
        "flagged_ceiling = 0.70",
        "flagged_ceiling = nan",
        ("[gate]", "flagged_ceiling is nan"),
    ),
    "level of nothing": ("level = 0.05", "level = 0.0", ("[gate]", "level is 0.0")),
    "a boolean": (
        "trials = 16",
        "trials = true",
        ("[search]", "trials is True; a whole number is required"),
    ),
    "half a trial": (
        "trials = 16",
        "trials = 16.5",
        ("[search]", "trials is 16.5; a whole number is required"),
    ),
    "one trial for two": (
        "trials = 16",
        "trials = 1",
        ("[search]", "1 trials", "each of 2 families"),
    ),
    "one fold": ("folds = 5", "folds = 1", ("[search]", "1 folds", "2 to 20")),
    "too many folds": ("folds = 5", "folds = 21", ("[search]", "21 folds")),
    "unknown family": (
        '"gradient_boosting"',
        '"xgboost"',
        ("[search]", "families", "xgboost", *FAMILIES),
    ),
    "more flagged than the ceiling": (
        "precision_slack = 0.025",
        "flagged_share = 0.8",
        ("[operating_point]", "flagged_share is 0.8", "flagged_ceiling of 0.7"),
    ),
    "next to nothing flagged": (
        "precision_slack = 0.025",
        "flagged_share = 0.0001",
        ("[operating_point]", "flagged_share is 0.0001"),
    ),
    "a share below nothing": (
        "precision_slack = 0.025",
        "flagged_share = -0.1",
        ("[operating_point]", "flagged_share is -0.1"),
    ),
    "no weight": (
        "folds = 5",
        "folds = 5\npositive_weight = 0.0",
        ("[search]", "positive_weight is 0", "0.01 to 1000"),
    ),
    "unknown method": (
        "folds = 5",
        'folds = 5\nmethod = "clever"',
        ("[search]", "method is 'clever'", "sampled, adaptive"),
    ),
    "no family": (
        '["logistic_regression", "gradient_boosting"]',
        "[]",
        ("[search]", "families", "[]"),
    ),
    "families as a text": (
        '["logistic_regression", "gradient_boosting"]',
        '"all"',
        ("[search]", "families is 'all'"),
    ),
    "families that are no texts": (
        '["logistic_regression", "gradient_boosting"]',
        "[1, 2]",
        ("[search]", "families is [1, 2]", "a list of texts"),
    ),
    "required segments that are no texts": (
        "segments_required = []",
        "segments_required = [1]",
        ("[gate]", "segments_required is [1]", "a list of texts"),
    ),
    "a required segment without a name": (
        "segments_required = []",
        'segments_required = ["gender", " "]',
        ("[gate]", "segments_required is ['gender', ' ']", "a list of texts"),
    ),
    "no rows": ("minimum_rows = 2_000", "minimum_rows = 0", ("[data]", "minimum_rows is 0")),
    "salt is a number": (
        'salt = "attrition-2026"',
        "salt = 5",
        ("[split]", "salt is 5; a text is required"),
    ),
    "no holdout left": ("train = 0.6", "train = 0.9", ("[split]", "holdout is -0.1")),
    "holdout given": (
        "train = 0.6",
        "train = 0.6\nholdout = 0.3",
        ("[split]", "holdout is 0.3", "Leave it out"),
    ),
    "all for training": ("train = 0.6", "train = 1", ("[split]", "train is 1")),
    "slack below nothing": (
        "precision_slack = 0.025",
        "precision_slack = -0.1",
        ("[operating_point]", "slack"),
    ),
    "slack beyond reach": (
        "precision_slack = 0.025",
        "precision_slack = 0.4",
        ("[operating_point]", "1.06"),
    ),
    "slack that is no number": (
        "precision_slack = 0.025",
        "precision_slack = nan",
        ("[operating_point]", "nan"),
    ),
    "unknown limit of drift": (
        "strong_share = 0.3",
        "strong_shares = 0.3",
        ("[drift]", "'strong_shares'", "strong_share"),
    ),
    "drift of nothing": ("drifted = 0.1", "drifted = 0.0", ("[drift]", "drifted is 0")),
    "strong drift below drift": (
        "strong = 0.25",
        "strong = 0.05",
        ("[drift]", "drifted is 0.1 and strong is 0.05", "at least drifted"),
    ),
    "drift without an end": ("strong = 0.25", "strong = inf", ("[drift]", "strong is inf")),
    "drift that is no number": ("drifted = 0.1", "drifted = nan", ("[drift]", "drifted is nan")),
    "a level that no limit has": (
        "level = 0.05",
        "level = 0.99",
        ("[gate]", "level is 0.99; 0.0001 to 0.49 is required", "0.05 is usual"),
    ),
    "a margin of everything": (
        "\nmargin = 0.01",
        "\nmargin = 0.99",
        ("[gate]", "margin is 0.99; 0.0001 to 0.9 is required", "a few points"),
    ),
    "a floor on the ground": (
        "recall_floor = 0.72",
        "recall_floor = 0.01",
        ("[gate]", "recall_floor is 0.01; 0.02 to 0.999 is required", "refuses no model"),
    ),
    "a precision on the ground": (
        "precision_floor = 0.66",
        "precision_floor = 0.01",
        ("[gate]", "precision_floor is 0.01"),
    ),
    "a margin of what is shipped": (
        "shipped_margin = 0.025",
        "shipped_margin = 0.95",
        ("[gate]", "shipped_margin is 0.95"),
    ),
    "one cost of two": (
        "recall_floor = 0.72",
        "recall_floor = 0.72\ncost_of_a_miss = 10",
        ("[gate]", "cost_of_a_miss is 10 and cost_of_a_false_alarm is 0", "both or neither"),
    ),
    "a cost below nothing": (
        "recall_floor = 0.72",
        "cost_of_a_miss = -1.0\ncost_of_a_false_alarm = 1.0",
        ("[gate]", "cost_of_a_miss is -1; 1e-06 to 1e+12 is required"),
    ),
    "a lift of lots": (
        "precision_floor = 0.66",
        "lift_floor = 0.9",
        ("[gate]", "lift_floor is 0.9; 1.01 to 1000 is required", "flagging by lots", "Leave it"),
    ),
    "a lift that is no number": (
        "precision_floor = 0.66",
        "lift_floor = nan",
        ("[gate]", "lift_floor is nan"),
    ),
    "a skill of everything": (
        "refresh_days = 14",
        "refresh_days = 14\nbrier_skill_floor = 1.0",
        ("[gate]", "brier_skill_floor is 1; 0.001 to 0.999 is required"),
    ),
    "a ceiling below nothing": (
        "calibration_ceiling = 0.05",
        "calibration_share_ceiling = -0.1",
        ("[gate]", "calibration_share_ceiling is -0.1"),
    ),
    "neither precision nor lift": (
        "precision_floor = 0.66",
        "brier_skill_floor = 0.1",
        ("[gate]", "precision_floor is missing", "Write precision_floor or lift_floor"),
    ),
    "no ceiling of calibration": (
        "calibration_ceiling = 0.05",
        "brier_skill_floor = 0.1",
        (
            "calibration_ceiling is missing",
            "Write calibration_ceiling or calibration_share_ceiling",
        ),
    ),
    "a slack of more than all": (
        "precision_slack = 0.025",
        "slack_share = 1.0",
        ("[operating_point]", "slack_share is 1"),
    ),
    "both slacks beyond reach": (
        "precision_slack = 0.025",
        "precision_slack = 0.025\nslack_share = 0.5",
        ("[operating_point]", "makes 1.015"),
    ),
    "more uses than anybody counts": (
        "uses = 0 ",
        "uses = 1_000_000 ",
        ("[gate]", "uses is 1e+06", "0 to 10000 is required", "0 sets no limit"),
    ),
    "floors of groups that are no table": (
        "refresh_days = 14",
        'refresh_days = 14\ngroup_floors = "all"',
        ("[gate.group_floors]", "'all'"),
    ),
    "a floor of a segment": (
        "\n[gate]",
        "\n[gate.group_floors]\ngender = 0.5\n[gate]",
        ("[gate.group_floors]", "'gender'", "segment and group"),
    ),
    "a floor of a group in percent": (
        "\n[gate]",
        '\n[gate.group_floors]\n"gender = Female" = 60\n[gate]',
        ("[gate.group_floors]", "'gender = Female' is 60", "between 0 and 1"),
    ),
    "drift as a text": ("drifted = 0.1", 'drifted = "0.1"', ("[drift]", "drifted is '0.1'")),
    "a share of drift in percent": (
        "strong_share = 0.3",
        "strong_share = 30",
        ("[drift]", "strong_share is 30", "between 0 and 1"),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_error_names_file_table_and_key(defect: str) -> None:
    old, new, words = DEFECTS[defect]
    assert old in POLICY
    with pytest.raises(UsageError) as caught:
        load_policy(POLICY.replace(old, new), "models/a/policy.toml")
    assert caught.value.what.startswith("models/a/policy.toml")
    assert caught.value.fix
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("table", ["data", "split", "search", "operating_point", "gate", "drift"])
@pytest.mark.parametrize("junk", [1, [1], "x", [["a"]]])
def test_what_must_be_a_table_is_named_where_it_is_none(table: str, junk: Any) -> None:
    with pytest.raises(UsageError, match=table):
        load_policy(tomli_w.dumps({"schema": 1} | tomllib.loads(POLICY) | {table: junk}))


_KEYS = [
    (table, key)
    for table, keys in tomllib.loads(POLICY).items()
    if isinstance(keys, dict)
    for key in keys
]
_JUNK = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.lists(st.text(max_size=3) | st.integers())
)


@given(st.sampled_from(_KEYS), _JUNK)
@settings(max_examples=100, deadline=None)
def test_whatever_stands_somewhere_it_is_read_or_named(place: tuple[str, str], junk: Any) -> None:
    raw = tomllib.loads(POLICY)
    raw[place[0]][place[1]] = junk
    try:
        read = load_policy(tomli_w.dumps(raw), "a.toml")
    except UsageError as error:
        assert error.what.startswith("a.toml")
        assert error.fix
    else:
        assert 0 < read.gate.recall_floor < 1
        assert read.split.train + read.split.validation + read.split.holdout == pytest.approx(1)


def test_the_shipped_policy_is_the_one_that_was_agreed() -> None:
    shipped = policy()
    assert isinstance(shipped, Policy)
    assert (shipped.split.train, shipped.split.validation, shipped.split.holdout) == (0.6, 0.2, 0.2)
    assert (shipped.gate.recall_floor, shipped.gate.precision_floor, shipped.gate.level) == (
        0.72,
        0.66,
        0.05,
    )
    assert shipped.operating_point.precision_slack == 0.025
    assert shipped.search.trials >= 16
    assert shipped.search.trials // len(shipped.search.families) >= 4
    assert (shipped.search.families, shipped.search.folds) == (FAMILIES[:2], 5)


# Every key of the first version of policies; the policies in old artifacts have these and no other.
_FIRST = {
    "data": ["minimum_rows"],
    "split": ["salt", "train", "validation"],
    "search": ["trials", "families", "folds", "seed"],
    "operating_point": ["precision_slack"],
    "gate": [
        "recall_floor",
        "precision_floor",
        "flagged_ceiling",
        "calibration_ceiling",
        "stability_ceiling",
        "one_column_ceiling",
        "duplicate_ceiling",
        "comparable_share",
        "least_positives",
        "level",
        "uses",
        "margin",
        "brier_margin",
        "segment_margin",
        "segment_positives",
        "segments_required",
        "refresh_days",
    ],
}


def test_a_policy_of_the_first_version_is_still_read() -> None:
    raw = tomllib.loads(POLICY)
    first: dict[str, Any] = {
        table: {k: raw[table][k] for k in keys} for table, keys in _FIRST.items()
    }
    read = load_policy(tomli_w.dumps({"schema": 1, **first}))
    assert read.gate == replace(policy().gate, near_duplicate_ceiling=1.0)
    assert read.drift == DriftPolicy()


_MAY_BE_ABSENT = ("uses",)  # since the level that is left bounds the uses


@pytest.mark.parametrize(
    ("table", "key"),
    [(t, k) for t, keys in _FIRST.items() for k in keys if k not in _MAY_BE_ABSENT],
)
def test_a_key_without_a_default_may_not_be_missing(table: str, key: str) -> None:
    raw = tomllib.loads(POLICY)
    del raw[table][key]
    with pytest.raises(UsageError, match=rf"\[{table}\] (holdout|{key}) is missing"):
        load_policy(tomli_w.dumps(raw))


def test_a_group_may_have_a_floor() -> None:
    text = f'{POLICY}\n[gate.group_floors]\n"gender = Female" = 0.6\n"job_level = Mid" = 0.7\n'
    read = load_policy(text)
    floors = (GroupFloor("gender = Female", 0.6), GroupFloor("job_level = Mid", 0.7))
    assert read.gate.group_floors == floors
    assert load_policy(tomli_w.dumps(tomllib.loads(text))) == read
    said = "gate.group_floors () -> (gender = Female: 0.6, job_level = Mid: 0.7)"
    assert changes(policy(), read) == [said]


@pytest.mark.parametrize(
    ("stated", "instead"),
    [
        ("precision_floor = 0.66", "lift_floor = 4.0"),
        ("calibration_ceiling = 0.05", "calibration_share_ceiling = 0.1"),
        ("precision_slack = 0.025", "slack_share = 0.04"),
    ],
)
def test_a_limit_in_units_that_travel_stands_beside_the_other_or_in_its_place(
    stated: str, instead: str
) -> None:
    name, other = stated.split()[0], instead.split()[0]
    table = "operating_point" if "slack" in name else "gate"
    lone = getattr(load_policy(POLICY.replace(stated, instead)), table)
    assert (getattr(lone, name), getattr(lone, other)) == (0, float(instead.split()[-1]))
    both = getattr(load_policy(POLICY.replace(stated, f"{stated}\n{instead}")), table)
    assert getattr(both, name) == float(stated.split()[-1])
    assert getattr(both, other) == getattr(lone, other)
    unstated = load_policy(POLICY.replace(stated, f"{stated}\n{other} = 0"))
    assert unstated == policy()


def test_costs_stand_beside_the_floors_or_in_their_place() -> None:
    costs = "cost_of_a_miss = 5_000.0\ncost_of_a_false_alarm = 250.0"
    beside = load_policy(POLICY.replace("recall_floor = 0.72", f"recall_floor = 0.72\n{costs}"))
    assert beside.gate.costed
    assert (beside.gate.recall_floor, beside.gate.precision_floor) == (0.72, 0.66)
    text = POLICY.replace("recall_floor = 0.72", costs)
    for line in ("precision_floor = 0.66", "[operating_point]", "precision_slack = 0.025"):
        text = text.replace(line, "")
    instead = load_policy(text)
    assert (instead.gate.recall_floor, instead.gate.precision_floor) == (0.0, 0.0)
    assert not policy().gate.costed
    said = changes(beside, replace(beside, gate=replace(beside.gate, cost_of_a_miss=1.0)))
    assert said == ["gate.cost_of_a_miss 5000.0 -> 1.0"]


@pytest.mark.parametrize("key", ["drifted", "strong", "strong_share"])
def test_a_key_with_a_default_may_be_missing(key: str) -> None:
    raw = tomllib.loads(POLICY)
    raw["drift"] = {"drifted": 0.2, "strong": 0.4, "strong_share": 0.5}
    del raw["drift"][key]
    assert getattr(load_policy(tomli_w.dumps(raw)).drift, key) == getattr(DriftPolicy(), key)


def test_a_limit_of_drift_that_changes_is_named_as_one_of_the_gate() -> None:
    wider = load_policy(POLICY.replace("strong = 0.25", "strong = 0.5"))
    assert changes(policy(), wider) == ["drift.strong 0.25 -> 0.5"]


def test_a_threshold_in_the_policy_of_an_artifact_is_not_a_defect() -> None:
    assert (
        load_policy(POLICY.replace("[operating_point]", "[operating_point]\nthreshold = 0.5"))
        == policy()
    )


@pytest.mark.parametrize("key", ["uses", "look_days"])
def test_a_limit_to_the_looks_may_be_absent_and_is_none_then(key: str) -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"].pop(key, None)
    assert getattr(load_policy(tomli_w.dumps(raw)).gate, key) == 0
    raw["gate"][key] = 7
    assert getattr(load_policy(tomli_w.dumps(raw)).gate, key) == 7
    raw["gate"][key] = -1
    with pytest.raises(UsageError, match=f"{key} is -1"):
        load_policy(tomli_w.dumps(raw))


def test_who_has_the_look_is_the_first_unless_the_policy_says_the_best() -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"].pop("look_choice", None)
    assert load_policy(tomli_w.dumps(raw)).gate.look_choice == "first"
    raw["gate"] |= {"look_choice": "best", "look_days": 7}
    assert load_policy(tomli_w.dumps(raw)).gate.look_choice == "best"


@pytest.mark.parametrize(
    ("choice", "days", "said"),
    [
        ("last", 7, "look_choice is 'last'"),
        ("", 7, "look_choice is ''"),
        ("Best", 7, "look_choice is 'Best'"),
        (7, 7, "look_choice is 7"),
        ("best", 0, "look_days is 0; at least 1 is required where look_choice is best"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(choice: object, days: int, said: str) -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"] |= {"look_choice": choice, "look_days": days}
    with pytest.raises(UsageError) as refused:
        load_policy(tomli_w.dumps(raw))
    assert said in refused.value.what


def test_figures_are_told_unless_the_policy_says_words() -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"].pop("told", None)
    gate = load_policy(tomli_w.dumps(raw)).gate
    assert (gate.told, gate.worded, gate.promoted_figures) == ("figures", False, True)
    raw["gate"]["told"] = "words"
    gate = load_policy(tomli_w.dumps(raw)).gate
    assert (gate.worded, gate.promoted_figures) == (True, False)


def test_between_figures_and_words_the_verdict_decides() -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"]["told"] = "promoted"
    gate = load_policy(tomli_w.dumps(raw)).gate
    assert (gate.worded, gate.promoted_figures) == (True, True)


@pytest.mark.parametrize("told", ["nothing", "", "Words", 1])
def test_what_is_told_is_one_of_three(told: object) -> None:
    raw = tomllib.loads(POLICY)
    raw["gate"]["told"] = told
    with pytest.raises(UsageError, match=rf"told is {told!r}"):
        load_policy(tomli_w.dumps(raw))


def test_limits_of_a_canary_may_be_absent_or_differ() -> None:
    assert load_policy(POLICY).canary == CanaryPolicy()
    read = load_policy(POLICY + "\n[canary]\ntolerance = 0.02\nrestarts = 0\np99_seconds = 2.5\n")
    assert read.canary == CanaryPolicy(tolerance=0.02, restarts=0, p99_seconds=2.5)
    assert "canary.tolerance 0.05 -> 0.02" in changes(load_policy(POLICY), read)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alarming = 0.05", "alarming is 0.05; more than the tolerance"),
        ("tolerance = 1.5", "tolerance is 1.5"),
        ("level = 0.6", "level is 0.6"),
        ("p95_seconds = 2.0", "p95_seconds is 2"),
        ("p99_seconds = 9.0", "p99_seconds is 9"),
        ("slower = 0.5", "slower is 0.5"),
        ("restarts = -1", "restarts is -1"),
        ("replay_changed = 1.0", "replay_changed is 1.0"),
        ("tolerence = 0.1", "'tolerence' is not a known key"),
    ],
)
def test_a_limit_of_a_canary_that_holds_nothing_is_refused(line: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_policy(f"{POLICY}\n[canary]\n{line}\n", "a.toml")
    assert said in raised.value.what
    assert "a.toml: [canary]" in raised.value.what
    assert raised.value.fix


def test_people_are_asked_where_the_policy_says_so() -> None:
    assert load_policy(POLICY).approvals == ApprovalPolicy(0, "excluded")
    text = POLICY + '\n[approvals]\nrequired = 2\nmakers = "included"\n'
    read = load_policy(text)
    assert read.approvals == load_approvals(text) == ApprovalPolicy(2, "included")
    assert changes(load_policy(POLICY), read) == [
        "approvals.required 0 -> 2",
        "approvals.makers excluded -> included",
    ]
    assert load_approvals("schema = 9\n[gait]\nx = 1\n") == ApprovalPolicy()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("required = -1", "required is -1"),
        ("required = 11", "required is 11; at most 10 is required"),
        ("required = true", "required is True"),
        ("required = 1.5", "required is 1.5"),
        ('makers = "yes"', "makers is 'yes'"),
        ("people = 2", "'people' is not a known key"),
    ],
)
def test_approvals_that_mean_nothing_are_refused(line: str, said: str) -> None:
    for load in (load_policy, load_approvals):
        with pytest.raises(UsageError) as raised:
            load(f"{POLICY}\n[approvals]\n{line}\n", "a.toml")
        assert said in raised.value.what
        assert raised.value.fix


def test_a_search_without_a_method_is_identified_as_before_there_was_a_choice() -> None:
    search = load_policy(POLICY).search
    assert search.method == "sampled"
    assert sorted(search.named) == ["families", "folds", "seed", "trials"]
    assert "method" in replace(search, method="adaptive").named
    assert replace(search, positive_weight=2.0).named["positive_weight"] == 2.0


def test_a_share_that_is_flagged_needs_no_slack_and_allows_no_costs() -> None:
    text = POLICY.replace("precision_slack = 0.025", "flagged_share = 0.1")
    assert load_policy(text).operating_point.flagged_share == 0.1
    costs = "cost_of_a_miss = 5.0\ncost_of_a_false_alarm = 1.0\nrecall_floor"
    with pytest.raises(UsageError, match="states costs"):
        load_policy(text.replace("recall_floor", costs, 1))
