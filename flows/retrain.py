"""Train a model once more, apart from everything else: `python -m flows.retrain MODEL OUT [DATA]`.

`sluice reproduce` starts it in a checkout of the commit that a release was made from: the path of
this module, its arguments and what it leaves are what the code of then and the code of now agree
on. It leaves the artifact, the holdout rows and the provenance in OUT.
"""

import json
import shutil
import sys
from pathlib import Path

import msgspec

from flows.decision.provenance import gather
from flows.engine.perform import Plainly
from flows.engine.request import begin
from flows.facts.step_files import HOLDOUT_ROWS, MODEL
from flows.orchestration import pipeline
from flows.orchestration.real_tools import real_tools
from flows.project import settings


def retrain(model: str, out: Path, data: Path | None) -> None:
    """Do the steps up to the model on this data, or on what the pointer names."""
    given = settings.load()
    request = begin(given, real_tools(), model, data, cache=False)
    candidate = pipeline.train(request, Plainly(given.home, model, cache=False))
    shutil.copytree(candidate.trained.folder / MODEL, out / "model")
    (out / HOLDOUT_ROWS).write_bytes(candidate.split.read(HOLDOUT_ROWS))
    text = json.dumps(msgspec.to_builtins(gather(candidate)))
    (out / "provenance.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    retrain(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)
