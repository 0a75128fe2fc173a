"""Build the Bento: the service, the served modules and the artifact, under a version equal to the
image's tag.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.adapters.image import base_image, bento, wheels
from flows.adapters.image.image_tools import REAL, SHAPED_BY
from flows.project.settings import ROOT
from sluice.identity import file_sha256, machine, value_hash

if TYPE_CHECKING:
    from flows.engine.run import Run
    from flows.engine.step import Done

NAME, TITLE = "package", "Build Bento"
IMAGES = REAL


def tag(run: "Run", done: "Done") -> str:
    """The image's tag: a hash of everything that goes into it. Nothing else moves it, not even a
    holdout row.
    """
    return value_hash(ingredients(run, done))[:16]


def ingredients(run: "Run", done: "Done") -> dict[str, str]:
    """What the image is made of, by hash; also its annotations."""
    shipped = (*bento.served_files(ROOT), *SHAPED_BY)
    return {
        "model": str(done["train"].facts["model"]),
        "training-data": done["split"].hash("train.parquet"),
        "validation-data": done["split"].hash("validation.parquet"),
        "policy": done["train"].outputs["model/policy.toml"],
        "contract": done["train"].outputs["model/contract.toml"],
        "code": value_hash({path: file_sha256(ROOT / path) for path in shipped}),
        "lock": wheels.key(IMAGES.requirements(ROOT), base_image.arch()),
        "base": base_image.expected(ROOT, run.settings.shared).hash,
        "platform": machine(),
    }


def inputs(run: "Run", done: "Done") -> dict[str, str]:
    """The ingredients of the image."""
    return ingredients(run, done)


def work(run: "Run", done: "Done", folder: Path) -> Mapping[str, Any]:
    """Build the Bento in BentoML's own store under the state folder, which `bentoml` on this
    machine reads too.
    """
    version = tag(run, done)
    model, home = done["train"].folder / "model", run.settings.home / "bentoml"
    built = bento.build(ROOT, model, version, home, name=run.model, tools=IMAGES)
    return {"tag": version, "bento": str(built.relative_to(run.settings.home))}
