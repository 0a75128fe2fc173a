"""What a replay foretold of a canary, from the evidence beside its image.

Evidence is found by digests and never changes, so the judge still keeps nothing between two looks.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from flows.adapters import prometheus
from flows.adapters.prometheus import Series
from flows.adapters.registry import oci, registry
from flows.audit import statements
from flows.canary.question import Question
from flows.canary.scrapes import HASH
from flows.facts.replayed import Forecast
from flows.gitops.manifest_repo import images
from flows.project.settings import Settings
from sluice.canary.verdict import AS_BEFORE, Expectation
from sluice.gitops.evidence import NAME, read_evidence
from sluice.gitops.lineage import tag_of, without_prefix
from sluice.model.json_file import convert

# What is expected of the image of a model beside another one, by their digests.
Foretold = Callable[[str, str, str], Expectation]

BUILD = "sluice_build_info"
_KEPT = 64  # expectations, so that a look does not ask the registry again


def nothing(_model: str, _canary: str, _stable: str) -> Expectation:
    """No change is expected of any canary."""
    return AS_BEFORE


def by_evidence(settings: Settings, signed_by: str = "") -> Foretold:
    """What the evidence in the registry says; with a public key only that on which the image was
    decided, by a verdict that the holder of this key has signed.

    It raises Retryable where the registry is away, Broken where it does not have the image.
    """

    @lru_cache(_KEPT)
    def foretold(model: str, canary: str, stable: str) -> Expectation:
        place = images(settings, model)
        for evidence in _beside(place, canary, signed_by):
            forecast = _forecast(place, evidence)
            if forecast is not None and forecast.running == stable and forecast.found.within:
                return forecast.found.expected
        return AS_BEFORE

    return foretold


def _beside(place: registry.Place, image: str, signed_by: str) -> Iterable[str]:
    """Where the evidence of an image is: by digest, as was signed, or by its tags."""
    if signed_by:
        return sorted(statements.decided_on(place, signed_by, image))
    tag = tag_of(without_prefix(registry.annotations(place, image)))
    return [name for name in registry.tags(place) if name.partition("-")[0] == f"{tag}.evidence"]


def expected(question: Question, url: str, start: float, now: float, by: Foretold) -> Expectation:
    """What is expected of the canary of a question: what the question says, or else what is known
    of the images that both versions say they are.
    """
    if question.expected != AS_BEFORE or by is nothing:
        return question.expected
    both = f'namespace="{question.namespace}",{HASH}=~"{question.canary}|{question.stable}"'
    scraped = prometheus.samples(url, f"{BUILD}{{{both}}}", start, now)
    canary, stable = _image(scraped, question.canary), _image(scraped, question.stable)
    if not (canary and stable):
        return AS_BEFORE
    return by(_label(scraped, question.canary, "service_name"), canary, stable)


def _image(scraped: Iterable[Series], version: str) -> str:
    """The digest of the image of a version; empty where it says none."""
    image = _label(scraped, version, "image").rpartition("@")[2]
    return image if oci.is_digest(image) else ""


def _label(scraped: Iterable[Series], version: str, name: str) -> str:
    found = (one.metric.get(name, "") for one in scraped if one.metric.get(HASH) == version)
    return next(found, "")


def _forecast(place: registry.Place, evidence: str) -> Forecast | None:
    """The forecast in an evidence; None where it has none."""
    files = oci.files_of(registry.manifest(place, evidence))
    if NAME not in files:
        return None
    forecast = read_evidence(registry.blob(place, files[NAME].digest)).forecast
    return None if forecast is None else convert(forecast, Forecast, "the forecast")
