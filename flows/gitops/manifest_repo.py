"""The manifest repo as it is read: what is live, what lies beside it, and what was live before."""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import UNSET

from flows.adapters.files import write_atomic
from flows.adapters.git import git
from flows.adapters.git.access import address
from flows.adapters.registry import registry
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import Refused, SluiceError, UsageError
from sluice.gitops import kustomization, trailers
from sluice.gitops import state as records
from sluice.gitops.image_names import LOCAL_HOST, local_image
from sluice.gitops.manifest import ImageEntry, read_image
from sluice.gitops.state import (
    NO_QUARANTINE,
    NOTHING_PARKED,
    Anchor,
    Champion,
    Document,
    Parked,
    Quarantine,
)

NO_IMAGE = "sha256:" + "0" * 64  # what the template names before the first release
# What kustomize takes for the file of a folder, in the order in which it looks.
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
PRODUCTION = "production"  # the overlay that is meant where nobody names one
# What an anchor keeps of its release.
_OF_RELEASE = ("tag", "digest", "image", "release", "model", "recall", "precision")
_NEWEST, _ALL = 50, 0  # commits of a branch that are looked through
TEMPLATE_MODEL = "attrition"  # the model that deploy/argocd runs
_TEMPLATE_URL = "https://git.example.com/team/manifests.git"


_SEEDED = "manifests.seeded"  # beside the embedded repo, from its first release on


class RepoLost(UsageError):
    """The embedded manifest repo was there, and is gone."""


class _Kept(msgspec.Struct):
    """What an outcome under the state folder tells of the manifest repo: versions before the mark
    left nothing else.
    """

    release: int = 0
    verdict: str = ""


@dataclass(frozen=True)
class State:
    """What is recorded of a model beside an overlay; the quarantine holds for all overlays."""

    champion: Champion | None = None
    anchor: Anchor | None = None
    quarantine: Quarantine = NO_QUARANTINE
    parked: Parked = NOTHING_PARKED


@dataclass(frozen=True)
class Live:
    """What the manifest repo says: its tip, the entry of the overlay and the `file` that it stands
    in, and the state recorded beside it. `namespace` is that of the cluster, empty where the file
    names none. `anchor_fault` says how the record of the anchor differs from that of its release;
    it is empty where it does not, where no commit knows that release, and where `read` did not
    look.
    """

    tip: str
    entry: ImageEntry
    champion: Champion | None
    anchor: Anchor | None
    quarantine: Quarantine = NO_QUARANTINE
    parked: Parked = NOTHING_PARKED
    file: str = ""
    namespace: str = ""
    anchor_fault: str = ""

    @property
    def released(self) -> ImageEntry | None:
        """The entry as the last release left it; None where there was no release."""
        champion = self.champion
        if champion is None:
            return None
        return ImageEntry(self.entry.name, champion.image, champion.tag, champion.digest)

    @property
    def by_hand(self) -> bool:
        """Whether a person wrote something into the entry that no release wrote."""
        if self.released is None:
            return self.entry.digest not in ("", NO_IMAGE)
        return self.entry != self.released

    @property
    def release(self) -> int:
        """The number of the champion; 0 where there is none."""
        return self.champion.release if self.champion else 0


def image_name(settings: Settings, model: str) -> str:
    """The image's name where it is kept: SLUICE_REGISTRY in the place of the embedded host."""
    return f"{settings.registry or LOCAL_HOST}/{model}"


def images(settings: Settings, model: str) -> registry.Place:
    """Where the images of a model are kept: the registry, or the layout that stands in for it."""
    layouts = settings.home / "registry"
    return registry.place(image_name(settings, model), layouts, settings.registry_timeout)


def seed(settings: Settings) -> None:
    """Make the embedded manifest repo from deploy/argocd, once; a repo of the user's own is never
    seeded.

    A mark beside it tells later that it was there. Raises RepoLost where it was, and is gone.
    """
    if not there(settings):
        _from_template(settings)
    if not settings.manifests:
        mark = settings.home / _SEEDED
        if not mark.exists():
            write_atomic(mark, b"manifests.git was made here; where it is missing, it was lost.\n")


def template(url: str) -> dict[str, bytes]:
    """The files of deploy/argocd by path, with the address of a manifest repo in them."""
    folder = ROOT / "deploy" / "argocd"
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes().replace(_TEMPLATE_URL.encode(), url.encode())
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _from_template(settings: Settings) -> None:
    files = template(address(settings.manifest_url))
    message = "Start from the template\n\nWhat Argo CD applies before the first release.\n"
    git.seed(settings.home / "manifests.git", files, settings.branch, message, settings.signature)


