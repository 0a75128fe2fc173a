"""`sluice reproduce`: train a release again from its commit and its data, and compare the
predictions row by row.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.adapters import process
from flows.audit import find_release, rebuild
from flows.audit.find_release import Traced
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.reproduction import agree, differences
from sluice.identity import folder_hash
from sluice.model.model_artifact import read_golden
from sluice.model.table import from_parquet
from sluice.served.scoring import load_model


def reproduced(
    given: Settings, traced: Traced, data: Path | None, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """What came of training it again, JSON-able. Raises UsageError where commit or data are not to
    be had.
    """
    event, provenance = traced.event, (traced.document or {}).get("provenance") or {}
    wanted = event.trailers.get("Data-Hash") or provenance.get("inputs", {}).get(
        "validate", {}
    ).get("data", "")
    if not wanted:
        raise UsageError(
            f"nobody says which data {event.tag} was trained on",
            "Name a release; see `sluice history`.",
        )
    for file, content in find_release.artifact(traced).items():
        path = folder / "recorded" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    found = rebuild.sources(given, event.trailers, provenance, folder, event.model)
    rows, from_where = rebuild.data(given, event.model, wanted, found.project, data)
    say(f"sources: {found.said}; data: {from_where}")
    python, environment = rebuild.python(found.code, provenance.get("interpreter", ""), folder)
    say(f"environment: {environment}")
    say("training again: this takes as long as it took then")
    seconds = _train(python, found, event.model, rows, folder)
    now = json.loads((folder / "again" / "provenance.json").read_text(encoding="utf-8"))
    compared = compare(folder / "recorded", folder / "again")
    return {
        "schema": 1,
        "model": event.model,
        "release": event.release,
        "tag": event.tag,
        "digest": event.digest,
        "sources": found.said,
        "data": from_where,
        "environment": environment,
        "seconds": round(seconds, 1),
        **compared,
        "differs": [asdict(difference) for difference in differences(provenance, now)]
        if provenance
        else [],
        "recorded": bool(provenance),
    }


def _train(
    python: Path, found: rebuild.Sources, model: str, rows: Path | None, folder: Path
) -> float:
    """Train in a process of its own, in the sources of then; the seconds that it took."""
    if not (found.code / "flows" / "retrain.py").is_file():
        raise UsageError(
            f"{found.said}: its code is older than `sluice reproduce`",
            "Check it out and release it again.",
        )
    (folder / "again").mkdir()
    home = folder / "home"
    ours = [
        name for name in os.environ if name.startswith(("SLUICE_", "PYTHON", "COV_", "COVERAGE_"))
    ]
    env = {
        "SLUICE_HOME": str(home),
        "SLUICE_PROJECT": str(found.project),
        "SLUICE_TRACKING_URI": "",
        "SLUICE_WORKERS": os.environ.get("SLUICE_WORKERS", "2"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words: list[str | Path] = [
        python,
        "-m",
        "flows.retrain",
        model,
        folder / "again",
        *([rows] if rows else []),
    ]
    started = time.monotonic()
    process.run(words, cwd=found.code, env=env, without=ours)
    return time.monotonic() - started


def compare(recorded: Path, again: Path) -> dict[str, Any]:
    """The predictions of both models on the golden records, whose scores are on record, and on the
    holdout.
    """
    before, after = load_model(recorded), load_model(again / "model")
    thresholds = (before.threshold, after.threshold)
    records, scores = read_golden(recorded)
    holdout = from_parquet((again / "holdout.parquet").read_bytes())
    try:
        parts = {
            "golden": agree(scores, after.score(records), thresholds),
            "holdout": agree(before.score(holdout), after.score(holdout), thresholds),
        }
    except KeyError as error:
        raise SluiceError(
            f"the two models do not take the same columns: {error}", "Compare their contracts."
        ) from None
    return {
        "equal": all(part.equal for part in parts.values()),
        "same_bytes": folder_hash(recorded) == folder_hash(again / "model"),
        **{name: _told(part) for name, part in parts.items()},
    }


def _told(part: Any) -> Mapping[str, Any]:
    return asdict(part)
