"""The trailers of the commits that Sluice writes: one schema for each kind of commit, and one for
reading any of them.

The order of the fields is the order in the message. A field that is empty is left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

_TRAILER = re.compile(r"^([A-Z][A-Za-z-]+): (.*)$", re.MULTILINE)
# Blanks at the end of a line, also a carriage return; the run is entered at its beginning alone.
_LINE_END = re.compile(r"(?<![ \t\r])[ \t\r]++$", re.MULTILINE)
_BLANK = re.compile(r"\n{2,}")
# What `git merge --squash` writes above the messages of the commits, which it moves to the right.
# Elsewhere a text that is moved is a quotation, as that of the commit which a revert takes back.
_SQUASHED = re.compile(r"^Squashed commit of the following:$", re.MULTILINE)
_MARGIN = re.compile(r"^ {4}", re.MULTILINE)
_NUMBER = re.compile(r"[0-9]{1,18}")
# What hosts draw between a message and what they add to it.
_RULE = re.compile(r"^-{3,}$", re.MULTILINE)
# Trailers by which a commit says what it is.
_TELLING = frozenset(
    {
        "Promotion-Id",
        "Image-Digest",
        "Rollback-Of",
        "Rollback-To",
        "Quarantine",
        "Quarantined",
        "Quarantine-Lift",
        "Lifts",
        "Lifted",
        "Anchor",
        "Outcome",
        "Canary",
        "Kind",
    }
)
_SPELLED = {"mlflow_key": "MLflow-Key"}


def _spelled(field: str) -> str:
    """The name of a trailer: `data_hash` is `Data-Hash`."""
    return _SPELLED.get(field) or "-".join(word.capitalize() for word in field.split("_"))


class _Released(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """What the commit of a promotion names, and what is read of any commit, in this order."""

    promotion_id: str = ""
    model: str = ""
    release: int = 0
    image: str = ""
    image_digest: str = ""
    against: str = ""
    source_commit: str = ""
    code_commit: str = ""
    data_hash: str = ""
    training_hash: str = ""
    policy_hash: str = ""
    code_hash: str = ""
    lock_hash: str = ""
    model_hash: str = ""
    evidence_hash: str = ""
    statement_key: str = ""
    verdict: str = ""
    prefect_run: str = ""
    mlflow_key: str = ""
    override: str = ""
    policy_changed: str = ""
    approved: str = ""
    approvers_of: str = ""
    promoted_from: str = ""
    healthy: str = ""


class Promotion(_Released, frozen=True, kw_only=True):
    """A release that becomes live. Hashes are SHA-256; commits are `none` where there is none.

    `image` is `name:tag`; `against` the tag of the champion it was compared with, or `none`. The
    fields here are required; they keep their places in the message. `approved` names who approved
    it and the commits in which they did, `approvers_of` the commit of the protected branch that
    allows them; `promoted_from` the overlay in which it was live before, and the commit that made
    it so, `healthy` who says since when it was healthy there.
    """

    promotion_id: str
    model: str
    release: int
    image_digest: str
    against: str


class Rollback(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """A release that becomes live again; `rollback_of` is the digest that is left, and so is one of
    `quarantined` and `parked`. `restores` is the id of the promotion that first made the other one
    live, `canary` how the canary ended that is taken back.
    """

    model: str
    release: int
    image: str
    image_digest: str
    rollback_of: str
    quarantined: str = ""
    parked: str = ""
    restores: str
    rollback_id: str
    canary: str = ""
    by: str
    reason: str


class CanaryEnd(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """How the canary of a release ended that stays live."""

    model: str
    release: int
    image: str
    image_digest: str
    canary: str
    by: str
    reason: str


class QuarantineChange(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """A digest that goes into quarantine (`quarantined`) or comes out of it (`lifted`)."""

    model: str
    image_digest: str
    quarantined: str = ""
    lifted: str = ""
    by: str
    reason: str


class AnchorMove(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """The tag that becomes the anchor, and the one that was it before (`none` for none).

    `signer` signed that in the commit `signed_commit` of the project, as somebody whom
    `protected_ref` allows. `approved` names who else approved it, each with the commit.
    """

    model: str
    anchor: str
    anchor_before: str
    by: str
    reason: str
    signer: str = ""
    signed_commit: str = ""
    protected_ref: str = ""
    approved: str = ""


class Statement(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """What a person says of one evidence, and all that it is about: `decision` is a word of
    `sluice.gitops.approvals`, `candidate` a tag, `champion` the digest of what is live.
    """

    decision: str
    model: str
    overlay: str
    release: int
    candidate: str
    image_digest: str
    evidence_hash: str
    policy_hash: str
    champion: str
    made_by: str = ""
    by: str
    reason: str = ""


class Ending(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_spelled):
    """How a release ended that left no commit: noted on the ledger branch."""

    model: str
    release: int
    candidate: str
    verdict: str
    outcome: str
    data_hash: str
    overlay: str


class Trailers(_Released, frozen=True, kw_only=True):
    """The trailers of any commit; empty where it has none of that name, and the release 0 where it
    names no number.

    `kind`, `rollback_to`, `quarantine`, `quarantine_lift` and `lifts` are written by people alone.
    """

    rollback_of: str = ""
    rollback_to: str = ""
    restores: str = ""
    rollback_id: str = ""
    quarantine: str = ""
    quarantined: str = ""
    parked: str = ""
    canary: str = ""
    quarantine_lift: str = ""
    lifts: str = ""
    lifted: str = ""
    anchor: str = ""
    anchor_before: str = ""
    by: str = ""
    reason: str = ""
    signer: str = ""
    signed_commit: str = ""
    protected_ref: str = ""
    candidate: str = ""
    outcome: str = ""
    overlay: str = ""
    kind: str = ""

    @property
    def tag(self) -> str:
        """The tag of the image."""
        return self.image.rpartition(":")[2]


def pairs(record: Struct) -> dict[str, str]:
    """The trailers of a record, by name, in the order of the message."""
    fields: dict[str, object] = msgspec.to_builtins(record)
    return {name: str(value) for name, value in fields.items()}


def known(found: Mapping[str, str]) -> Trailers:
    """The trailers of a commit by their declared names; others are left out."""
    texts = dict(found)
    if not _NUMBER.fullmatch(texts.get("Release", "")):
        texts.pop("Release", None)
    return msgspec.convert(texts, Trailers, strict=False)


def commit_message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose last paragraph is its trailers; a value is folded into one line."""
    lines = [f"{name}: {' '.join(value.split())}" for name, value in trailers.items()]
    return f"{subject}\n\n{body}\n\n" + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Parsed:
    """A commit message: what it says before its trailers, and all of those by name."""

    before: str
    trailers: dict[str, str]


