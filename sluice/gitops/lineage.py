"""Which release a word means, and whether commit, image and evidence say the same about it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.errors import UsageError
from sluice.gitops.evidence import Evidence
from sluice.gitops.history import Event, live
from sluice.gitops.image_names import ANNOTATION
from sluice.identity import value_hash

# Trailer of the commit -> annotation of the image, without its prefix: both name the same hash.
MADE_OF = {
    "Training-Hash": "training-data",
    "Policy-Hash": "policy",
    "Code-Hash": "code",
    "Lock-Hash": "lock",
    "Model-Hash": "model",
}
_LEAST = 4  # characters of an abbreviation
_SHOWN = 8  # candidates that an error names
NEWEST = ("latest", "live")  # words for a release of one model
_FIX = "Give more characters of what `sluice history` shows."


def bare(word: str) -> str:
    """What identifies a release in a word, in lower case: the digest or tag of a whole image name,
    a digest without `sha256:`, any other word as it is.
    """
    return word.strip().rpartition("@")[2].removeprefix("sha256:").rpartition(":")[2].lower()


def resolve(events: Sequence[Event], word: str, model: str, looked: str) -> Event:
    """Return the release that a word means; the newest event where it was released more than once.

    `word` is a digest, a tag or a commit, abbreviated or not, or `latest` or `live` of `model`.
    `events` are oldest first. Raises UsageError, which names the candidates where there are
    several, and the place `looked` at where there is none.
    """
    if word in NEWEST:
        return _newest(events, word, model, looked)
    wanted = bare(word)
    if len(wanted) < _LEAST or not re.fullmatch(r"[0-9a-z._-]+", wanted):
        raise UsageError(
            f"{word!r} is no digest, tag or commit", f"Give at least {_LEAST} characters of one."
        )
    candidates: dict[tuple[str, str], Event] = {}
    # the overlay that is looked at comes last and wins
    for event in sorted(_matching(events, wanted), key=lambda event: not event.overlay):
        candidates[event.model, event.digest] = event
    if not candidates:
        raise UsageError(
            f"there is no release {word!r}", f"Looked at {looked}. See `sluice history`."
        )
    if len(candidates) > 1:
        names = ", ".join(_name(event) for event in list(candidates.values())[-_SHOWN:])
        raise UsageError(f"{word!r} matches {len(candidates)} releases: {names}", _FIX)
    return next(iter(candidates.values()))


def _matching(events: Sequence[Event], wanted: str) -> list[Event]:
    """The releases that a name matches; one that it names in full is preferred to one that it
    abbreviates.
    """
    releases = [event for event in events if event.kind == "release"]
    named = [event for event in releases if wanted in _names(event)]
    if named:
        return named
    begun = [event for event in releases if any(name.startswith(wanted) for name in _names(event))]
    return begun or _made_live(events, releases, wanted)


def _made_live(events: Sequence[Event], releases: Sequence[Event], wanted: str) -> list[Event]:
    """The release that a rollback or a person made live in the commit `wanted`."""
    by_digest = {event.digest: event for event in releases}
    for event in events:
        if event.commit.startswith(wanted) and event.digest in by_digest:
            return [by_digest[event.digest]]
    return []


def _names(event: Event) -> list[str]:
    names = [event.digest.removeprefix("sha256:"), event.tag, event.commit]
    source = event.fields.source_commit.removesuffix("-dirty")
    if source != "none":
        names.append(source)
    return [name for name in names if name]


def _name(event: Event) -> str:
    return f"release {event.release} of {event.model} ({event.tag}, {event.digest[:19]})"


def _newest(events: Sequence[Event], word: str, model: str, looked: str) -> Event:
    releases = [
        event
        for event in events
        if event.kind == "release" and event.model == model and not event.overlay
    ]
    if not releases:
        raise UsageError(
            f"nothing of {model} was released yet", f"Looked at {looked}. sluice release {model}"
        )
    if word == "latest":
        return releases[-1]
    digest = live(events, model)
    for event in reversed(releases):
        if event.digest == digest:
            return event
    raise UsageError(
        f"what is live is no release: a person set {digest}",
        "See `sluice history`; or ask for `latest`.",
    )


def contradictions(
    trailers: Mapping[str, str], annotations: Mapping[str, str] | None, evidence: Evidence | None
) -> list[str]:
    """Every point in which commit, image and evidence do not say the same, as a sentence.

    What one of them does not say is not compared.
    """
    made_of = without_prefix(annotations or {})
    statements = [
        Statement(name, trailer, "the image", made_of.get(name, ""))
        for trailer, name in MADE_OF.items()
    ]
    if evidence:
        statements += _of_evidence(evidence)
    sentences = [
        f"{statement.what}: the commit says {_short(trailers[statement.trailer])},"
        f" {statement.source} {_short(statement.value)}"
        for statement in statements
        if statement.value and trailers.get(statement.trailer, statement.value) != statement.value
    ]
    return [*sentences, *_other_tag(trailers, made_of)]


@dataclass(frozen=True)
class Statement:
    """What one source says of a thing that the commit names in a trailer; empty where it is
    silent.
    """

    what: str
    trailer: str
    source: str
    value: str


def _of_evidence(evidence: Evidence) -> list[Statement]:
    data = evidence.data.sha256 if evidence.data else ""
    seals, lineage = evidence.seals or {}, evidence.lineage or {}
    verdict = str((evidence.verdict or {}).get("verdict", ""))
    training = lineage.get("training rows", "")
    return [
        Statement("data", "Data-Hash", "the evidence", data),
        Statement("data", "Data-Hash", "its seal", seals.get("data", "")),
        Statement("training data", "Training-Hash", "the evidence", training),
        Statement("model", "Model-Hash", "the evidence", evidence.model_hash),
        Statement("model", "Model-Hash", "its seal", seals.get("candidate", "")),
        Statement("verdict", "Verdict", "the evidence", verdict),
    ]


def without_prefix(annotations: Mapping[str, str]) -> dict[str, str]:
    """What an image is made of, from its annotations: the names without `dev.sluice.`."""
    return {name.removeprefix(ANNOTATION): value for name, value in annotations.items()}


def _other_tag(trailers: Mapping[str, str], made_of: Mapping[str, str]) -> list[str]:
    """The tag is the hash of what the image is made of."""
    tag = trailers.get("Image", "").rpartition(":")[2]
    if not made_of or not tag or tag == tag_of(made_of):
        return []
    return [
        f"tag: the commit says {tag}, what the image says it is made of gives {tag_of(made_of)}"
    ]


def tag_of(made_of: Mapping[str, str]) -> str:
    """The tag of an image, from what it is made of (names without their prefix)."""
    return value_hash(dict(made_of))[:16]


def _short(value: str) -> str:
    return value[:12] if re.fullmatch(r"[0-9a-f]{13,}", value) else value
