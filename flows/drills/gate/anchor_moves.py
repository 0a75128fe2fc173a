"""Moves of the anchor that must not happen: each is tried beside a manifest repo of its own, where
an honest move goes through.

Who attacks can commit to a branch of their own, set the environment of the command, and push to the
manifest repo. Nobody but Anna may sign.
"""

import datetime
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flows.adapters.git import git
from flows.decision import anchor_move
from flows.drills.gate import forgeries
from flows.drills.gate.forgeries import Forgery, Signing
from flows.drills.gate.made_release import (
    CLASSES,
    NUMBER,
    ONE_CLASS,
    TAG,
    Quality,
    release,
)
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.policy import Policy, load_policy

ANCHOR_RULE = "anchor_moves"
_MODEL = manifest_repo.TEMPLATE_MODEL  # a repo of it is used as it ships
_POLICY = f"models/{_MODEL}/policy.toml"
_FILE = f"overrides/{_MODEL}/anchor.toml"
_STATE = f"state/{_MODEL}/anchor.json"
_MALLORY = "Mallory <mallory@example.com>"
_BEYOND = 0.05  # how much further than it may a release falls
_HONEST = "as good"
# What a release may fall in, by the kind of target; the first is bounded by `recall_fall`.
_FALLING = {
    ONE_CLASS: ("recall", "precision", "calibration", "group"),
    CLASSES: ("recall", "precision", "group"),
    NUMBER: ("skill", "group"),
}


@dataclass(frozen=True)
class World:
    """A manifest repo whose anchor is its first release, and a project with keys to sign with;
    everything lies under the home of `settings`. `policy` is that of the protected branch.
    """

    settings: Settings
    signing: Signing
    policy: Policy


@dataclass(frozen=True)
class AnchorMove:
    """What somebody does before the anchor is moved to a release that falls so; it is signed."""

    name: str
    falls: str
    attack: Callable[[World], World]


def anchor_moves(target: str = ONE_CLASS) -> Iterator[AnchorMove]:
    """All of them, for a kind of target as `made_release` names it."""
    first, *_ = falling = _FALLING[target]
    yield AnchorMove("the anchor moved without a signed file", _HONEST, _no_file)
    for forgery in forgeries.forgeries():
        yield AnchorMove(f"the anchor moved, and {forgery.name}", _HONEST, _forging(forgery))
    for measure in falling:
        yield AnchorMove(f"the anchor moved to a {measure} beyond the bound", measure, _nothing)
    yield AnchorMove("the bound of a fall widened by the own branch", first, _wider)
    yield AnchorMove("a fall hidden by an edited record of the anchor", first, _edited)


def target_of(policy: Policy) -> str:
    """The kind of target that a policy is for."""
    if policy.number:
        return NUMBER
    return CLASSES if policy.classes else ONE_CLASS


def begun(policy: str, folder: Path) -> World:
    """A world under `folder`, begun where none is; `policy` is the text of the protected one.

    Raises NotHere where this machine cannot sign, SluiceError where an honest move does not go
    through: then no attack would prove anything.
    """
    read = load_policy(policy)
    signing = _signing(folder, target_of(read))
    settings = Settings(
        home=folder,
        project=signing.project,
        protected_ref=signing.ref,
        manifests="",
        registry="",
        overlay="production",
        mode="push",
    )
    there = World(settings, signing, read)
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        forgeries.signed(signing, {_POLICY: policy})
        manifest_repo.seed(settings)
        anchor = Quality(target_of(there.policy))
        release(settings, _MODEL, 1, anchor)
        for number, falls in enumerate((_HONEST, *_FALLING[anchor.target]), 2):
            release(settings, _MODEL, number, _fallen(anchor, falls, there.policy))
        _carry_out(copied(there, folder.with_name(f"{folder.name} honest")), _HONEST)
        made.touch()
    return there


def _signing(folder: Path, target: str) -> Signing:
    text = _text(_HONEST, target)
    return Signing(folder / "project", folder / "keys", path=_FILE, text=text)


def _text(falls: str, target: str) -> str:
    """The file that Anna signs."""
    return (
        f'anchor = "{_tag(falls, target)}"\ninstead_of = "{TAG.format(1)}"\nreason = "a drill"\n'
        "expires = 2099-12-31\n"
    )


def _tag(falls: str, target: str) -> str:
    """The tag of the release that falls so."""
    return TAG.format(2 + (_HONEST, *_FALLING[target]).index(falls))


