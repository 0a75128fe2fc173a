"""Each part of the diagnostics is worked out alone, in any process, from paths and plain values."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.gate_cases import contract
from support.model_artifacts import small_artifact

from flows.decision.scores_file import Scores, read_scores, write_scores
from flows.evidence import diagnostics
from flows.evidence.diagnostics import Diagnosed, Material
from models.attrition import sample
from sluice.gitops.evidence import Drift
from sluice.model.artifact.reference import histogram
from sluice.model.data.split import HASH
from sluice.model.data.table import from_parquet, read_table, to_parquet, typed
from sluice.model.fit.training import fit
from sluice.model.json_file import Unreadable
from sluice.policy import DriftPolicy
from sluice.served.encoding import encode, numeric_features
from sluice.served.scoring import load_model

ROWS = 600


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    return typed(read_table(sample.to_csv(sample.generate(ROWS)), contract(), "sample"), contract())


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, np.ndarray]) -> Material:
    """A candidate, a champion, and the same rows as training, validation and holdout."""
    folder = tmp_path_factory.mktemp("material")
    artifact = small_artifact(folder / "candidate", seed=1)
    champion = small_artifact(folder / "champion", seed=2)
    write_reference(champion, rows)
    for part in ("train", "validation", "holdout"):
        hashed = {**rows, HASH: np.arange(ROWS, dtype=np.uint64)}
        (folder / f"{part}.parquet").write_bytes(to_parquet(hashed))
    scores = Scores(
        row_hash=np.arange(ROWS, dtype=np.uint64),
        labels=rows[contract().target.column],
        candidate=load_model(artifact).score(rows),
        alone=np.full(ROWS, 0.5),
        champion=load_model(champion).score(rows),
        anchor=None,
        segments={},
    )
    (folder / "scores.parquet").write_bytes(write_scores(scores))
    return Material(
        artifact=artifact,
        champion=champion,
        split=folder,
        scores=folder / "scores.parquet",
        judged="holdout",
        family="logistic_regression",
        parameters={"bins": 12, "inverse_penalty": 0.1},
        seed=1,
        drift=DriftPolicy(),
        level=0.9,
    )


def write_reference(artifact: Path, rows: dict[str, np.ndarray]) -> None:

    text = json.dumps(msgspec.to_builtins(histogram(contract(), rows)))
    (artifact / "reference.json").write_text(text, encoding="utf-8")


def worked_out(given: Material, workers: int) -> tuple[Diagnosed, str]:
    with diagnostics.underway(given, workers) as parts:
        return diagnostics.finished(given, diagnostics.early(given), parts)


@pytest.fixture(scope="module")
def found(material: Material) -> tuple[Diagnosed, str]:
    """Worked out in threads, and drift in a process of its own."""
    return worked_out(material, workers=2)


def test_side_by_side_gives_what_one_after_the_other_gives(
    material: Material, found: tuple[Diagnosed, str]
) -> None:
    """The page about drift has ids of its own in each run."""
    assert worked_out(material, workers=1)[0] == found[0]


def test_the_whole_has_every_part(material: Material, found: tuple[Diagnosed, str]) -> None:
    whole, page = found
    assert whole.diagnostics.candidate == diagnostics.candidate_curves(material)
    assert whole.diagnostics.champion == diagnostics.champion_curves(material)
    assert whole.diagnostics.importance == diagnostics.importance(material)
    assert [point.rows for point in whole.diagnostics.learning] == [60, 150, 300, 600]
    assert whole.champion_metrics == diagnostics.champion_metrics(material)
    assert isinstance(whole.drift, Drift) and whole.drift.verdict == "none"
    assert [column.drifted for column in whole.drift.columns] == [False] * len(contract().features)
    assert len(page) > 100_000


def test_what_is_fitted_again_counts_rows_as_the_training_did(
    material: Material, rows: dict[str, np.ndarray]
) -> None:
    number = next(column for column in contract().features if column.kind == "integer")
    counting = replace(number, name="Counts for", key="counts_for", role="weight")
    given = replace(contract(), columns=(*contract().columns, counting))
    weights = np.where(np.arange(ROWS) % 3 == 0, 5.0, 0.5)
    again = diagnostics._refitted(material, given, {**rows, counting.key: weights}, rows)
    features, labels = encode(given, rows), rows[given.target.column]
    numeric = numeric_features(given)
    weighed = fit(material.family, material.parameters, features, labels, numeric, weights=weights)
    assert np.array_equal(again, weighed.predict_proba(features)[:, 1])
    assert not np.array_equal(again, diagnostics._refitted(material, contract(), rows, rows))


def test_without_a_champion_nothing_is_said_of_one(material: Material, tmp_path: Path) -> None:
    alone = without_champion(material, tmp_path / "scores.parquet")
    whole, page = worked_out(replace(alone, champion=None), workers=2)
    assert (whole.diagnostics.champion, whole.champion_metrics, whole.drift) == (None, None, None)
    assert page == ""


def test_a_champion_that_cannot_score_the_rows_has_no_curves(
    material: Material, tmp_path: Path
) -> None:
    scores = read_scores(material.scores.read_bytes())
    blind = replace(scores, champion=np.full(ROWS, np.nan))
    (tmp_path / "scores.parquet").write_bytes(write_scores(blind))
    given = replace(material, scores=tmp_path / "scores.parquet")
    assert diagnostics.champion_curves(given) is None
    assert diagnostics.champion_metrics(given) is None


def without_champion(material: Material, path: Path) -> Material:
    scores = read_scores(material.scores.read_bytes())
    path.write_bytes(write_scores(replace(scores, champion=None)))
    return replace(material, scores=path)


def test_protected_columns_cost_what_the_same_recipe_gains_by_them(
    found: tuple[Diagnosed, str],
) -> None:
    cost = found[0].protected_cost
    assert cost is not None
    assert cost.columns == tuple(column.name for column in contract().role("protected"))
    # The rows are those learnt from: more columns cannot rank them much worse.
    assert cost.with_them.roc_auc > cost.without.roc_auc - 0.01


def test_a_damaged_reference_is_told_in_plain_words(material: Material, tmp_path: Path) -> None:
    assert material.champion is not None
    champion = Path(shutil.copytree(material.champion, tmp_path / "champion"))
    (champion / "reference.json").write_text('{"age": {"kind": "number", "edges": "none"}}')
    with pytest.raises(Unreadable, match=r"reference\.json does not follow its schema"):
        worked_out(replace(material, champion=champion), workers=2)


def test_rows_that_are_not_judged_count_for_no_importance(
    material: Material, tmp_path: Path
) -> None:
    """A compared model has seen them, so nothing was scored there."""
    scores = read_scores(material.scores.read_bytes())
    half = np.arange(ROWS) % 2 == 0
    kept = {
        name: getattr(scores, name)[half] for name in ("row_hash", "labels", "candidate", "alone")
    }
    path = tmp_path / "scores.parquet"
    path.write_bytes(write_scores(replace(scores, **kept, champion=None)))
    split = tmp_path / "split"
    split.mkdir()
    rows = from_parquet((material.split / "holdout.parquet").read_bytes())
    judged = {name: values[half] for name, values in rows.items()}
    (split / "validation.parquet").write_bytes(to_parquet(judged))
    some = replace(material, scores=path)
    alone = replace(some, split=split, judged="validation")
    assert diagnostics.importance(some) == diagnostics.importance(alone)
    assert diagnostics.importance(some) != diagnostics.importance(material)
