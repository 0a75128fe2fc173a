"""A promotion: one entry and the state beside it in one commit, or the outcome that the tip of the
branch dictates.
"""

import hashlib
from dataclasses import dataclass, replace

from msgspec import UNSET, structs

from flows.adapters.failpoints import boundary
from flows.adapters.git import git
from flows.gitops import deploy_files, manifest_repo, writer
from flows.gitops.manifest_repo import Live
from flows.gitops.quarantine import present
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.gitops import quarantine, state, trailers
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry, set_image
from sluice.gitops.state import Anchor, Champion


@dataclass(frozen=True)
class Promotion:
    """What a release wants live: its record as the champion, and what its commit says.

    The commit's message is `subject`, `body` and `trailers`.
    """

    model: str
    champion: Champion
    subject: str
    body: str
    trailers: trailers.Promotion

    @property
    def entry(self) -> ImageEntry:
        """The image entry as it is to be."""
        champion = self.champion
        name = local_image(self.model)
        return ImageEntry(name, champion.image, champion.tag, champion.digest)

    @property
    def against(self) -> str:
        """The tag of the champion that it was compared with; empty for a first release."""
        return _against(self.champion)


def _against(champion: Champion) -> str:
    return champion.against.tag if champion.against else ""


@boundary("promotion.write")
def promote(settings: Settings, promotion: Promotion, moment: str = "") -> Written:
    """Write the promotion, deciding anew from the new tip after a lost race.

    `moment` is the present unless it is given. Raises what `writer.write` raises.
    """
    moment = moment or present()

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, promotion.model, repo)
        return dictated(promotion, now, moment) or _change(settings, promotion, now, repo)

    written = writer.write(settings, settings.branch, decide)
    if written.outcome in ("committed", "proposed"):
        return replace(written, release=promotion.champion.release)
    return written


@dataclass(frozen=True)
class CarriedOver:
    """What goes from one overlay to another: the champion there, what is live where it goes (None
    for nothing), and what the commit says.
    """

    champion: Champion
    instead_of: Champion | None
    record: trailers.Promotion
    line: str


def carry_over(source: Settings, target: Settings, model: str, carried: CarriedOver) -> Written:
    """Make the champion of one overlay that of another, if it is still that, and still the same is
    live where it goes. Raises what `writer.write` raises.
    """
    moment = present()
    champion = carried.champion
    entry = ImageEntry(local_image(model), champion.image, champion.tag, champion.digest)
    name = promotion_id(model, entry, champion.release, manifest_repo.apart(target))
    there = structs.replace(champion, promotion=name, restored=UNSET, canary=UNSET)
    promotion = Promotion(
        model=model,
        champion=there,
        subject=(
            f"Promote release {there.release} of {model} from {source.overlay} to"
            f" {target.overlay}: {there.tag}"
        ),
        body=carried.line,
        trailers=structs.replace(carried.record, promotion_id=name),
    )

    def decide(repo: git.Clone) -> Change | Written:
        before = manifest_repo.read(source, model, repo)
        now = manifest_repo.read(target, model, repo)
        if now.champion is not None and now.champion.digest == champion.digest and not now.by_hand:
            sentence = f"release {now.release} is live in {target.overlay} already"
            return Written("already there", sentence, now.tip, now.release)
        moved = _moved(source, before, carried) or _replaced(target, now, carried)
        if moved:
            return Written("superseded", moved, release=now.release)
        in_the_way = barred(now, moment, champion.digest, champion.tag)
        return in_the_way or _change(target, promotion, now, repo)

    written = writer.write(target, target.branch, decide)
    if written.outcome in ("committed", "proposed"):
        return replace(written, release=champion.release)
    return written


def _moved(source: Settings, before: Live, carried: CarriedOver) -> str:
    """How something else became live where it comes from; empty where it did not."""
    wanted = carried.champion.digest
    if before.champion is not None and before.champion.digest == wanted == before.entry.digest:
        return ""
    return f"release {before.release} is live in {source.overlay} by now"


