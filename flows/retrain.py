"""Train a model once more, apart from everything else: `python -m flows.retrain MODEL OUT [DATA]`.

What `sluice reproduce` starts in a checkout of the commit that a release was made from: this module
is what the code of then and the code of now agree on. It leaves the artifact, the holdout rows and
the provenance in OUT.
"""

import json
import shutil
import sys
from pathlib import Path

from flows.decision.provenance import gather
from flows.engine import step as engine
from flows.engine.run import begin
from flows.engine.step import Done
from flows.project import settings
from flows.steps import split, train, tune, validate


def retrain(model: str, out: Path, data: Path | None) -> None:
    """Do the steps up to the model, in the order of a release, on this data or what the pointer
    names.
    """
    run = begin(settings.load(), model, data, cache=False)
    done: Done = {}
    for step in (validate, split, tune, train):
        engine.perform(step, run, done)
    shutil.copytree(done["train"].folder / train.MODEL, out / "model")
    shutil.copyfile(done["split"].folder / "holdout.parquet", out / "holdout.parquet")
    (out / "provenance.json").write_text(json.dumps(gather(run, done)), encoding="utf-8")


if __name__ == "__main__":
    retrain(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)