def there(settings: Settings) -> bool:
    """Whether there is a manifest repo: one of the user's own, or the embedded one once it is
    seeded.

    Raises RepoLost where the embedded one was there, and is gone: that is not "nothing is live".
    """
    if settings.manifests or (settings.home / "manifests.git" / "HEAD").exists():
        return True
    if _was_there(settings.home):
        raise RepoLost(
            f"the manifest repo, in which releases were recorded, is gone: {settings.manifest_url}",
            "Put it back from a backup. To begin anew without it, name another folder in"
            " SLUICE_HOME.",
        )
    return False


def require(settings: Settings) -> None:
    """Raise RepoLost where the embedded manifest repo is gone, UsageError where it never was."""
    if not there(settings):
        raise UsageError(
            f"nothing was released yet: there is no manifest repo at {settings.manifest_url}",
            "Run `sluice release`, which makes it, or set SLUICE_MANIFESTS.",
        )


def _was_there(home: Path) -> bool:
    """Whether a manifest repo was seeded in a state folder, or a release of it came to a number."""
    if (home / _SEEDED).exists():
        return True
    kept = sorted((home / "outcomes").glob("*/*.json"))
    return any(_was_numbered(path) for path in kept)


def _was_numbered(path: Path) -> bool:
    """Whether an outcome is that of a release that took its number: who has a verdict has one."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:  # taken away since it was listed, by the release that goes on
        return False
    except (ValueError, RecursionError):  # what is broken says nothing
        return False
    return bool(kept.release or kept.verdict)


def live(settings: Settings, model: str) -> Live | None:
    """What is live now, with its anchor held against its release; None where the embedded repo does
    not exist yet.
    """
    if not there(settings):
        return None
    with git.clone(settings.remote, settings.branch) as repo:
        return checked(settings, model, repo)


def overlay_folder(settings: Settings) -> str:
    """The folder whose kustomization a release writes."""
    return f"overlays/{settings.overlay}"


def overlay(settings: Settings, repo: git.Clone, model: str) -> str:
    """The path of the kustomization that a release writes, under the name that it has in a clone:
    that of the model's own folder in the overlay, or that of the overlay.

    Raises UsageError where the clone has none, or two of them, which kustomize refuses too.
    """
    folder = overlay_folder(settings)
    found: list[str] = []
    for place in (f"{folder}/{model}", folder):
        if not found:
            folder, present = place, git.names(repo, place)
            found = [name for name in KUSTOMIZATIONS if name in present]
    if not found:
        raise UsageError(
            f"the manifest repo has no {folder}/{KUSTOMIZATIONS[0]} on branch {settings.branch}",
            "Copy deploy/argocd into it, or set SLUICE_MANIFESTS, SLUICE_BRANCH and"
            " SLUICE_OVERLAY. What the model needs is written by"
            f" `sluice deploy-files {model} --to FOLDER`.",
        )
    if len(found) > 1:
        raise UsageError(
            f"{folder} of the manifest repo has {' and '.join(found)}; one of them is required",
            "Remove the other ones.",
        )
    return f"{folder}/{found[0]}"


def overlays(repo: git.Clone, model: str) -> list[str]:
    """The names of the overlays that a clone has for a model, sorted: folders with a kustomization,
    of their own or of the model.
    """

    def has_one(folder: str) -> bool:
        return bool(set(KUSTOMIZATIONS).intersection(git.names(repo, folder)))

    return [
        name
        for name in git.names(repo, "overlays")
        if has_one(f"overlays/{name}/{model}") or has_one(f"overlays/{name}")
    ]


def apart(settings: Settings) -> str:
    """What stands before our names of another overlay than production, so that each has a champion
    of its own.
    """
    return "" if settings.overlay == PRODUCTION else f"{settings.overlay}/"


def place(settings: Settings, word: str) -> str:
    """Where a release goes or is, in words: nothing for production, ` to staging` or ` in staging`
    for that.
    """
    return "" if settings.overlay == PRODUCTION else f" {word} {settings.overlay}"


def state(settings: Settings, model: str, name: str) -> str:
    """The path of a state file: champion, anchor or parked of the overlay, or the quarantine, which
    holds for all.
    """
    return f"state/{model}/{'' if name == 'quarantine' else apart(settings)}{name}.json"


def branch(settings: Settings, verb: str, model: str, tag: str) -> str:
    """Where something is proposed: `release/<model>/<tag>`."""
    return f"{verb}/{model}/{apart(settings)}{tag}"


def text(repo: git.Clone, path: str) -> str:
    """A file of the clone's tip, line ends untouched; empty where there is none. Raises SluiceError
    for what is no UTF-8, and as `git.file`.
    """
    try:
        return (git.file(repo, path) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        what = (
            f"{path} of branch {repo.branch} is not UTF-8: byte {error.start} is"
            f" {error.object[error.start]:#04x}"
        )
        raise SluiceError(what, "Save it as UTF-8, and commit that.") from None


def has_entry(repo: git.Clone, path: str, image: str) -> bool:
    """Whether a kustomization of a clone says what stands in the place of this image."""
    return kustomization.has(text(repo, path), image)


def read(settings: Settings, model: str, repo: git.Clone) -> Live:
    """What a clone of the branch says; without an entry for the model, nothing of it is live.

    Raises UsageError where it has no such overlay, or an entry that cannot be edited.
    """
    path = overlay(settings, repo, model)
    image, content = local_image(model), text(repo, path)
    if kustomization.has(content, image):
        entry = read_image(content, image, path)
    else:
        entry = ImageEntry(image, image, "", "")
    found = states(settings, model, repo)
    return Live(
        tip=repo.tip,
        entry=entry,
        champion=found.champion,
        anchor=found.anchor,
        quarantine=found.quarantine,
        parked=found.parked,
        file=path,
        namespace=kustomization.namespace(content),
    )


def checked(settings: Settings, model: str, repo: git.Clone) -> Live:
    """The same with the record of the anchor held against that of its release, for which the whole
    history is fetched where the anchor is older than the champion.
    """
    now = read(settings, model, repo)
    return replace(now, anchor_fault=_anchor_fault(settings, model, repo, now))


def require_anchor(settings: Settings, model: str, now: Live | None) -> None:
    """Raise Refused where the record of the anchor is not that of its release.

    Whoever edits it hides how far the next one falls, or which model that is compared with.
    """
    if now is not None and now.anchor_fault:
        path = state(settings, model, "anchor")
        raise Refused(
            now.anchor_fault, f"Somebody edited {path}: take that back in the manifest repo first."
        )


def _anchor_fault(settings: Settings, model: str, repo: git.Clone, found: Live) -> str:
    """What an edited record says, and what its release recorded when it went live.

    Digest, tag or number tell which release it is. One that shares none of them with any is of a
    history that is not there, unless the branch has the first release.
    """
    anchor, path = found.anchor, state(settings, model, "anchor")
    if anchor is None or (found.champion is not None and not _differs(anchor, found.champion)):
        return ""  # nothing older has to be fetched
    recorded = list(reversed(champions(settings, repo, model)))
    alike = [one for one in recorded if _is_alike(anchor, one)]
    if any(not _differs(anchor, one) for one in alike):
        return ""  # an image may have been released more than once
    if alike:
        released = min(alike, key=lambda one: one.digest != anchor.digest)
        return f"{_differs(anchor, released, path)}, as release {released.release} recorded it"
    if recorded and recorded[0].release == 1:
        return f"release in {path} is {anchor.release}; one of the history is required"
    return ""


def _is_alike(anchor: Anchor, one: Champion) -> bool:
    return anchor.digest == one.digest or anchor.tag == one.tag or anchor.release == one.release


def _differs(anchor: Anchor, released: Champion, path: str = "") -> str:
    """The first value in which the two differ; empty where they do not."""
    for name in _OF_RELEASE:
        now, then = getattr(anchor, name), getattr(released, name)
        if now != then:
            shown, wanted = ("none" if one is UNSET else one for one in (now, then))
            return f"{name} in {path} is {shown}; {wanted} is required"
    return ""


def states(settings: Settings, model: str, repo: git.Clone) -> State:
    """The state of a model in an overlay, as a clone has it. Raises SluiceError naming the file
    that is not what it should be.
    """

    def recorded(name: str, kind: type[Document]) -> Document | None:
        path = state(settings, model, name)
        content = text(repo, path)
        return records.decode(content, kind, path) if content else None

    return State(
        recorded("champion", Champion),
        recorded("anchor", Anchor),
        recorded("quarantine", Quarantine) or NO_QUARANTINE,
        recorded("parked", Parked) or NOTHING_PARKED,
    )


def champions(settings: Settings, repo: git.Clone, model: str) -> list[Champion]:
    """Every champion that the branch ever recorded for the overlay, as it was recorded, the newest
    first.
    """
    path = state(settings, model, "champion")
    champions = []
    for content in git.versions(repo, path):
        try:
            champions.append(records.decode(content, Champion, path))
        except SluiceError:
            continue  # a file that somebody broke and mended since, or removed
    return champions


def since(settings: Settings, champion: Champion) -> str:
    """When the champion was committed, ISO 8601; empty where that lies too far back to be looked up
    quickly.
    """
    for _, date, message in git.log(settings.remote, settings.branch):
        named = trailers.known(trailers.read_trailers(message))
        if champion.promotion and champion.promotion in (named.promotion_id, named.restores):
            return date
    return ""


def said_of(settings: Settings, champion: Champion) -> dict[str, str]:
    """The trailers of the commit that first made a champion live; none where no commit of the
    branch is that one. The newest commits are looked at first.
    """
    if not champion.promotion:
        return {}
    for depth in (_NEWEST, _ALL):
        for _, _, message in git.log(settings.remote, settings.branch, depth):
            said = trailers.read_trailers(message)
            named = (said.get("Promotion-Id"), said.get("Image-Digest"))
            if named == (champion.promotion, champion.digest):
                return dict(said)
    return {}
