"""Build the Bento: the service, the served modules and the artifact.

Its version equals the tag of the image.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from flows.adapters.image import bento
from flows.engine.step import Step
from flows.facts.step_files import MODEL
from flows.project.root import ROOT

if TYPE_CHECKING:
    from flows.engine.phases import Candidate


class Packaged(Struct, frozen=True):
    """The tag of the image to be, and the folder of the Bento below the state folder."""

    tag: str
    bento: str


def _inputs(candidate: "Candidate") -> dict[str, str]:
    return candidate.ingredients


def _work(folder: Path, candidate: "Candidate") -> Packaged:
    """Build it in BentoML's own store under the state folder, which `bentoml` here reads too."""
    del folder
    request = candidate.request
    home, version = request.settings.home, candidate.tag
    model = candidate.trained.folder / MODEL
    built = bento.build(
        ROOT, model, version, home / "bentoml", name=request.model, tools=request.tools.images
    )
    return Packaged(version, str(built.relative_to(home)))


PACKAGE = Step("package", "Build Bento", Packaged, (), _inputs, _work)
