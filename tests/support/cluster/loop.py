"""Releases of a story by the one writer, and the loop closer beside the real controllers: `sluice
reconcile --watch` as a process of its own, with no other right than that of the shipped component.
"""

import datetime
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.argocd import DEPLOY
from support.cluster import story as stories
from support.cluster.beside import SLUICE, Beside, beside
from support.cluster.candidates import MODEL
from support.cluster.description import Cluster
from support.cluster.kube import Kube, documents
from support.cluster.stage import SPACE
from support.cluster.story import DEADLINE, Story
from support.cluster.waiting import until
from support.cluster.watch import Watched

from flows.adapters.git import git
from flows.adapters.process import run
from flows.gitops import manifest_repo
from flows.gitops.promotion import Promotion, promote, promotion_id
from flows.gitops.writer import Written
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.gitops import trailers
from sluice.gitops.image_names import local_image
from sluice.gitops.manifest import ImageEntry
from sluice.gitops.state import Champion, Reference

EVERY = 5  # seconds between two looks of the loop closer
_TOKEN_SECONDS = 7 * 24 * 3600
_CONTEXT = "sluice"  # of the kubeconfigs of the tests
Json = dict[str, Any]


@dataclass(frozen=True)
class Loop:
    """The manifest repository as releases write it, and the loop closer; `env` is that of commands
    that people type.
    """

    cluster: Cluster
    story: Story
    settings: Settings
    env: Mapping[str, str]
    closer: Beside

    def release(self, digest: str, tag: str) -> Written:
        """Write a release of an image that was compared with what is live, and tell Argo CD as a
        webhook does.
        """
        live = self.champion()
        written = self.write(digest, tag, live.release + 1, live)
        self.story.refresh()
        return written

    def write(self, digest: str, tag: str, number: int, against: Champion | None) -> Written:
        """Write a release that was compared with this one, live or not; nobody is told."""
        return promote(self.settings, _promotion(self.settings, digest, tag, number, against))

    @property
    def bare(self) -> Path:
        """The manifest repository itself."""
        return self.story.work.parent / "manifests.git"

    def champion(self) -> Champion:
        """What git names as live."""
        live = manifest_repo.live(self.settings, MODEL)
        assert live is not None
        assert live.champion is not None
        assert not live.by_hand
        return live.champion

    def names(self, digest: str) -> bool:
        """Whether git names this image."""
        return self.champion().digest == digest

    def recorded(self, digest: str) -> str:
        """How the canary of this image ended, as far as git says so; empty where it does not."""
        live = self.champion()
        if live.digest != digest or not live.canary:
            return ""
        return live.canary.ended

    def state(self, name: str) -> Json:
        """A state file of the model; empty where there is none."""
        path = f"state/{MODEL}/{name}.json"
        with git.clone(self.settings.remote, self.settings.branch) as repo:
            found = git.file(repo, path)
        return json.loads(found) if found else {}

    def barred(self, kind: str) -> dict[str, str]:
        """The digests in `quarantine`, or those that are `parked`, and why."""
        return {one["digest"]: one["why"] for one in self.state(kind).get("entries", [])}

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command, typed by a person."""
        return subprocess.run(
            [*SLUICE, *words],
            env={**os.environ, **self.env},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@dataclass(frozen=True)
class TakenBack:
    """A canary that the cluster aborted, and the commit that followed: seconds from one to the
    other, both to the second; the hash of its version; what git names by now.
    """

    seconds: float
    version: str
    live: Champion


def taken_back(loop: Loop, watched: Watched, digest: str, seconds: float) -> TakenBack:
    """Wait until a canary was aborted, git names another image, and everybody is served by that.
    Nothing is done for it.
    """
    story = loop.story
    until(lambda: not loop.names(digest), seconds, story.told, every=1.0)
    aborted, live = watched.aborted(digest), loop.champion()
    assert aborted, story.told()
    until(lambda: story.healthy_with(live.digest), 90, story.told)
    committed = run(["git", "log", "-1", "--format=%cI", "main"], cwd=loop.bare).stdout.strip()
    took = moment(committed) - moment(aborted)
    return TakenBack(took.total_seconds(), watched.version(digest), live)


def moment(written: str) -> datetime.datetime:
    """A moment as git and the API write it."""
    return datetime.datetime.fromisoformat(written)


@contextmanager
def playing(
    cluster: Cluster,
    first: str,
    folder: Path,
    analysis: str = "base/analysis.yaml",
    more: str = "",
    deadline: int = DEADLINE,
    looks: int = 0,
) -> Iterator[Loop]:
    """A story whose first release serves, and the loop closer beside it; its candidates are judged
    by one of the shipped analyses. `more` is a component that is switched on besides; without
    progress for `deadline` seconds, one is taken back. The judge looks at a step `looks` times at
    most, or as often as is shipped.
    """
    with stories.beginning(cluster, folder, analysis, more, deadline, looks) as story:
        loop = begin(cluster, story, folder)
        loop.write(first, "first000", 1, None)
        stories.follow(story)
        with beside(loop.closer):
            until(lambda: story.healthy_with(first), 400, story.told)
            until(lambda: loop.recorded(first), 60, loop.closer.log.read_text)
            yield loop


def begin(cluster: Cluster, story: Story, folder: Path) -> Loop:
    """What releases of a story need, before the first of them."""
    remote = (folder / "manifests.git").as_uri()
    home = folder / "home"
    home.mkdir()
    env = {
        "SLUICE_HOME": str(home),
        "SLUICE_MANIFESTS": remote,
        "SLUICE_REGISTRY": cluster.registry,
        "SLUICE_CLUSTER": _CONTEXT,
        "SLUICE_TRACKING_URI": "",
        "SLUICE_ACTOR": "anna",
        "KUBECONFIG": str(_least(story.kube, folder)),
    }
    settings = Settings(
        home=home,
        manifests=remote,
        registry=cluster.registry,
        cluster=_CONTEXT,
        tracking_uri="",
        actor="anna",
    )
    words = ("reconcile", MODEL, "--watch", "--json", "--every", str(EVERY))
    closer = Beside(words, folder / "reconcile.log", '"ending"', env=env)
    return Loop(cluster, story, settings, env, closer)


def _promotion(
    settings: Settings, digest: str, tag: str, number: int, against: Champion | None
) -> Promotion:
    """What a release writes of an image that was built and found good."""
    kept = manifest_repo.image_name(settings, MODEL)
    entry = ImageEntry(local_image(MODEL), kept, tag, digest)
    name = promotion_id(MODEL, entry, number)
    before = Reference(against.tag, against.digest, against.model) if against else None
    champion = Champion(
        tag=tag,
        digest=digest,
        image=entry.new_name,
        release=number,
        model=f"model of {tag}",
        recall=0.75,
        precision=0.7,
        against=before,
        promotion=name,
    )
    record = trailers.Promotion(
        promotion_id=name,
        model=MODEL,
        release=number,
        image_digest=digest,
        against=before.tag if before else "none",
    )
    return Promotion(MODEL, champion, f"Release {number}", "A scene.", record)


def _least(kube: Kube, folder: Path) -> Path:
    """A kubeconfig of the account of `components/reconcile`, which may read and no more."""
    rights = documents(DEPLOY / "components" / "reconcile" / "rights.yaml")
    for one in rights:
        one["metadata"]["namespace"] = SPACE
    kube.apply_all(rights)
    [account] = [one["metadata"]["name"] for one in rights if one["kind"] == "ServiceAccount"]
    asked = {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
    path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/{account}/token"
    token = kube.post(path, asked)["status"]["token"]
    return kube.beside(folder / "least.kubeconfig", {"token": token})