def _fallen(anchor: Quality, falls: str, policy: Policy) -> Quality:
    """What the release is worth: as the anchor, or further below it than may be in one measure."""
    bounds = policy.anchor
    worse = {
        _HONEST: anchor,
        "recall": replace(anchor, recall=anchor.recall - bounds.recall_fall - _BEYOND),
        "skill": replace(anchor, recall=anchor.recall - bounds.recall_fall - _BEYOND),
        "precision": replace(anchor, precision=anchor.precision - bounds.precision_fall - _BEYOND),
        "calibration": replace(anchor, gap=anchor.gap + bounds.calibration_fall + _BEYOND),
        "group": replace(anchor, group=anchor.group - bounds.group_fall - _BEYOND),
    }[falls]
    return replace(worse, positives=max(anchor.positives, policy.gate.segment_positives))


def copied(there: World, folder: Path) -> World:
    """The same world in a folder of its own, to be attacked there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(there.settings.home, folder, symlinks=True)
    own = _signing(folder, target_of(there.policy))
    signing = replace(own, text=there.signing.text, ref=there.signing.ref)
    settings = there.settings.model_copy(update={"home": folder, "project": signing.project})
    return replace(there, settings=settings, signing=signing)


def unmoved(move: AnchorMove, there: World) -> str:
    """Why the anchor does not move after the attack; empty where it moved."""
    signed = _sign(there, move.falls)
    attacked = move.attack(signed)
    before = git.tip(attacked.settings.remote, attacked.settings.branch)
    try:
        _carry_out(attacked, move.falls)
    except (Refused, UsageError) as error:
        is_same = git.tip(attacked.settings.remote, attacked.settings.branch) == before
        return error.what if is_same else ""
    return ""


def _sign(there: World, falls: str) -> World:
    """Let Anna sign the move to the release that falls so."""
    signing = replace(there.signing, text=_text(falls, target_of(there.policy)))
    if signing.text != there.signing.text:
        forgeries.commit(signing, {signing.path: signing.text}, by="anna")
    return replace(there, signing=signing)


def _carry_out(there: World, falls: str) -> None:
    """Move the anchor as `sluice anchor set` does. Raises SluiceError where it does not move."""
    today = datetime.date(2026, 1, 1)  # any day on which the file holds
    settings = there.settings.model_copy(update={"protected_ref": there.signing.ref})
    move = anchor_move.prepare(settings, _MODEL, _tag(falls, target_of(there.policy)))
    written = anchor_move.carry_out(settings, move, today, _silent)
    if written.outcome != "committed":
        raise SluiceError(f"the anchor did not move: {written.sentence}", "This is a fault.")


def _silent(_: str) -> None:
    """What is told of a fall, to nobody."""


def _nothing(there: World) -> World:
    return there


def _no_file(there: World) -> World:
    """The move is asked for by the command alone, as it was before signatures."""
    git.git("rm", "--quiet", there.signing.path, cwd=there.signing.project)
    forgeries.commit(there.signing, {})
    return there


def _forging(forgery: Forgery) -> Callable[[World], World]:
    def attack(there: World) -> World:
        return replace(there, signing=forgery.forge(there.signing))

    return attack


def _wider(there: World) -> World:
    """The policy of the own branch allows the fall; Anna signs the branch too."""
    path = there.signing.project / _POLICY
    text = path.read_text(encoding="utf-8")
    bound = there.policy.anchor.recall_fall
    lines = [line for line in text.splitlines() if not line.startswith("recall_fall")]
    if "[anchor]" not in lines:
        lines.append("[anchor]")
    place = lines.index("[anchor]") + 1
    lines.insert(place, f"recall_fall = {bound + 2 * _BEYOND:g}")
    forgeries.commit(there.signing, {_POLICY: "\n".join(lines) + "\n"}, by="anna")
    return there


def _edited(there: World) -> World:
    """The record of the anchor says that it was as weak as the release."""
    with git.clone(there.settings.remote, there.settings.branch) as repo:
        record = json.loads(git.file(repo, _STATE) or b"{}")
        hidden = there.policy.anchor.recall_fall + _BEYOND
        measure = "skill" if there.policy.number else "recall"
        record[measure] = round(record[measure] - hidden, 4)
        text = json.dumps(record, indent=1, sort_keys=True) + "\n"
        git.push(repo, git.commit(repo, {_STATE: text.encode()}, "Tidy up\n", _MALLORY))
    return there
