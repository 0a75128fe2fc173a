"""The verdict on a folder: as the gate says it, and a folder that is incomplete is no case."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support import holdouts
from support.holdouts import LIMITS, Trial

from flows.decision.decide import Named, decide_folder
from flows.decision.scores_file import Scores, write_scores
from sluice.gate.decide import decide
from sluice.gitops.state import Override, Standing
from sluice.model.json_file import Unreadable
from sluice.served.words import NEUTRAL_WORDS, Words

STANDING = Standing()
FACTS = {"left_out": 0, "accepted": 1.0, "duplicates": 0}


def write(folder: Path, trial: Trial, **facts: float) -> None:
    """The folder of a case, as the step that scores writes it."""
    holdout = trial.holdout
    one_column, champion, anchor = holdout.one_column, holdout.champion, holdout.anchor
    assert one_column
    scores = Scores(
        row_hash=holdout.hashes,
        labels=holdout.labels,
        candidate=holdout.candidate.scores,
        alone=one_column.scores,
        champion=champion.scores if champion else None,
        anchor=anchor.scores if anchor else None,
        segments=dict(holdout.segments or {}),
    )
    (folder / "scores.parquet").write_bytes(write_scores(scores))
    (folder / "metrics.json").write_text(json.dumps(holdouts.measured(trial)))
    case: dict[str, Any] = {
        "candidate": {"threshold": holdout.candidate.threshold},
        "one_column": one_column.tag,
        "facts": FACTS | facts,
    }
    for name, model in (("champion", champion), ("anchor", anchor)):
        if model:
            case[name] = {"tag": model.tag, "threshold": model.threshold}
    (folder / "case.json").write_text(json.dumps(case))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("case")
    write(path, holdouts.better())
    return path


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def judged(folder: Path, standing: Standing = STANDING, words: Words = NEUTRAL_WORDS) -> Any:
    return decide_folder(folder, LIMITS, standing, Named(words))


def test_files_say_what_the_values_say(folder: Path) -> None:
    trial = holdouts.better()
    expected = decide(
        holdouts.measured(trial), trial.holdout, trial.facts, LIMITS, words=NEUTRAL_WORDS
    )
    assert judged(folder).document() == expected.document()
    assert judged(folder).verdict == "PROMOTE"


def test_the_same_folder_gives_the_same_verdict_twice(folder: Path) -> None:
    assert judged(folder).document() == judged(folder).document()


def test_what_is_known_of_the_rows_is_looked_at(copied: Path) -> None:
    write(copied, holdouts.better(), duplicates=9_999)
    verdict = judged(copied)
    assert verdict.verdict == "REJECT"
    assert [rule.rule for rule in verdict.rules if not rule.passed] == ["no_duplicates"]


def test_what_is_known_of_the_ledger_is_looked_at(folder: Path) -> None:
    worn = judged(folder, msgspec.structs.replace(STANDING, uses=LIMITS.uses))
    assert worn.verdict != "PROMOTE"


def test_a_rule_that_is_waived_is_named_as_waived(copied: Path) -> None:
    write(copied, holdouts.better(), accepted=0.5)
    override = Override(rule="comparable")
    waived = judged(copied, msgspec.structs.replace(STANDING, override=override))
    states = [
        {rule.rule: rule.state for rule in verdict.rules}["comparable"]
        for verdict in (judged(copied), waived)
    ]
    assert states == ["open", "waived"]


@pytest.mark.parametrize("name", ["case.json", "metrics.json", "scores.parquet"])
def test_a_file_that_is_missing_is_an_error_of_the_system(name: str, copied: Path) -> None:
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError):
        judged(copied)


@pytest.mark.parametrize("name", ["case.json", "metrics.json", "scores.parquet"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"PAR1"])
def test_a_file_that_is_damaged_is_an_error_of_a_value(
    name: str, content: bytes, copied: Path
) -> None:
    (copied / name).write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        judged(copied)


@pytest.mark.parametrize(
    ("key", "value"), [("candidate", {}), ("facts", {"left_out": 0}), ("one_column", 7)]
)
def test_a_case_without_a_part_is_named(key: str, value: object, copied: Path) -> None:
    case = json.loads((copied / "case.json").read_text())
    (copied / "case.json").write_text(json.dumps(case | {key: value}))
    with pytest.raises(Unreadable) as caught:
        judged(copied)
    assert caught.value.what.startswith(f"case.json does not follow its schema: {key}")


def test_a_champion_without_scores_is_named(copied: Path) -> None:
    trial = holdouts.first()
    write(copied, trial)
    case = json.loads((copied / "case.json").read_text())
    case["champion"] = {"tag": "old", "threshold": 0.5}
    (copied / "case.json").write_text(json.dumps(case))
    with pytest.raises(ValueError, match=r"^scores.parquet has no scores of old$"):
        judged(copied)


def test_metrics_that_were_changed_by_hand_are_held_against_the_scores(copied: Path) -> None:
    metrics = json.loads((copied / "metrics.json").read_text())
    metrics["holdout"]["recall"] = 0.99
    (copied / "metrics.json").write_text(json.dumps(metrics))
    assert judged(copied).verdict == "REJECT"


def test_scores_of_rows_that_are_no_numbers_reject(copied: Path) -> None:
    trial = holdouts.better()
    scores = np.array(trial.candidate.scores)
    scores[0] = np.nan
    write(copied, trial)
    read = trial.holdout
    broken = Scores(
        read.hashes,
        read.labels,
        scores,
        trial.one_column.scores if trial.one_column else scores,
        trial.champion.scores if trial.champion else None,
        trial.anchor.scores if trial.anchor else None,
        {},
    )
    (copied / "scores.parquet").write_bytes(write_scores(broken))
    assert judged(copied).verdict == "REJECT"
