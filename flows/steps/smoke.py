"""Start the very image that was kept, by digest, and ask it the golden records."""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from flows.adapters.image import bento, model_image
from flows.engine.step import Step
from flows.facts.step_files import MODEL
from flows.steps.package import folder_of
from sluice.errors import UsageError

if TYPE_CHECKING:
    from flows.engine.phases import Candidate
    from flows.engine.store import Result
    from flows.facts.imaged import Imaged
    from flows.steps.package import Packaged
    from sluice.model.artifact.model_artifact import Golden


class Smoked(Struct, frozen=True):
    """Golden records that the image answered, and the largest difference to their scores."""

    records: int
    difference: float


def _inputs(candidate: "Candidate", imaged: "Result[Imaged]") -> dict[str, str]:
    return {"digest": imaged.facts.digest, "golden": candidate.trained.hash(f"{MODEL}/golden.json")}


def _work(folder: Path, candidate: "Candidate", imaged: "Result[Imaged]") -> Smoked:
    """Raise SluiceError where the image does not start or does not agree."""
    del folder
    request = candidate.request
    golden = _golden(candidate)
    engine = request.tools.images.runner(request.settings.home / "containers")
    if engine is None:
        raise UsageError(
            "no tool to start an image works here", "Install podman or buildah, or start Docker."
        )
    with model_image.smoke(engine, request.place, imaged.facts.digest) as url:
        difference = request.tools.check_service(url, golden)
    return Smoked(len(golden.records), difference)


def check_service(url: str, golden: "Golden") -> float:
    """The largest difference to the scores of the golden records. Raises SluiceError.

    It is here, and handed in with the tools, so that its code is part of the key of this step.
    """
    from flows.adapters.service_client import ask
    from sluice.model.artifact.model_artifact import compare_golden

    return compare_golden(golden, ask(url, golden.records))


def ask_bento(candidate: "Candidate", packaged: "Result[Packaged]") -> float:
    """Ask the Bento itself, where no image can be built; the largest difference."""
    settings = candidate.request.settings
    with bento.serve(folder_of(candidate, packaged), settings.home / "bentoml") as url:
        return candidate.request.tools.check_service(url, _golden(candidate))


def _golden(candidate: "Candidate") -> "Golden":
    """The records that travel with the model. Raises Unreadable where they are damaged."""
    from sluice.model.artifact.model_artifact import load_golden

    return load_golden(candidate.trained.folder / MODEL)


SMOKE = Step("smoke", "Smoke run", Smoked, (), _inputs, _work)
