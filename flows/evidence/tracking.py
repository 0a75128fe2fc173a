"""What MLflow gets to know of a release: parameters, metrics, every trial, pictures, the model. No
row of data.
"""

import json
from pathlib import Path
from typing import Any

from flows.adapters import tracking
from flows.adapters.failpoints import boundary
from flows.engine.run import Run
from flows.engine.step import Done
from flows.steps import package


@boundary("tracking.log")
def log(run: Run, done: Done, promoted: bool) -> str:
    """Log the release after its verdict; a sentence says where it is, or why it is not there
    yet.
    """
    pending = run.settings.home / "tracking"
    tracking.log_pending(run.settings.tracking, pending)
    folder = done["evidence"].folder
    files: dict[str, Path | bytes] = {
        path.name: path for path in sorted(folder.iterdir()) if path.name != "step.json"
    }
    files["model"] = done["train"].folder / "model"
    return tracking.log_release(
        run.settings.tracking, _record(run, done, promoted), files, pending
    ).sentence


def _record(run: Run, done: Done, promoted: bool) -> dict[str, Any]:
    metrics = json.loads((done["score"].folder / "metrics.json").read_text(encoding="utf-8"))
    tuning = json.loads((done["tune"].folder / "tuning.json").read_text(encoding="utf-8"))
    winner = tuning["winner"]
    verdict = str(done["gate"].facts["verdict"])
    return {
        "key": done["gate"].key,
        "model": run.model,
        "name": package.tag(run, done),
        "params": {
            "family": winner["family"],
            **winner["parameters"],
            "threshold": metrics["threshold"],
        },
        "metrics": {
            **metrics["holdout"],
            **{f"validation_{n}": v for n, v in metrics["validation"].items()},
        },
        "tags": {
            "verdict": verdict,
            "sentence": str(done["gate"].facts["sentence"]),
            "data": run.data.sha256,
            "model": str(done["train"].facts["model"]),
        },
        "trials": tuning["trials"],
        "aliases": ["candidate", "champion"] if promoted else ["candidate"],
    }
