"""A release trained again from its commit and its data, and its predictions compared row by row."""

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from bento import model_trial
from flows.adapters import process
from flows.audit import find_release, rebuild
from flows.audit.find_release import Traced
from flows.facts.step_files import HOLDOUT_ROWS
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.evidence import Evidence, Provenance, read_provenance
from sluice.gitops.reproduction import Agreement, Difference, agree, differences
from sluice.identity import folder_hash
from sluice.model.artifact.model_artifact import load_golden, read_golden
from sluice.model.data.table import from_parquet
from sluice.served.scoring import load_model

_NOT_OURS = ("SLUICE_", "PYTHON", "COV_", "COVERAGE_")


class Reproduced(Struct, frozen=True):
    """What came of training a release again, as `--json` prints it.

    sources, data, environment  in words, where they came from
    seconds     that the training took
    equal       whether every prediction agrees to 1e-6
    same_bytes  whether the artifacts are the same, byte by byte
    golden, holdout  how the predictions of these rows agree
    differs     the inputs that are not what they were
    recorded    whether the evidence has a provenance to compare with
    """

    schema: int
    model: str
    release: int
    tag: str
    digest: str
    sources: str
    data: str
    environment: str
    seconds: float
    equal: bool
    same_bytes: bool
    golden: Agreement
    holdout: Agreement
    differs: list[Difference]
    recorded: bool


@dataclass(frozen=True)
class Comparison:
    """How the predictions of two models agree on the golden records and on the holdout."""

    same_bytes: bool
    golden: Agreement
    holdout: Agreement


def reproduce(
    settings: Settings, traced: Traced, data: Path | None, say: Callable[[str], None]
) -> Reproduced:
    """Train a release again in a temporary folder, and compare.

    `data` is the file that it was trained on, where it is not to be looked for; `say` is called
    with each thing that takes a while. Raises UsageError where commit or data are not to be had,
    and for a fleet.
    """
    column = ((traced.evidence.lineage or {}) if traced.evidence else {}).get("fleet")
    if column:
        raise UsageError(
            f"release {traced.event.release} is a fleet by {column!r}, joined of models of several"
            " releases; a single model is required",
            f"Release the kept data with --each {column}: equal rows give equal models.",
        )
    with tempfile.TemporaryDirectory(prefix="sluice-reproduce-") as folder:
        return _reproduce(settings, traced, data, Path(folder), say)


def _reproduce(
    settings: Settings,
    traced: Traced,
    data: Path | None,
    folder: Path,
    say: Callable[[str], None],
) -> Reproduced:
    event = traced.event
    recorded = (traced.evidence or Evidence()).provenance
    provenance = recorded or Provenance()
    wanted = _data_hash(traced, provenance)
    _write(find_release.artifact(traced), folder / "recorded")
    sources = rebuild.sources(settings, event.fields, provenance, folder, event.model)
    rows, data_from = rebuild.data(settings, event.model, wanted, sources.project, data)
    say(f"sources: {sources.words}; data: {data_from}")
    python, environment = rebuild.python(sources.code, provenance.interpreter, folder)
    say(f"environment: {environment}")
    say("training again: this takes as long as it took then")
    seconds = _train(python, sources, event.model, rows, folder)
    now = read_provenance((folder / "again" / "provenance.json").read_bytes())
    compared = compare(folder / "recorded", folder / "again")
    return Reproduced(
        schema=1,
        model=event.model,
        release=event.release,
        tag=event.tag,
        digest=event.digest,
        sources=sources.words,
        data=data_from,
        environment=environment,
        seconds=round(seconds, 1),
        equal=compared.golden.equal and compared.holdout.equal,
        same_bytes=compared.same_bytes,
        golden=compared.golden,
        holdout=compared.holdout,
        differs=differences(recorded, now) if recorded else [],
        recorded=recorded is not None,
    )


def _data_hash(traced: Traced, provenance: Provenance) -> str:
    event = traced.event
    sha256 = event.fields.data_hash or provenance.input("validate", "data")
    if not sha256:
        raise UsageError(
            f"the data of {event.tag} are on record nowhere",
            "Name a release; see `sluice history`.",
        )
    return sha256


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _train(
    python: Path, sources: rebuild.Sources, model: str, rows: Path | None, folder: Path
) -> float:
    """Train in a process of its own, in the sources of then; the seconds that it took."""
    if not (sources.code / "flows" / "retrain.py").is_file():
        raise UsageError(
            f"{sources.words}: its code is older than this command, and cannot be trained by it",
            "Check it out and release it again.",
        )
    (folder / "again").mkdir()
    words: list[str | Path] = [python, "-m", "flows.retrain", model, folder / "again"]
    if rows:
        words.append(rows)
    env = {
        "SLUICE_HOME": str(folder / "home"),
        "SLUICE_PROJECT": str(sources.project),
        "SLUICE_TRACKING_URI": "",
        "SLUICE_WORKERS": os.environ.get("SLUICE_WORKERS", "2"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    without = [name for name in os.environ if name.startswith(_NOT_OURS)]
    started = time.monotonic()
    process.run(words, cwd=sources.code, env=env, without=without)
    return time.monotonic() - started


def compare(recorded: Path, again: Path) -> Comparison:
    """Compare the recorded model with the one in `again / "model"`: on the golden records, whose
    scores are on record, and on the holdout. Raises SluiceError where they take other columns, and
    what a trial of the recorded model raises.
    """
    model_trial.require_loads(recorded)
    before, after = load_model(recorded), load_model(again / "model")
    thresholds, weights = (before.threshold, after.threshold), (before.weights, after.weights)
    allowed = load_golden(recorded).allowed
    records, scores = read_golden(recorded)
    rows = from_parquet((again / HOLDOUT_ROWS).read_bytes())
    try:
        return Comparison(
            same_bytes=folder_hash(recorded) == folder_hash(again / "model"),
            golden=agree(scores, after.score(records), thresholds, weights, allowed),
            holdout=agree(before.score(rows), after.score(rows), thresholds, weights, allowed),
        )
    except KeyError as error:
        raise SluiceError(
            f"the two models do not take the same columns: {error}", "Compare their contracts."
        ) from None
