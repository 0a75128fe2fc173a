"""The anchor: the frozen reference that no chain of small losses can leave behind. Moving it is a
recorded act.
"""

from typing import Any

from flows.adapters.git import git
from flows.adapters.registry import registry
from flows.gitops import manifest_repo, writer
from flows.gitops.quarantine import names
from flows.gitops.writer import Change, Written
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.gitops.manifest import commit_message

_KEPT = ("schema", "tag", "digest", "image", "release", "model", "recall", "precision")


def move(settings: Settings, model: str, to: str, why: str) -> Written:
    """Make a release the anchor: `champion`, or the tag or digest of an earlier one. Raises
    UsageError for none.
    """

    def decide(repo: git.Clone) -> Change | Written:
        now = manifest_repo.read(settings, model, repo)
        wanted = _wanted(manifest_repo.champions(settings, repo, model), model, to)
        number = int(wanted["release"])
        if (now.anchor or {}).get("digest") == wanted["digest"]:
            return Written(
                "already there",
                f"release {number} of {model} is the anchor already",
                now.tip,
                number,
            )
        _there(settings, model, str(wanted["tag"]))
        before = (now.anchor or {}).get("tag", "none")
        trailers = {
            "Model": model,
            "Anchor": wanted["tag"],
            "Anchor-Before": before,
            "By": settings.who,
            "Reason": why,
        }
        message = commit_message(
            f"Anchor {model} to release {number}: {wanted['tag']}", f"{why.rstrip('.')}.", trailers
        )
        files = {
            manifest_repo.state(settings, model, "anchor"): manifest_repo.encoded(
                {**wanted, "reason": why}
            )
        }
        return Change(
            files, message, manifest_repo.branch(settings, "anchor", model, str(wanted["tag"]))
        )

    return writer.write(settings, settings.branch, decide)


def _wanted(champions: list[dict[str, Any]], model: str, to: str) -> dict[str, Any]:
    """The release that is meant, as it was recorded; the champion is the newest one."""
    found = {
        one["digest"]: one
        for one in reversed(champions[:1] if to == "champion" else champions)
        if to == "champion" or names(to, one)
    }
    if not found:
        what = (
            f"{model} has no champion" if to == "champion" else f"{to!r} is no release of {model}"
        )
        raise UsageError(
            what, "Name a tag or a digest of a release, or `champion` once there is one."
        )
    if len(found) > 1:
        raise UsageError(f"{to} names {len(found)} releases of {model}", "Write more of it.")
    [one] = found.values()
    return {name: one[name] for name in _KEPT if name in one}


def _there(settings: Settings, model: str, tag: str) -> None:
    """Without its artifact in the registry, nothing could be compared with it."""
    place = registry.place(manifest_repo.image_name(settings, model), settings.home / "registry")
    if not registry.digest(place, f"{tag}.model"):
        fix = "Restore the artifact in the registry, or choose another release."
        raise SluiceError(
            f"the registry has no {tag}.model, so nothing could be compared with it", fix
        )
