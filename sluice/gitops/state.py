"""The state files of the manifest repo, `state/<model>/*.json`: one schema each, that reads,
checks and writes them.

Moments are in UTC, to the second, in ISO 8601. A record that was read and is written again keeps
its bytes.
"""

import json

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Reference(Struct, frozen=True):
    """A release that another one was compared with: tag and digest of its image, hash of its
    model artifact.
    """

    tag: str
    digest: str
    model: str


class Override(Struct, frozen=True, omit_defaults=True):
    """A rule that a signed file set aside: `expires` is a date, `commit` the one that is signed.

    All texts are empty where no rule was set aside.
    """

    rule: str = ""
    reason: str = ""
    expires: str = ""
    commit: str = ""
    signer: str = ""


class Standing(Struct, frozen=True):
    """What is known when it is decided, besides the scores.

    `uses` is how often the holdout decided before; `fresh` whether the training rows differ from
    the champion's; `champion_days` the age of the champion in days, as far as it matters;
    `policy_changes` the changed keys of the policy, by what they are compared with.
    """

    uses: int = 0
    fresh: bool = False
    champion_days: int = 0
    override: Override = Override()
    policy_changes: dict[str, list[str]] = {}


class Restored(Struct, frozen=True):
    """How a release became live again: the tag that was left, by whom, when and why."""

    left: str = msgspec.field(name="from")
    who: str
    when: str
    why: str


class Champion(Struct, frozen=True, kw_only=True):
    """What is live, and on which evidence: `champion.json`.

    `image` is the name without tag, `data` and `training` are SHA-256 of the file and of the
    training rows, `evidence` is a digest in the registry.
    """

    schema: int = 1
    tag: str
    digest: str
    image: str
    release: int
    model: str
    recall: float = 0.0
    precision: float = 0.0
    data: str = ""
    training: str = ""
    against: Reference | None = None
    anchored: Reference | None = None
    standing: Standing = Standing()
    evidence: str = ""
    promotion: str = ""
    restored: Restored | UnsetType = UNSET


class Anchor(Struct, frozen=True, kw_only=True):
    """The frozen reference: `anchor.json`; `reason` says why it became that."""

    schema: int = 1
    tag: str
    digest: str
    image: str
    release: int
    model: str
    recall: float = 0.0
    precision: float = 0.0
    reason: str = ""


def encode(record: Struct) -> str:
    """The text of a state file: equal records give equal texts."""
    return json.dumps(msgspec.to_builtins(record), indent=2, sort_keys=True) + "\n"
