"""Which release a word means, and whether all that speaks about it says the same."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.errors import UsageError
from sluice.gitops.history import Event, live
from sluice.identity import value_hash

# Trailer -> annotation: both say what the image is made of, and a reader holds one against the
# other.
MADE_OF = {
    "Training-Hash": "training-data",
    "Policy-Hash": "policy",
    "Code-Hash": "code",
    "Lock-Hash": "lock",
    "Model-Hash": "model",
}
ANNOTATION = "dev.sluice."
_LEAST = 4  # characters of an abbreviation
_SHOWN = 8  # candidates that an error names
_FIX = "Take more characters from what `sluice history` shows."


def bare(word: str) -> str:
    """What is looked for: the digest or tag of a whole image name, a digest without `sha256:`, in
    lower case.
    """
    return word.strip().rpartition("@")[2].removeprefix("sha256:").rpartition(":")[2].lower()


def resolve(events: Sequence[Event], word: str, model: str, looked: str) -> Event:
    """The release that a digest, tag, commit (abbreviated or not), `latest` or `live` means, the
    newest where it was released again. Raises UsageError naming the candidates, or saying where it
    looked (`looked`).
    """
    if word in ("latest", "live"):
        return _newest(events, word, model, looked)
    wanted = bare(word)
    if len(wanted) < _LEAST or not re.fullmatch(r"[0-9a-z._-]+", wanted):
        raise UsageError(
            f"{word!r} is no digest, tag or commit", f"Give at least {_LEAST} characters of one."
        )
    found: dict[tuple[str, str], Event] = {}
    for event in sorted(_matching(events, wanted), key=lambda event: not event.overlay):
        found[event.model, event.digest] = event
    if not found:
        raise UsageError(
            f"there is no release {word!r}", f"Looked at {looked}. See `sluice history`."
        )
    if len(found) > 1:
        named = ", ".join(_name(event) for event in list(found.values())[-_SHOWN:])
        raise UsageError(f"{word!r} may be {len(found)} releases: {named}", _FIX)
    return next(iter(found.values()))


def _matching(events: Sequence[Event], wanted: str) -> Iterable[Event]:
    """The releases that a name fits; a whole name fits them alone."""
    releases = [event for event in events if event.kind == "release"]
    whole = [event for event in releases if wanted in _names(event)]
    named = whole or [
        event for event in releases if any(name.startswith(wanted) for name in _names(event))
    ]
    by_digest = {event.digest: event for event in releases}
    # what a rollback or a person made live is a release too, under another commit
    for event in events:
        if (
            not named
            and event.kind != "release"
            and event.commit.startswith(wanted)
            and event.digest in by_digest
        ):
            return [by_digest[event.digest]]
    return named


def _names(event: Event) -> tuple[str, ...]:
    source = event.trailers.get("Source-Commit", "none").removesuffix("-dirty")
    names = (
        event.digest.removeprefix("sha256:"),
        event.tag,
        event.commit,
        "" if source == "none" else source,
    )
    return tuple(name for name in names if name)


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
    there = live(events, model)
    found = next((event for event in reversed(releases) if event.digest == there), None)
    if found is None:
        raise UsageError(
            f"what is live is no release: a person set {there}",
            "See `sluice history`; or ask for `latest`.",
        )
    return found


def contradictions(
    trailers: Mapping[str, str],
    annotations: Mapping[str, str] | None,
    evidence: Mapping[str, Any] | None,
) -> list[str]:
    """Every sentence in which commit, image and evidence do not say the same; what one does not say
    is not compared.
    """
    said: list[tuple[str, str, Mapping[str, str]]] = []
    made_of = {name.removeprefix(ANNOTATION): value for name, value in (annotations or {}).items()}
    for trailer, name in MADE_OF.items():
        said.append((name, trailer, {"the image": made_of.get(name, "")}))
    if evidence:
        seals, lineage = evidence.get("seals") or {}, evidence.get("lineage") or {}
        said += [
            (
                "data",
                "Data-Hash",
                {"the evidence": str((evidence.get("data") or {}).get("sha256", ""))},
            ),
            ("data", "Data-Hash", {"its seal": str(seals.get("data", ""))}),
            (
                "training data",
                "Training-Hash",
                {"the evidence": str(lineage.get("training rows", ""))},
            ),
            ("model", "Model-Hash", {"the evidence": _model_hash(lineage)}),
            ("model", "Model-Hash", {"its seal": str(seals.get("candidate", ""))}),
            (
                "verdict",
                "Verdict",
                {"the evidence": str((evidence.get("verdict") or {}).get("verdict", ""))},
            ),
        ]
    found = [
        f"{what}: the commit says {_short(trailers[trailer])}, {who} {_short(value)}"
        for what, trailer, others in said
        for who, value in others.items()
        if value and trailer in trailers and trailers[trailer] != value
    ]
    return [*found, *_other_tag(trailers, made_of)]


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


def _model_hash(lineage: Mapping[str, Any]) -> str:
    """The hash of the model artifact; evidence of version 0.1.0 spelled its label differently."""
    return str(lineage.get("model artifact") or lineage.get("model artefact", ""))
