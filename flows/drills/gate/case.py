"""A bad candidate laid out in folders as the steps leave them, and judged by the steps
themselves.
"""

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from flows.decision.seals import sealed
from flows.drills.gate.baseline import Columns, Ground
from flows.engine import store
from flows.engine.run import Run
from flows.engine.store import Result
from flows.steps import gate, score
from sluice.gate.decide import Verdict
from sluice.gitops.state import Reference, Standing
from sluice.identity import folder_hash, value_hash
from sluice.model import model_artifact
from sluice.model.metrics import measure
from sluice.model.table import from_parquet, to_parquet
from sluice.served.encoding import encode

Document = dict[str, Any]
Table = dict[str, np.ndarray]


@dataclass(frozen=True)
class Made:
    """A model that was made for a drill; what is empty is that of the real one."""

    model: bytes
    threshold: float
    contract: str = ""
    policy: str = ""


@dataclass(frozen=True)
class Case:
    """What is handed to the gate; whatever is not named is real.

    `rows` are parts of the split in place of the real ones, `tuning` and `trained` change
    tuning.json and the metrics that training left, `written` the folder of the scores, `altered`
    the folder of the candidate. `limits` are values of another policy.
    """

    candidate: Made | None = None
    champion: Made | None = None
    anchor: Made | None = None
    rows: Mapping[str, Columns] = field(default_factory=dict)
    standing: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    tuning: Callable[[Document], None] = lambda _: None
    trained: Callable[[Document], None] = lambda _: None
    written: Callable[[Path], None] = lambda _: None
    altered: Callable[[Path], None] = lambda _: None


@dataclass(frozen=True)
class Stage:
    """A case in its folders: ready to be scored, then scored, then decided."""

    run: Run
    done: dict[str, Result]

    @property
    def table(self) -> Table:
        """What the rows were given: scores.parquet."""
        return from_parquet((self.done["score"].folder / "scores.parquet").read_bytes())

    def read(self, step: str, name: str) -> Document:
        """A JSON document that a step left."""
        found: Document = json.loads(
            (self.done[step].folder / f"{name}.json").read_text(encoding="utf-8")
        )
        return found


def lay_out(ground: Ground, name: str, case: Case) -> Stage:
    """The folders before the score, in the scratch folder, under a key of the drill's own."""
    run = replace(ground.run, standing=Standing(**case.standing))
    limits = replace(run.policy.gate, **case.limits)
    run = replace(run, policy=replace(run.policy, gate=limits))
    against, anchor = (
        _opponent(ground, other, getattr(case, other)) for other in ("champion", "anchor")
    )
    run = replace(run, against=against, anchor=anchor)
    stage = Stage(run, dict(ground.done))
    if case.rows:
        _keep(stage, name, "split", lambda folder: _split(ground, case, folder))
    _keep(stage, name, "train", lambda folder: _train(ground, stage, case, folder))
    _keep(stage, name, "tune", lambda folder: _tune(ground, stage, case, folder))
    return stage


def judge(stage: Stage, name: str, case: Case) -> None:
    """Score and decide, as a release does."""

    def scored(folder: Path) -> Mapping[str, Any]:
        facts = score.work(stage.run, stage.done, folder)
        case.written(folder)
        return facts

    _keep(stage, name, "score", scored)
    _keep(stage, name, "gate", lambda folder: gate.work(stage.run, stage.done, folder))


def verdict(stage: Stage, without: Collection[str] = ()) -> Verdict:
    """What the gate says of it; `without` is for the tests that prove each rule necessary."""
    return gate.decide_folder(
        stage.done["score"].folder,
        stage.run.policy.gate,
        stage.run.standing,
        words=stage.run.contract.words,
        without=without,
    )


def seal(stage: Stage, name: str) -> None:
    """Leave the evidence with its seals. The pictures are left out: nothing reads them."""

    def written(folder: Path) -> Mapping[str, Any]:
        document = {"seals": sealed(stage.run, stage.done)}
        (folder / "evidence.json").write_text(json.dumps(document), encoding="utf-8")
        return {}

    _keep(stage, name, "evidence", written)