def _replaced(target: Settings, now: Live, carried: CarriedOver) -> str:
    """How something else became live where it goes; empty where it did not."""
    instead_of = carried.instead_of.digest if carried.instead_of else ""
    if now.release > carried.champion.release:
        return f"release {now.release} is live in {target.overlay}, which is newer"
    if instead_of != (now.champion.digest if now.champion else ""):
        return f"release {now.release} is live in {target.overlay} by now"
    return ""


def dictated(promotion: Promotion, now: Live, moment: str) -> Written | None:
    """The outcome that the tip itself dictates, or None where there is something to write."""
    wanted = promotion.champion
    is_champion = now.champion is not None and now.champion.digest == wanted.digest
    if is_champion and now.entry == promotion.entry:
        sentence = "the manifest repo already names this image"
        return Written("already there", sentence, now.tip, now.release)
    in_the_way = barred(now, moment, wanted.digest, wanted.tag)
    if in_the_way and in_the_way.outcome != "parked":
        return in_the_way
    overtaken = _overtaken(promotion, now)
    if overtaken:
        return Written("superseded", overtaken)
    return in_the_way


def barred(now: Live, moment: str, digest: str = "", tag: str = "") -> Written | None:
    """What keeps an image from being written, whoever wants it: quarantine, a person's edit, or a
    time to wait; None where nothing does. Without an image, what keeps every image.
    """
    entry = quarantine.barred(now.quarantine, digest, tag)
    if entry:
        return Written("quarantined", quarantine.reason(entry), release=now.release)
    if now.by_hand:
        return held(now)
    waiting = quarantine.waiting(now.parked, digest, moment)
    if waiting:
        return Written("parked", quarantine.waits(waiting), release=now.release)
    return None


def _overtaken(promotion: Promotion, now: Live) -> str:
    """How another release came first; empty where none did."""
    number = promotion.champion.release
    if now.release > number:
        return f"release {now.release} is live, newer than release {number}"
    champion = now.champion.tag if now.champion else ""
    if champion != promotion.against and not _is_sibling(promotion, now.champion):
        return f"the champion is {champion or 'none'} by now, not {promotion.against or 'none'}"
    return ""


def _is_sibling(promotion: Promotion, champion: Champion | None) -> bool:
    """Whether the champion was compared with the same one as this promotion: then the higher number
    wins.
    """
    return champion is not None and _against(champion) == promotion.against


def held(now: Live) -> Written:
    """A person wrote the entry: what they wrote, and how to let releases write again."""
    back = f"a digest of {manifest_repo.NO_IMAGE}"
    if now.released:
        back = now.released.reference
    sentence = (
        f"a person set {now.entry.reference}, which no release wrote; set it back to {back} to let"
        " releases write"
    )
    return Written("held", sentence)


def _change(settings: Settings, promotion: Promotion, now: Live, repo: git.Clone) -> Change:
    """The entry, the champion, and the anchor where there is none yet."""
    model, champion = promotion.model, promotion.champion
    if now.champion is None:
        deploy_files.require_in(settings, model, repo)
    path = manifest_repo.overlay(settings, repo, model)
    files = {
        path: set_image(manifest_repo.text(repo, path), promotion.entry, path),
        manifest_repo.state(settings, model, "champion"): state.encode(champion),
    }
    if now.anchor is None:
        first = anchor_of(champion, "the first release")
        files[manifest_repo.state(settings, model, "anchor")] = state.encode(first)
    message = trailers.commit_message(
        promotion.subject, promotion.body, trailers.pairs(promotion.trailers)
    )
    return Change(files, message, manifest_repo.branch(settings, "release", model, champion.tag))


def anchor_of(champion: Champion, reason: str) -> Anchor:
    """The anchor that a champion becomes."""
    return Anchor(
        tag=champion.tag,
        digest=champion.digest,
        image=champion.image,
        release=champion.release,
        model=champion.model,
        recall=champion.recall,
        precision=champion.precision,
        skill=champion.skill,
        reason=reason,
    )


def promotion_id(model: str, entry: ImageEntry, number: int, apart: str = "") -> str:
    """Names a promotion: the same release of the same image to the same overlay has the same."""
    return hashlib.sha256(f"{apart}{model}\0{entry.reference}\0{number}".encode()).hexdigest()[:16]
