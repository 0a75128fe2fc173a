"""Seals: whatever changed since the verdict is named; evidence without seals proves nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.decision.seals import check_file, compare
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
