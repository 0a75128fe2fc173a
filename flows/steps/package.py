"""Build the Bento: the service, the served modules and the artifact.

Its version equals the tag of the image.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from flows.adapters.image import bento
from flows.engine.step import Step
from flows.facts.step_files import MODEL
from flows.project.root import ROOT
from sluice.errors import Refused
from sluice.identity import folder_hash

if TYPE_CHECKING:
    from flows.engine.phases import Candidate
    from flows.engine.store import Result


class Packaged(Struct, frozen=True):
    """The tag of the image to be, the folder of the Bento below the state folder, and its hash."""

    tag: str
    bento: str
    sha256: str


def _inputs(candidate: "Candidate") -> dict[str, str]:
    return with_service(candidate.ingredients)


def with_service(made_of: Mapping[str, str]) -> dict[str, str]:
    """What an image is made of, as inputs of a step: the `code` of a key is that of the step."""
    return {**made_of, "service": made_of["code"]}


def _work(folder: Path, candidate: "Candidate") -> Packaged:
    """Build it in BentoML's own store under the state folder, which `bentoml` here reads too."""
    del folder
    request = candidate.request
    home, version = request.settings.home, candidate.tag
    model = candidate.trained.folder / MODEL
    built = bento.build(
        ROOT, model, version, home / "bentoml", name=request.model, tools=request.tools.images
    )
    return Packaged(version, str(built.relative_to(home)), folder_hash(built))


def folder_of(candidate: "Candidate", packaged: "Result[Packaged]") -> Path:
    """The folder of the Bento, which the step left outside of the store.

    Raises Refused where it is not what the step left.
    """
    request = candidate.request
    folder = request.settings.home / "bentoml" / "bentos" / request.model / candidate.tag
    if not folder.is_dir() or folder_hash(folder) != packaged.facts.sha256:
        raise Refused(
            f"the Bento {request.model}:{candidate.tag} changed after package wrote it",
            "Run the release again with --no-cache: it is built anew.",
        )
    return folder


PACKAGE = Step("package", "Build Bento", Packaged, (), _inputs, _work)
