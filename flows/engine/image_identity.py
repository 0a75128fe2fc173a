"""The identity of an image: a hash of everything that goes into it, and of nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.image import base_image, bento, wheels
from flows.project.settings import ROOT
from sluice.identity import file_sha256, machine, value_hash

if TYPE_CHECKING:
    from flows.engine.store import Result
    from flows.steps.split import SplitRows
    from flows.steps.train import Trained

# What shapes the bytes of the image without being in it.
_SHAPED_BY = (
    "bento/bentofile.yaml",
    "bento/Containerfile",
    "flows/adapters/image/model_image.py",
    "flows/adapters/image/containers.py",
    "flows/adapters/image/docker.py",
    "flows/adapters/image/tarball.py",
    "flows/adapters/registry/oci.py",
)


def tag(ingredients: Mapping[str, str]) -> str:
    """The tag of the image that is made of these ingredients: 16 hexadecimal digits."""
    return value_hash(dict(ingredients))[:16]


def ingredients(
    shared: Path, split: "Result[SplitRows]", trained: "Result[Trained]"
) -> dict[str, str]:
    """What the image is made of, by hash; also its annotations. `shared` is the machine's cache."""
    shipped = (*bento.served_files(ROOT), *_SHAPED_BY)
    return {
        "model": trained.facts.model,
        "training-data": split.hash("train.parquet"),
        "validation-data": split.hash("validation.parquet"),
        "policy": trained.hash("model/policy.toml"),
        "contract": trained.hash("model/contract.toml"),
        "code": value_hash({path: file_sha256(ROOT / path) for path in shipped}),
        "lock": wheels.key(ROOT, base_image.arch()),
        "base": base_image.expected(ROOT, shared).hash,
        "platform": machine(),
    }
