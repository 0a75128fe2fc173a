"""`sluice gate` on files that are none, or not all that a release wrote."""

import json
from pathlib import Path

import pytest

from flows.cli.gating.gate import run_gate
from flows.project.settings import Settings
from sluice.errors import UsageError


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "it has another form than is required"),
        ("3", "it has another form than is required"),
        ("{}", "'model' is missing"),
    ],
)
def test_what_is_no_metrics_json_is_named_with_the_reason(
    content: str, error: str, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(UsageError) as raised:
        run_gate(Settings(), path, as_json=True)
    assert raised.value.what.startswith(f"{path} is not a metrics.json: {error}")
    assert raised.value.fix == "A release writes one; see `sluice status`."


@pytest.mark.parametrize(
    ("name", "cause"), [("away.json", "there is no such file"), (".", "it is a folder")]
)
def test_what_cannot_be_read_is_no_metrics_json(name: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"is not a metrics.json: {cause}\n"):
        run_gate(Settings(), tmp_path / name, as_json=True)


def test_bytes_that_are_no_text_are_no_metrics_json(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(b'{"model": "\xff"}')
    with pytest.raises(UsageError, match="byte 11 is not UTF-8"):
        run_gate(Settings(), tmp_path / "metrics.json", as_json=True)


@pytest.mark.parametrize("model", ["unheard", "../attrition", ""])
def test_a_model_that_nobody_wrote_is_refused_before_a_file_of_it_is_read(
    model: str, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"model": model}))
    with pytest.raises(UsageError) as raised:
        run_gate(Settings(), tmp_path / "metrics.json", as_json=True)
    assert raised.value.what == f"there is no model {model!r}"


@pytest.mark.parametrize("standing", [None, "", "{", '{"uses": "many"}', "[]"])
def test_scores_without_a_standing_are_not_what_a_release_wrote(
    standing: str | None, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text('{"model": "attrition"}')
    (tmp_path / "scores.parquet").write_bytes(b"PAR1")
    if standing is not None:
        (tmp_path / "standing.json").write_text(standing)
    with pytest.raises(UsageError) as raised:
        run_gate(Settings(), tmp_path / "metrics.json", as_json=True)
    assert raised.value.what.startswith(f"{tmp_path} is incomplete: ")
    assert raised.value.fix == "Use the folder exactly as a release wrote it."


def test_scores_that_are_no_table_are_not_what_a_release_wrote(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"model": "attrition"}')
    (tmp_path / "scores.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "standing.json").write_text("{}")
    with pytest.raises(UsageError, match="is incomplete: "):
        run_gate(Settings(), tmp_path / "metrics.json", as_json=True)
