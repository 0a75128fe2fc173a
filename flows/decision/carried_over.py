"""From one overlay to another: the very image that is healthy there, on the same evidence.

Nothing is trained, scored or built. So all that a release rests on is checked as `sluice verify`
does it, and refused are an image of which nobody says that it is healthy, and one that was never
held against what is live where it goes.
"""

import contextlib
import datetime
from dataclasses import dataclass

from msgspec import UNSET, structs

from flows.adapters.git import git
from flows.adapters.git.git import Author
from flows.audit import find_release
from flows.audit.find_release import Traced
from flows.audit.verify import verify
from flows.decision import approvals
from flows.gitops import approvals as branch
from flows.gitops import manifest_repo, promotion
from flows.gitops.manifest_repo import Live
from flows.gitops.promotion import CarriedOver
from flows.gitops.writer import Written
from flows.project import protected_branch
from flows.project.settings import Settings
from sluice.errors import Refused, UsageError
from sluice.gitops import trailers
from sluice.gitops.approvals import HEALTHY, NOBODY, Question, short, statement
from sluice.gitops.state import Champion
from sluice.policy import ApprovalPolicy, Policy, load_policy

_BY_THE_CLUSTER = ("healthy", "promoted")  # how a canary ended well, as `sluice reconcile` records
_ONE_PERSON = ApprovalPolicy(1)


@dataclass(frozen=True)
class Places:
    """The settings of the overlay that an image comes from, and of the one that it goes to."""

    source: Settings
    target: Settings


@dataclass(frozen=True)
class Carried:
    """How it ended, with the release, the image and the evidence that it was about; `healthy` says
    who called it healthy.
    """

    written: Written
    champion: Champion
    healthy: str

    @property
    def exit_code(self) -> int:
        """0, and 3 where its image is in quarantine."""
        return 3 if self.written.outcome == "quarantined" else 0


def places(settings: Settings, source: str, target: str) -> Places:
    """The two overlays. Raises UsageError where they are one."""
    if source == target:
        raise UsageError(
            f"--from and --to are both {source}", "Name two overlays of the manifest repo."
        )
    both = (settings.model_copy(update={"overlay": name}) for name in (source, target))
    return Places(*both)


def vouch(places: Places, model: str, author: Author, reason: str, today: datetime.date) -> None:
    """Say in a signed commit that what is live where it comes from is healthy there.

    Raises Refused where nobody signed it who may, UsageError where nothing is live there.
    """
    source = places.source
    live = _live(source, model)
    traced, _policy = _read(source, model)
    question = _about_health(source, _require_champion(source, live, model), traced)
    written = branch.say(source, author, statement(question, HEALTHY, author.author, reason))
    found = approvals.counted(source, question, _ONE_PERSON, today, HEALTHY)
    mine = [voice.void for voice in found.void if voice.commit == written.commit]
    if not found.enough:
        raise Refused(
            f"what was said is recorded as {written.commit[:12]}, and does not count: {mine[0]}",
            "Have somebody say it whom the protected branch allows (SLUICE_SIGNING_KEY).",
        )


def carry_over(places: Places, model: str, evidence: str, today: datetime.date) -> Carried:
    """Write the digest that is live in one overlay to another, with the evidence that it has.

    `evidence` is the hash that people read, or the beginning of it; empty for whichever it is.
    Raises Refused where the evidence is
    another by now, where it is not sound, not healthy, or not held against what is live, and where
    people rejected it.
    """
    source, target = places.source, places.target
    live = _live(source, model)
    champion = _require_champion(source, live, model)
    _require_named(champion, evidence)
    now = manifest_repo.live(target, model)
    if now is None:
        raise UsageError("the manifest repo is not there", "Set SLUICE_MANIFESTS.")
    manifest_repo.require_anchor(target, model, now)
    traced, policy = _read(source, model)
    _require_sound(source, traced)
    healthy = _healthy(source, champion, traced, today)
    _require_compared(source, model, now, target)
    question = _question(target, now, champion, traced, policy)
    needed = ApprovalPolicy(question.required, question.own)
    found = approvals.require(target, question, needed, today)
    if not found.enough:
        sentence = approvals.sentence(question, found)
        return Carried(
            Written(approvals.UNAPPROVED, sentence, release=champion.release), champion, healthy
        )
    record = approvals.with_names(target, _record(source, traced, champion, healthy), found)
    carried = CarriedOver(champion, now.champion, record, traced.event.body.strip())
    written = promotion.carry_over(source, target, model, carried)
    return Carried(written, champion, healthy)


def _live(settings: Settings, model: str) -> Live:
    found = manifest_repo.live(settings, model)
    if found is None:
        raise UsageError("the manifest repo is not there", "Set SLUICE_MANIFESTS.")
    return found


def _require_champion(settings: Settings, live: Live, model: str) -> Champion:
    if live.champion is None:
        raise UsageError(
            f"nothing of {model} is live in {settings.overlay}",
            f"Release it there first: SLUICE_OVERLAY={settings.overlay} sluice release {model}",
        )
    if live.by_hand:
        raise Refused(
            f"in {settings.overlay} {promotion.held(live).sentence}",
            "Nothing is known of what a person wrote there.",
        )
    return live.champion


