"""Start the very image that was kept, by digest, and ask it the golden records."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.adapters.image import bento, model_image
from flows.adapters.image.image_tools import REAL
from flows.adapters.service_client import ask
from sluice.errors import UsageError
from sluice.model.model_artifact import compare_golden

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "smoke", "Smoke run"
IMAGES = REAL


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The digest, and the answers that are expected."""
    return {
        "digest": str(done["image"].facts["digest"]),
        "golden": done["train"].outputs["model/golden.json"],
    }


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Raise SluiceError where the image does not start or does not agree."""
    golden = json.loads(
        (done["train"].folder / "model" / "golden.json").read_text(encoding="utf-8")
    )
    engine = IMAGES.runner(run.settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to start an image works here", "Install podman or buildah, or start Docker."
        )
    with model_image.smoke(engine, run.place, str(done["image"].facts["digest"])) as url:
        scores = ask(url, golden["records"])
    return {"records": len(scores), "difference": compare_golden(golden, scores)}


def ask_bento(run: "Run", done: "Done") -> float:
    """The same of the Bento itself, where no image can be built; the largest difference."""
    golden = json.loads(
        (done["train"].folder / "model" / "golden.json").read_text(encoding="utf-8")
    )
    home = run.settings.home / "bentoml"
    with bento.serve(run.settings.home / str(done["package"].facts["bento"]), home) as url:
        return compare_golden(golden, ask(url, golden["records"]))