def _keep(stage: Stage, name: str, step: str, work: Callable[[Path], Mapping[str, Any]]) -> None:
    """Do a step of a drill, or take what the same drill left before."""
    home, key = stage.run.settings.home, value_hash([name, step])[:32]
    stage.done[step] = store.find(home, step, key) or store.keep(
        home, step, {"drill": name}, key, work
    )


def copied(stage: Stage, place: Path) -> Stage:
    """The same in folders of its own, to be edited."""
    own = {}
    for step in ("train", "score", "gate", "evidence"):
        own[step] = replace(stage.done[step], folder=place / step)
        shutil.copytree(stage.done[step].folder, place / step)
    return Stage(stage.run, {**stage.done, **own})


def _split(ground: Ground, case: Case, folder: Path) -> Mapping[str, Any]:
    for part in ("train", "validation", "holdout"):
        if part in case.rows:
            (folder / f"{part}.parquet").write_bytes(to_parquet(case.rows[part]))
        else:
            shutil.copyfile(
                ground.done["split"].folder / f"{part}.parquet", folder / f"{part}.parquet"
            )
    return {}


def _train(ground: Ground, stage: Stage, case: Case, folder: Path) -> Mapping[str, Any]:
    place = folder / "model"
    if case.candidate:
        _write(ground, case.candidate, place, stage)
    else:
        shutil.copytree(ground.artifact, place)
    area = json.loads((place / "metrics.json").read_text(encoding="utf-8"))["validation"]["roc_auc"]
    _edit(place / "metrics.json", case.trained)
    case.altered(place)
    return {"model": folder_hash(place), "roc_auc": area}


def _write(ground: Ground, made: Made, place: Path, stage: Stage | None = None) -> None:
    """An artifact: as training writes one, with its own validation metrics."""
    metrics = json.loads((ground.artifact / "metrics.json").read_text(encoding="utf-8"))
    if stage:
        metrics |= {"threshold": made.threshold, "validation": _validation(ground, stage, made)}
    place.mkdir(parents=True)
    texts = made.contract or ground.run.contract_text, made.policy or ground.run.policy_text
    model_artifact.write(
        place,
        model_artifact.Parts(
            made.model, *texts, made.threshold, {}, metrics, "# Made for a drill\n"
        ),
    )


def _validation(ground: Ground, stage: Stage, made: Made) -> dict[str, float]:
    """What training would have measured; of the rows that have a number at all."""
    labels, matrix = ground.labels["validation"], ground.matrices["validation"]
    if stage.done["split"] is not ground.done["split"]:
        part = from_parquet((stage.done["split"].folder / "validation.parquet").read_bytes())
        labels, matrix = part[ground.run.contract.target.column], encode(ground.run.contract, part)
    scores = ground.score(made.model, matrix=matrix)
    known = np.isfinite(scores)
    return measure(labels[known], scores[known], made.threshold)


def _tune(ground: Ground, stage: Stage, case: Case, folder: Path) -> Mapping[str, Any]:
    """A search that found what this candidate shows on the validation rows, so that
    cross-validation agrees with it.
    """
    tuning = json.loads(json.dumps(ground.tuning))
    before = json.loads((ground.artifact / "metrics.json").read_text(encoding="utf-8"))[
        "validation"
    ]["roc_auc"]
    moved = stage.done["train"].facts["roc_auc"] - before
    tuning["winner"]["roc_auc"] = [value + moved for value in tuning["winner"]["roc_auc"]]
    case.tuning(tuning)
    (folder / "tuning.json").write_text(json.dumps(tuning), encoding="utf-8")
    return {}


def _edit(path: Path, change: Callable[[Document], None]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")


def _opponent(ground: Ground, other: str, made: Made | None) -> Reference | None:
    """An artifact among those that are kept on this machine, and how a run names it; nothing where
    there is none.
    """
    if made is None:
        return None
    name = value_hash([made.model.hex(), made.threshold, made.contract, made.policy])
    place = ground.run.settings.home / "champions" / name
    if not place.is_dir():
        _write(ground, made, place)
    return Reference(tag=f"{other}-{name[:8]}", digest=f"sha256:{name}", model=name)
