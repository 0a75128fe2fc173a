"""The identity of an image: a hash of everything that goes into it, and of nothing else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.adapters.image import base_image, bento, wheels
from flows.adapters.image.image_tools import SHAPED_BY
from flows.facts.step_files import MODEL, TRAIN_ROWS, VALIDATION_ROWS
from flows.project.root import ROOT
from sluice.identity import file_sha256, machine, value_hash

if TYPE_CHECKING:
    from flows.engine.request import Request
    from flows.engine.store import Result
    from flows.facts.split_rows import SplitRows
    from flows.facts.trained import Trained


def tag(ingredients: Mapping[str, str]) -> str:
    """The tag of the image that is made of these ingredients: 16 hexadecimal digits."""
    return value_hash(dict(ingredients))[:16]


def served() -> dict[str, str]:
    """The files of the service, by SHA-256."""
    return {path: file_sha256(ROOT / path) for path in bento.served_files(ROOT)}


def code() -> str:
    """The hash of the code that is in an image, or shapes its bytes."""
    shaping = {path: file_sha256(ROOT / path) for path in SHAPED_BY}
    return value_hash({**served(), **shaping})


def ingredients(
    request: "Request", split: "Result[SplitRows]", trained: "Result[Trained]"
) -> dict[str, str]:
    """What the image is made of, by hash; also its annotations."""
    requirements = request.tools.images.requirements(ROOT)
    return {
        "model": trained.facts.model,
        "training-data": split.hash(TRAIN_ROWS),
        "validation-data": split.hash(VALIDATION_ROWS),
        "policy": trained.hash(f"{MODEL}/policy.toml"),
        "contract": trained.hash(f"{MODEL}/contract.toml"),
        "code": code(),
        "lock": wheels.key(requirements, base_image.arch()),
        "base": base_image.expected(ROOT, request.settings.shared).hash,
        "platform": machine(),
    }