def _require_named(champion: Champion, evidence: str) -> None:
    """Raise Refused where other evidence is meant than that of what is live."""
    wanted = evidence.strip().lower().removeprefix("sha256:")
    there = champion.evidence.removeprefix("sha256:")
    if wanted and (len(wanted) < 7 or not there.startswith(wanted)):
        raise Refused(
            f"the evidence of release {champion.release} is {short(champion.evidence)}; that which"
            f" was approved is {short(wanted)}",
            "What was said of the other one is void: read this one, and name it.",
        )


def _read(settings: Settings, model: str) -> tuple[Traced, Policy]:
    """The release that is live, and the policy that ships with it."""
    traced = find_release.trace(settings, "live", model)
    files = find_release.artifact(traced)
    name = f"policy.toml of {traced.event.tag}.model"
    return traced, load_policy(files["policy.toml"].decode(), name)


def _require_sound(settings: Settings, traced: Traced) -> None:
    """Raise Refused where a hash of the release is not what it was."""
    problems = verify(settings, traced).problems
    if problems:
        raise Refused(
            f"release {traced.event.release} is not sound: {'; '.join(map(str, problems))}",
            f"See `sluice verify {traced.event.digest[7:19]}`, and release it again.",
        )


def _policy_hash(traced: Traced) -> str:
    seals = (traced.evidence.seals if traced.evidence else None) or {}
    return seals.get("policy", "")


def _about_health(settings: Settings, champion: Champion, traced: Traced) -> Question:
    """The question whether what is live is healthy where it is: it is its own champion there."""
    return _asked(settings, champion, traced, champion.digest, (), _ONE_PERSON)


def _question(
    target: Settings, now: Live, champion: Champion, traced: Traced, policy: Policy
) -> Question:
    """What people are asked before it goes there."""
    model = traced.event.model
    needed = approvals.policy(target, model, policy.approvals)
    beaten = now.champion.digest if now.champion else NOBODY
    return _asked(target, champion, traced, beaten, _makers(target, traced), needed)


def _asked(
    settings: Settings,
    champion: Champion,
    traced: Traced,
    beaten: str,
    makers: tuple[str, ...],
    needed: ApprovalPolicy,
) -> Question:
    return Question(
        model=traced.event.model,
        overlay=settings.overlay,
        release=champion.release,
        tag=champion.tag,
        digest=champion.digest,
        image=champion.image,
        evidence=champion.evidence,
        policy=_policy_hash(traced),
        champion=beaten,
        makers=makers,
        required=needed.required,
        own=needed.makers,
    )


def _makers(settings: Settings, traced: Traced) -> tuple[str, ...]:
    """Who wrote and who committed what was released."""
    source = traced.event.fields.source_commit.removesuffix("-dirty")
    words = ("log", "--max-count=1", "--format=%ae%n%ce", source, "--")
    said = "" if source in ("", "none") else protected_branch.answer(settings.project, *words)
    return tuple(sorted(set(said.lower().split())))


def _healthy(settings: Settings, champion: Champion, traced: Traced, today: datetime.date) -> str:
    """Who says since when it is healthy: the cluster, or a person by a signature.

    Raises Refused where nobody does.
    """
    canary = champion.canary
    if canary is not UNSET and canary.ended in _BY_THE_CLUSTER:
        return f"{canary.ended} since {canary.when}, as its cluster says: {canary.why}"
    question = _about_health(settings, champion, traced)
    # Where nothing says who may sign, nobody has.
    with contextlib.suppress(Refused):
        found = approvals.counted(settings, question, _ONE_PERSON, today, HEALTHY)
        for voice in found.approved:
            return f"since {voice.date}, as {voice.signer} signed in {voice.commit}"
    said = "nobody says that it is healthy there" if canary is UNSET else f"it is {canary.ended}"
    raise Refused(
        f"release {champion.release} is live in {settings.overlay}, and {said}; a canary that"
        " passed, or the signature of a person, is required",
        "Wait until it is recorded how its canary ended, or sign that you looked at it:"
        f" `sluice promote {traced.event.model} --from {settings.overlay} --vouch TEXT`.",
    )


def _require_compared(source: Settings, model: str, now: Live, target: Settings) -> None:
    """Raise Refused where what is live, or the anchor, was never live where it comes from: then no
    comparison leads from the one to the other.
    """
    with git.clone(source.remote, source.branch) as repo:
        known = {one.digest for one in manifest_repo.champions(source, repo, model)}
    for name, one in (("champion", now.champion), ("anchor", now.anchor)):
        if one is not None and one.digest not in known:
            raise Refused(
                f"the {name} of {target.overlay} is release {one.release}, which was never live in"
                f" {source.overlay}, so nothing there was compared with it",
                f"Release to {target.overlay}: SLUICE_OVERLAY={target.overlay} sluice release"
                f" {model}",
            )


def _record(
    source: Settings, traced: Traced, champion: Champion, healthy: str
) -> trailers.Promotion:
    """What the commit says: what that of the first overlay said, and how it came here."""
    kept = {
        name: getattr(traced.event.fields, name) for name in trailers.Promotion.__struct_fields__
    }
    kept |= {
        "promoted_from": f"{source.overlay} in {traced.event.commit}",
        "healthy": healthy,
        "approved": "",
        "approvers_of": "",
    }
    record = trailers.Promotion(**kept)
    return structs.replace(record, evidence_hash=champion.evidence)
