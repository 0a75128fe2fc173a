"""Whether a released image is where it was kept, and starts and answers as it did: asked before it
goes live again.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.adapters.failpoints import boundary
from flows.adapters.image import model_image
from flows.adapters.image.image_tools import REAL
from flows.adapters.registry import registry
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.identity import folder_hash

IMAGES = REAL
Record = Mapping[str, Any]


@boundary("rollback.find")
def find(settings: Settings, record: Record) -> registry.Place:
    """The place that has the image of a release. Raises SluiceError where it has it no more, or
    something else.
    """
    place = registry.place(record["image"], settings.home / "registry")
    found = registry.digest(place, record["tag"])
    if found != record["digest"]:
        what = (
            f"{record['image']}:{record['tag']} is {found or 'not there'}, and should be"
            f" {record['digest']}"
        )
        raise SluiceError(what, "Push that image again, or go back to another release.")
    return place


def start(settings: Settings, record: Record) -> int:
    """Start the image and compare its answers with its own golden records; how many agreed.

    Raises UsageError where nothing here starts images, SluiceError where it does not start or does
    not agree.
    """
    from flows.adapters.service_client import ask
    from sluice.model.model_artifact import compare_golden

    place = find(settings, record)
    golden = _golden(place, record)
    engine = IMAGES.runner(settings.home / "containers")
    if engine is None:
        fix = (
            "Install podman or buildah, or start Docker; `--no-boot` goes back without starting the"
            " image."
        )
        raise UsageError(
            "no tool to start an image works here, so it is not known whether the image boots", fix
        )
    with model_image.smoke(engine, place, record["digest"]) as url:
        scores = ask(url, golden["records"])
    compare_golden(golden, scores)
    return len(scores)


@boundary("rollback.golden")
def _golden(place: registry.Place, record: Record) -> dict[str, Any]:
    """The golden records of the artifact beside the image, which must be the one that was
    released.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-model-") as scratch:
        for name, content in registry.pull_files(place, f"{record['tag']}.model").items():
            (Path(scratch) / name).write_bytes(content)
        if folder_hash(Path(scratch)) != record["model"]:
            what = f"the artifact {record['tag']}.model is not the one that was released"
            raise SluiceError(what, "Look into the registry: somebody wrote there.")
        golden: dict[str, Any] = json.loads(
            (Path(scratch) / "golden.json").read_text(encoding="utf-8")
        )
    return golden
