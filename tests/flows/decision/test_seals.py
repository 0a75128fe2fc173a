"""Seals: whatever changed since the verdict is named; evidence without seals proves nothing."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.decision import seals
from flows.decision.seals import RULES, check_file, compare
from flows.engine.code_identity import code_of, lock
from flows.engine.phases import Decision
from sluice.errors import Refused
from sluice.identity import sha256

SEALS = st.dictionaries(
    st.sampled_from(["data", "scores", "case", "lock"]), st.text("ab", max_size=2)
)


@given(SEALS, SEALS)
def test_exactly_what_differs_is_named(before: dict[str, str], now: dict[str, str]) -> None:
    changed = [name for name in now if before.get(name) != now[name]]
    if not changed:
        compare(before, now)
        return
    with pytest.raises(Refused) as caught:
        compare(before, now)
    assert caught.value.what == (
        f"not what was decided on: {', '.join(changed)} changed since the verdict"
    )
    assert caught.value.fix.startswith("Run the release again with --no-cache")


@given(SEALS)
def test_equal_seals_are_equal_and_more_of_them_are_no_harm(seals: dict[str, str]) -> None:
    compare(seals, seals)
    compare({**seals, "more": "x"}, seals)


POLICY = "schema = 1\n"


def sealed(folder: Path, seals: dict[str, str] | None = None) -> None:
    """A metrics.json, and the evidence that seals it and the policy; other `seals` if given."""
    (folder / "metrics.json").write_bytes(b"{}")
    own = {"metrics": sha256(b"{}"), "policy": sha256(POLICY.encode())}
    document = {"schema": 1, "seals": own if seals is None else seals}
    (folder / "evidence.json").write_text(json.dumps(document))


def refused(folder: Path, policy: str = POLICY) -> str:
    with pytest.raises(Refused) as caught:
        check_file(folder, policy)
    return caught.value.what


def test_without_evidence_there_is_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    check_file(tmp_path, "any policy")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"seals": 7}'])
def test_evidence_that_cannot_be_read_seals_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_bytes(content)
    assert refused(tmp_path).startswith(
        f"{tmp_path}/evidence.json holds no seals to check the metrics against"
    )


def test_a_folder_that_is_as_it_was_sealed_is_taken(tmp_path: Path) -> None:
    sealed(tmp_path)
    check_file(tmp_path, POLICY)


def test_another_policy_and_other_metrics_are_named(tmp_path: Path) -> None:
    sealed(tmp_path)
    assert "policy changed since the verdict" in refused(tmp_path, POLICY + "# more\n")
    (tmp_path / "metrics.json").write_bytes(b"{ }")
    assert "metrics changed since the verdict" in refused(tmp_path)
    assert "metrics, policy changed since the verdict" in refused(tmp_path, "")


@pytest.mark.parametrize("name", ["case.json", "scores.parquet", "verdict.json"])
def test_a_file_that_was_put_there_later_is_not_sealed(name: str, tmp_path: Path) -> None:
    sealed(tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    assert f"{name.partition('.')[0]} changed since the verdict" in refused(tmp_path)


def test_evidence_without_seals_or_with_none_for_a_file_is_refused(tmp_path: Path) -> None:
    sealed(tmp_path, {})
    assert "metrics, policy changed since the verdict" in refused(tmp_path)
    (tmp_path / "evidence.json").write_text('{"schema": 1}')
    assert refused(tmp_path) == (
        f"{tmp_path}/evidence.json holds no seals to check the metrics against"
    )


SEALED = {
    "training rows": "split/train.parquet",
    "holdout rows": "split/holdout.parquet",
    "candidate": "trained/model/model.onnx",
    "scores": "score/scores.parquet",
    "case": "score/case.json",
    "metrics": "score/metrics.json",
    "ledger": "gate/standing.json",
    "verdict": "gate/verdict.json",
    "replay": "replay/forecast.json",
}


@pytest.fixture
def decided(tmp_path: Path) -> Decision:
    """A decision as far as it is sealed: folders with files, and hashes."""
    for path in SEALED.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f'{{"is": "{path}"}}')
    request = SimpleNamespace(
        data=SimpleNamespace(sha256="d"),
        contract_sha256="c",
        policy_sha256="p",
        policy=SimpleNamespace(gate=SimpleNamespace(worded=False), classes=None, number=None),
    )
    candidate = SimpleNamespace(
        split=SimpleNamespace(folder=tmp_path / "split"),
        trained=SimpleNamespace(folder=tmp_path / "trained"),
    )
    case = SimpleNamespace(champion=SimpleNamespace(model="m1"), anchor=None)
    made = SimpleNamespace(
        request=request,
        case=case,
        candidate=candidate,
        scored=SimpleNamespace(folder=tmp_path / "score"),
        decided=SimpleNamespace(folder=tmp_path / "gate"),
        replayed=SimpleNamespace(folder=tmp_path / "replay"),
    )
    return cast("Decision", made)


def test_every_input_of_a_decision_has_a_seal_and_each_its_own(decided: Decision) -> None:
    before = seals.sealed(decided)
    told = {"data": "d", "contract": "c", "policy": "p", "champion": "m1", "anchor": "none"}
    assert before.keys() == {*SEALED, *told, "code", "lock"}
    assert told.items() <= before.items()
    assert (before["code"], before["lock"]) == (code_of(*RULES), lock())
    hashes = [before[name] for name in SEALED]
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in (*hashes, before["code"]))


@pytest.mark.parametrize("name", SEALED)
def test_a_file_that_changes_changes_its_own_seal_alone(
    name: str, decided: Decision, tmp_path: Path
) -> None:
    before = seals.sealed(decided)
    (tmp_path / SEALED[name]).write_text('{"is": "another"}')
    now = seals.sealed(decided)
    assert {one for one in now if now[one] != before[one]} == {name}
    with pytest.raises(Refused, match=f"not what was decided on: {name} changed"):
        compare(before, now)


def test_other_opponents_and_none_are_sealed(decided: Decision) -> None:
    case = cast("SimpleNamespace", decided.case)
    case.champion, case.anchor = None, SimpleNamespace(model="m2")
    found = seals.sealed(decided)
    assert (found["champion"], found["anchor"]) == ("none", "m2")


def test_the_ledger_is_sealed_by_what_it_says_and_not_by_how(
    decided: Decision, tmp_path: Path
) -> None:
    before = seals.sealed(decided)["ledger"]
    path = tmp_path / SEALED["ledger"]
    path.write_text(path.read_text().replace(" ", "\n "))
    assert seals.sealed(decided)["ledger"] == before


@pytest.mark.parametrize("content", [b"{", b'{"schema": 1}'])
def test_the_way_out_of_missing_seals_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_bytes(content)
    with pytest.raises(Refused) as caught:
        check_file(tmp_path, POLICY)
    assert caught.value.fix == seals.AGAIN
