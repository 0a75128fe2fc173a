"""What is stated about an image beside it, as in-toto statements: how it came about, and what the
gate said. Each follows from the commit and the image alone, so whoever has both can work it out.

The formats: https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from sluice.gitops.lineage import without_prefix

PAYLOAD = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v1"
VERDICT = "https://sluice.dev/verdict/v1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_BUILD = "https://sluice.dev/image/v1"
_BUILDER = "https://sluice.dev/release/v1"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Trailers of the commit whose hashes are what the verdict rests on.
_JUDGED = ("Data-Hash", "Training-Hash", "Policy-Hash", "Model-Hash", "Evidence-Hash")

Json = Mapping[str, object]


class Unreadable(ValueError):
    """These bytes are no in-toto statement."""


class _Subject(Struct, frozen=True):
    digest: dict[str, str]
    name: str = ""


class _Read(Struct, frozen=True, rename="camel"):
    """The statement of anybody: other fields are left out."""

    type: str = msgspec.field(name="_type")
    subject: tuple[_Subject, ...]
    predicate_type: str
    predicate: dict[str, object]


@dataclass(frozen=True)
class Statement:
    """What is stated (`predicate`, of the kind `predicate_type`) about images with the digests
    `about`.
    """

    predicate_type: str
    predicate: Json
    about: tuple[str, ...]


def encode(image: str, digest: str, predicate_type: str, predicate: Json) -> bytes:
    """A statement about the image `image` with this digest; its bytes depend on nothing else."""
    document = {
        "_type": _STATEMENT,
        "subject": [{"name": image, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def decode(payload: bytes) -> Statement:
    """A statement. Raises Unreadable for what is none."""
    try:
        read = msgspec.json.decode(payload, type=_Read)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no in-toto statement: {error}") from None
    if read.type != _STATEMENT:
        raise Unreadable(f"it is of the type {read.type[:100]!r}; {_STATEMENT} is required")
    about = tuple(f"sha256:{subject.digest.get('sha256', '')}" for subject in read.subject)
    return Statement(read.predicate_type, read.predicate, about)


def provenance(annotations: Mapping[str, str], trailers: Mapping[str, str]) -> Json:
    """How an image came about, from its annotations and the trailers of the commit that names it:
    SLSA's predicate, with every input by its hash.
    """
    made_of = without_prefix(annotations)
    inputs = [
        {"name": name, "digest": {"sha256": value}}
        for name, value in sorted(made_of.items())
        if _SHA256.fullmatch(value)
    ]
    others = {name: value for name, value in made_of.items() if not _SHA256.fullmatch(value)}
    return {
        "buildDefinition": {
            "buildType": _BUILD,
            "externalParameters": {"model": trailers.get("Model", "")},
            "internalParameters": others,
            "resolvedDependencies": [*inputs, *_commits(trailers)],
        },
        "runDetails": {"builder": {"id": _BUILDER}},
    }


def _commits(trailers: Mapping[str, str]) -> Sequence[Json]:
    """The commits of project and code; one with changes beside it, or none, has its words."""
    described: list[Json] = []
    for name, trailer in (("project", "Source-Commit"), ("sluice", "Code-Commit")):
        said = trailers.get(trailer, "none")
        if _COMMIT.fullmatch(said):
            described.append({"name": name, "digest": {"gitCommit": said}})
        else:
            described.append({"name": name, "annotations": {"commit": said}})
    return described


def verdict(trailers: Mapping[str, str]) -> Json:
    """What the gate said, and the hashes of what it rests on, from the trailers of the commit."""
    return {
        "model": trailers.get("Model", ""),
        "verdict": trailers.get("Verdict", ""),
        "against": trailers.get("Against", ""),
        "override": trailers.get("Override", ""),
        "policyChanged": trailers.get("Policy-Changed", ""),
        "restsOn": {name: trailers[name] for name in _JUDGED if name in trailers},
    }


def differences(wanted: object, found: object, at: str = "") -> list[str]:
    """Where two JSON documents differ, as paths with dots; of lists only that they do."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        paths: list[str] = []
        for name in sorted({*wanted, *found}):
            paths += differences(wanted.get(name), found.get(name), f"{at}.{name}" if at else name)
        return paths
    return [] if wanted == found else [at]
