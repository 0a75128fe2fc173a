"""The reference of policies: up to date, complete, true of its limits, and its example is read."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields, make_dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from scripts import policy_reference
from sluice.errors import UsageError
from sluice.policy import load_policy

[EXAMPLE] = re.findall(r"```toml\n(.+?)```", policy_reference.page(), re.S)
_NUMBER = r"([\d.,e+-]*\d)"
# What has to be given beside a key for its limits to be what decides.
BESIDE: dict[str, dict[str, Any]] = {
    "drift.drifted": {"strong": 1000.0},
    "drift.strong": {"drifted": 1e-13},
    "canary.p99_seconds": {"p95_seconds": 1e-13},
    "canary.p95_seconds": {"p99_seconds": 5.0},
    "canary.tolerance": {"alarming": 1 - 1e-12},
    "canary.alarming": {"tolerance": 1e-13},
    "split.train": {"validation": 1e-7},
    "split.validation": {"train": 1e-7},
    "gate.cost_of_a_miss": {"cost_of_a_false_alarm": 1.0},
    "gate.cost_of_a_false_alarm": {"cost_of_a_miss": 1.0},
}


@dataclass(frozen=True)
class Limit:
    """A value of a key, and whether it is taken."""

    table: str
    key: str
    value: object
    taken: bool


def test_it_is_up_to_date() -> None:
    assert policy_reference.main(["--check"]) == 0


def test_a_stale_page_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(policy_reference, "ROOT", tmp_path)
    monkeypatch.setattr(policy_reference, "PAGE", tmp_path / "policy.md")
    assert policy_reference.main(["--check"]) == 1
    assert "Run: python -m scripts.policy_reference" in capsys.readouterr().err
    assert policy_reference.main([]) == 0
    assert policy_reference.main(["--check"]) == 0


def test_another_argument_is_a_usage_error() -> None:
    assert policy_reference.main(["--chek"]) == 2


def test_its_example_is_read_and_each_line_of_it_is_needed() -> None:
    load_policy(EXAMPLE)
    spec = tomllib.loads(EXAMPLE)
    for table, keys in spec.items():
        for key in keys if isinstance(keys, dict) else ():
            if key == "method":
                continue  # it has a default, which is not what is advised
            less = {name: value for name, value in keys.items() if name != key}
            with pytest.raises(UsageError):
                load_policy(tomli_w.dumps({**spec, table: less}))


def test_every_key_of_every_table_has_a_line() -> None:
    page = policy_reference.page()
    for name, kind in policy_reference.tables():
        section = page.partition(f"## `[{name}]`")[2].partition("\n## ")[0]
        for field in fields(kind):
            assert f"\n| `{field.name}` | " in section


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ([("minimum_rows", int), ("newest_days", int, 0), ("odd", float, 2.0)], "data.odd lacks a"),
        ([("minimum_rows", int), ("newest_days", int, 0), ("many", int, 2)], "data.many lacks lim"),
        ([("minimum_rows", int)], "data.newest_days is no key"),
    ],
)
def test_what_is_declared_and_not_said_is_named(keys: list[Any], named: str) -> None:
    declared = {**dict(policy_reference.tables()), "data": make_dataclass("Data", keys)}
    with pytest.raises(ValueError, match=named):
        policy_reference.require_all(declared)


def test_a_table_that_nobody_says_is_named() -> None:
    declared = {**dict(policy_reference.tables()), "odd": make_dataclass("Odd", [])}
    with pytest.raises(ValueError, match="odd lacks a sentence"):
        policy_reference.require_all(declared)


def _edges() -> Iterator[Limit]:
    """Both ends of the limits of each number, as the page says them, and what lies beyond."""
    for table, kind in policy_reference.tables():
        for field in fields(kind):
            said = policy_reference.limits(table, field)
            for value, taken in _around(said, whole="int" in str(field.type)):
                yield Limit(table, field.name, value, taken)


def _around(said: str, *, whole: bool) -> Iterator[tuple[float, bool]]:
    little = 1e-6
    for pattern, low, high in (
        (rf"^{_NUMBER} to {_NUMBER}", True, True),
        (rf"^at least {_NUMBER}()", True, False),
        (rf"^above {_NUMBER} and below {_NUMBER}", False, False),
        (rf"^above {_NUMBER} and at most {_NUMBER}", False, True),
    ):
        found = re.match(pattern, said)
        if not found:
            continue
        least, most = (float(text.replace(",", "")) if text else None for text in found.groups())
        for edge, sign, inside in ((least, 1, low), (most, -1, high)):
            if edge is None:
                continue
            number = int(edge) if whole else edge
            step = sign if whole else little * sign * max(abs(number), 1e-3)
            yield (number, True) if inside else (number + step, True)
            yield (number - step, False) if inside else (number, False)
        if "0 states none" in said:
            yield (0 if whole else 0.0), True


@pytest.mark.parametrize("limit", list(_edges()), ids=str)
def test_the_limits_that_it_says_are_those_that_hold(limit: Limit) -> None:
    spec = tomllib.loads(EXAMPLE)
    name = f"{limit.table}.{limit.key}"
    if limit.table == "gate":
        spec["operating_point"] = {"precision_slack": 0.0}  # it adds to the floor
    keys = {**spec.get(limit.table, {}), **BESIDE.get(name, {}), limit.key: limit.value}
    if name == "gate.lift_floor" and not limit.value:
        keys["precision_floor"] = 0.5
    if name.startswith("gate.cost") and not limit.value:
        keys |= {"cost_of_a_miss": 0.0, "cost_of_a_false_alarm": 0.0}
    text = tomli_w.dumps({**spec, limit.table: keys})
    if limit.taken:
        load_policy(text)
        return
    with pytest.raises(UsageError, match=limit.key):
        load_policy(text)
