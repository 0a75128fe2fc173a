"""Whether a released image is where it was kept, and starts and answers as it did: asked before it
goes live again.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.failpoints import boundary
from flows.adapters.image import model_image
from flows.adapters.image.container_engine import ContainerEngine
from flows.adapters.registry import registry
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.state import Champion
from sluice.identity import folder_hash

if TYPE_CHECKING:
    from sluice.model.artifact.model_artifact import Golden

# The container engine that starts images here, with a storage below a folder; None for none.
Runner = Callable[[Path], ContainerEngine | None]
# Asks the service at a URL the golden records; the largest difference. Raises SluiceError.
Check = Callable[[str, "Golden"], float]


@boundary("rollback.find")
def find(settings: Settings, release: Champion) -> registry.Place:
    """The place that has the image of a release. Raises SluiceError where it has it no more, or
    something else.
    """
    place = registry.place(release.image, settings.home / "registry", settings.registry_timeout)
    digest = registry.digest(place, release.tag)
    if digest != release.digest:
        what = (
            f"{release.image}:{release.tag} is {digest or 'not there'}, and should be"
            f" {release.digest}"
        )
        raise SluiceError(what, "Push that image again, or go back to another release.")
    return place


def start(settings: Settings, release: Champion, runner: Runner, check: Check) -> int:
    """Start the image and compare its answers with its own golden records; how many agreed.

    Raises UsageError where nothing here starts images, SluiceError where it does not start or does
    not agree.
    """
    place = find(settings, release)
    golden = _golden(place, release)
    engine = runner(settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to start an image works here, so it is not known whether the image boots",
            "Install podman or buildah, or start Docker; `--no-boot` goes back without starting the"
            " image.",
        )
    with model_image.smoke(engine, place, release.digest) as url:
        check(url, golden)
    return len(golden.records)


@boundary("rollback.golden")
def _golden(place: registry.Place, release: Champion) -> "Golden":
    """The golden records of the artifact beside the image, which must be the one that was
    released.
    """
    from sluice.model.artifact.model_artifact import load_golden

    name = f"{release.tag}.model"
    with tempfile.TemporaryDirectory(prefix="sluice-model-") as scratch:
        folder = Path(scratch)
        for file, content in registry.pull_files(place, name).items():
            (folder / file).write_bytes(content)
        if folder_hash(folder) != release.model:
            raise SluiceError(
                f"the artifact {name} is not the one that was released",
                "Look into the registry: somebody wrote there.",
            )
        return load_golden(folder)
