"""What may be done to a good verdict afterwards: each edit goes through the check that image and
promotion wait for.

A hand that edits one file leaves the seal behind; a cleverer one edits the seal to match, and the
record of the step too. What it cannot do is let another model give these scores, or another case
this verdict.
"""

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from flows.decision.seals import sealed
from flows.drills.gate.baseline import Ground
from flows.drills.gate.candidates import raised
from flows.drills.gate.case import Case, Document, Stage
from flows.drills.gate.mutants import bent
from flows.engine.run import Run
from flows.engine.store import Result
from sluice.identity import file_sha256, folder_hash
from sluice.model.table import from_parquet, to_parquet
from sluice.policy import load_policy

SEALS = "seals"
Edit = Callable[[Stage], Run]


def untouched(_: Ground) -> Case:
    """The real model."""
    return Case()


@dataclass(frozen=True)
class Tampering:
    """An edit after the verdict: it changes the files of a stage and gives the run that goes on."""

    name: str
    edit: Edit
    case: Callable[[Ground], Case] = untouched


def tampering() -> Iterator[Tampering]:
    """All of them."""
    yield Tampering("metrics.json edited after the verdict", _metrics)
    yield Tampering("metrics.json edited, evidence.json to match", _then(_metrics, _seal_again))
    yield Tampering(
        "metrics.json edited, all records to match", _then(_metrics, _seal_again, _record_again)
    )
    yield Tampering("threshold lowered after the verdict", _threshold)
    yield Tampering(
        "another model under the same scores, all records to match",
        _then(_model, _seal_again, _record_again),
    )
    yield Tampering(
        "scores edited, all records to match", _then(_scores, _seal_again, _record_again)
    )
    yield Tampering("a verdict under an older policy", _policy)
    yield Tampering(
        "REJECT turned into PROMOTE, all records to match",
        _then(_verdict, _seal_again, _record_again),
        raised,
    )
    yield Tampering("uses of the holdout taken out of the record", _standing)
    yield Tampering("another champion than it was decided against", _champion)


def _then(*edits: Edit) -> Edit:
    def all_of_them(stage: Stage) -> Run:
        run = stage.run
        for edit in edits:
            run = edit(stage)
        return run

    return all_of_them


def _change(path: Path, change: Callable[[Document], Any]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _metrics(stage: Stage) -> Run:
    _change(
        stage.done["score"].folder / "metrics.json",
        lambda found: found["holdout"].update(recall=0.99),
    )
    return stage.run


def _threshold(stage: Stage) -> Run:
    path = stage.done["train"].folder / "model" / "policy.toml"
    before, threshold = (
        path.read_text(encoding="utf-8"),
        stage.read("score", "case")["candidate"]["threshold"],
    )
    path.write_text(
        before.replace(f"threshold = {threshold!r}", f"threshold = {threshold - 0.01!r}"),
        encoding="utf-8",
    )
    return stage.run


def _model(stage: Stage) -> Run:
    path = stage.done["train"].folder / "model" / "model.onnx"
    path.write_bytes(bent(path.read_bytes(), [(0.0, 0.0), (1.0, 0.9)]))
    return stage.run


def _scores(stage: Stage) -> Run:
    """Every positive found: what the gate would love to see."""
    path = stage.done["score"].folder / "scores.parquet"
    table = from_parquet(path.read_bytes())
    path.write_bytes(
        to_parquet({**table, "candidate": 0.5 * table["candidate"] + 0.5 * table["label"]})
    )
    return stage.run


def _policy(stage: Stage) -> Run:
    """The floor was raised since, and nobody decided anew."""
    document = tomllib.loads(stage.run.policy_text)
    document["gate"]["recall_floor"] = 0.999
    text = tomli_w.dumps(document)
    return replace(stage.run, policy_text=text, policy=load_policy(text))


def _verdict(stage: Stage) -> Run:
    _change(
        stage.done["gate"].folder / "verdict.json",
        lambda found: found.update(verdict="PROMOTE", rules=[]),
    )
    return stage.run


def _standing(stage: Stage) -> Run:
    _change(stage.done["gate"].folder / "standing.json", lambda found: found.update(uses=7))
    return stage.run


def _champion(stage: Stage) -> Run:
    against = stage.run.against
    assert against is not None
    other = msgspec.structs.replace(against, tag="other", model="0" * 64)
    return replace(stage.run, against=other)


def _seal_again(stage: Stage) -> Run:
    """The seals in evidence.json, made anew over what lies there now."""
    _change(
        stage.done["evidence"].folder / "evidence.json",
        lambda found: found.update(seals=sealed(stage.run, stage.done)),
    )
    return stage.run


def _record_again(stage: Stage) -> Run:
    """What each step is remembered to have put out, made anew."""
    for name, result in stage.done.items():
        outputs = {file: file_sha256(result.folder / file) for file in result.outputs}
        facts = (
            {**result.facts, "model": folder_hash(result.folder / "model")}
            if name == "train"
            else result.facts
        )
        stage.done[name] = replace(result, outputs=outputs, facts=facts)
    return stage.run


def state(stage: Stage, run: Run) -> list[object]:
    """What an edit can change: the bytes of every file, what is remembered of them, and the run."""
    folders: list[Result] = [stage.done[step] for step in ("train", "score", "gate", "evidence")]
    return [
        *(folder_hash(result.folder) for result in folders),
        run.policy,
        run.policy_text,
        run.against,
    ]