def read_trailers(message: str) -> dict[str, str]:
    """All trailers of a commit message, by name."""
    return parsed(message).trailers


def parsed(message: str) -> Parsed:
    """A commit message with its trailers.

    Those of ours are found also where a git host put paragraphs behind them when it merged: of
    several such paragraphs, as of commits that were squashed, the last one counts. One that names
    its model comes before one that a person, or the template of a host, may have written
    (`Kind: feature`). Where there is none of either, the trailers are those of the last paragraph.
    """
    text = _LINE_END.sub("", message).strip()
    if _SQUASHED.search(text):
        text = _MARGIN.sub("", text)
    paragraphs = _BLANK.split(text)
    for is_meant in (_is_ours, _is_of_a_person):
        for place in range(len(paragraphs) - 1, -1, -1):
            found = _found(paragraphs[place])
            if is_meant(paragraphs[place], found):
                return Parsed("\n\n".join(paragraphs[:place]), found)
    found = _found(paragraphs[-1])
    return Parsed("\n\n".join(paragraphs[:-1]) if found else text, found)


def _found(paragraph: str) -> dict[str, str]:
    """The trailers in a paragraph, by name."""
    return dict(_TRAILER.findall(paragraph))


def _is_ours(_paragraph: str, found: Mapping[str, str]) -> bool:
    """Whether a paragraph is one of trailers that a commit of Sluice has, whatever lines a host
    joined to it.
    """
    return "Model" in found and not _TELLING.isdisjoint(found)


def _is_of_a_person(paragraph: str, found: Mapping[str, str]) -> bool:
    """Whether a paragraph is nothing but trailers, one of which says what the commit is: a person
    may write one trailer alone, and prose with a colon is none.
    """
    lines = paragraph.count("\n") + 1 - len(_RULE.findall(paragraph))
    return lines == len(found) and not _TELLING.isdisjoint(found)
