"""The loop closer before a real API server: objects with the status that the controllers write, and
what comes of them in a real manifest repo.
"""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import rollouts
from support.argocd import DEPLOY
from support.cluster.api_server import ApiServer
from support.cluster.kube import Kube, Refused, kubeconfig
from support.git_repos import (
    ONE,
    QUARANTINE,
    STATE,
    TWO,
    commits,
    digest,
    document,
    image,
    promotion,
    seeded,
    tip,
)
from support.rollouts import ERRORS, FAILED, NEW, NO_REASON, OLD, Document

from flows.adapters import kubernetes
from flows.adapters.kubernetes import Place
from flows.gitops.promotion import promote
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.errors import SluiceError

NAME = "sluice.local/attrition"
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/attrition/rollouts"
SHARE = [rollouts.metric("error-share", "Failed", "[0.5]")]


@dataclass(frozen=True)
class Cluster:
    """The namespace of the model on the API server, and a manifest repo with two releases."""

    server: ApiServer
    settings: Settings

    @property
    def place(self) -> Place:
        return Place("sluice", "attrition")

    def holds(
        self,
        status: Document,
        runs: Sequence[Document] = (),
        versions: Sequence[Document] | None = None,
        runs_now: str = TWO,
    ) -> None:
        """The API has these objects, as if controllers had made them."""
        kube = self.server.kube
        wanted = rollouts.rollout(digest(runs_now), {})
        wanted.pop("status")
        wanted["metadata"] = {"name": "attrition", "namespace": "attrition"}
        made = kube.apply(wanted)
        about = made["metadata"]
        seen = {**status, "observedGeneration": str(about["generation"])}
        kube.merge(f"{ROLLOUTS}/attrition/status", {"status": seen})
        both = rollouts.both(digest(ONE), digest(TWO)) if versions is None else versions
        for one in [*both, *runs]:
            owned = json.loads(json.dumps(one))
            del owned["metadata"]["creationTimestamp"]
            owned["metadata"]["ownerReferences"][0]["uid"] = about["uid"]
            kube.apply(owned)

    def typed(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as a process of its own."""
        return self._start([command, *words]).result()

    def _start(self, words: Sequence[str]) -> "Running":
        return Running(
            subprocess.Popen(
                [sys.executable, "-c", _MAIN, words[0], "attrition", *words[1:]],
                cwd=ROOT,
                env=os.environ
                | {
                    "SLUICE_HOME": str(self.settings.home),
                    "SLUICE_CLUSTER": "sluice",
                    "SLUICE_ACTOR": "anna",
                    "KUBECONFIG": str(self.server.kubeconfig),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def twice_at_once(self) -> list[subprocess.CompletedProcess[str]]:
        """Two copies, begun at the same moment."""
        return [one.result() for one in [self._start(["reconcile", "--json"]) for _ in range(2)]]


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]

    def result(self) -> subprocess.CompletedProcess[str]:
        out, err = self.process.communicate(timeout=120)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)


@pytest.fixture
def cluster(api_server: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    os.environ["KUBECONFIG"] = str(api_server.kubeconfig)
    for one in yaml.safe_load_all((DEPLOY / "namespaces.yaml").read_text()):
        api_server.kube.apply(one)
    given = seeded(tmp_path, cluster="sluice")
    for number, (tag, against) in enumerate([(ONE, ""), (TWO, ONE)], 1):
        assert promote(given, promotion(tag, number, against)).outcome == "committed"
    yield Cluster(api_server, given)
    kinds = ("argoproj.io/v1alpha1", "rollouts"), ("argoproj.io/v1alpha1", "analysisruns")
    for version, plural in (*kinds, ("apps/v1", "replicasets")):
        api_server.kube.delete(f"/apis/{version}/namespaces/attrition/{plural}")


def after(seconds: float) -> str:
    """A moment as the API writes it, so many seconds from now."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def person() -> dict[str, Any]:
    return {"status": rollouts.aborted(NO_REASON, after(5))}


def never_ready() -> dict[str, Any]:
    return {"status": rollouts.aborted(NO_REASON, after(4000))}


def scene(status: Document, runs: Sequence[Document] = (), **more: Any) -> dict[str, Any]:
    return {"status": status, "runs": runs, **more}


ERROR = rollouts.run(2, "Error", message="consecutiveErrors (5) > consecutiveErrorLimit (4)")
SCENES = {
    "good": (scene(rollouts.healthy(), rollouts.all_passed()), "healthy"),
    "judged": (scene(rollouts.aborted(FAILED), [rollouts.run(2, "Failed", SHARE)]), "harmful"),
    "not measured": (scene(rollouts.aborted(ERRORS), [ERROR]), "unfit"),
    "never ready": (never_ready(), "unfit"),
    "inconclusive": (
        scene(rollouts.paused("InconclusiveAnalysisRun", "2026-01-01T00:00:00Z")),
        "unfit",
    ),
    "a person aborted": (person(), "aborted"),
    "a person promoted": (scene(rollouts.healthy()), "promoted"),
    "first": (
        scene(rollouts.healthy(), versions=[rollouts.replica_set(NEW, digest(TWO), 1)]),
        "unproven",
    ),
    "superseded": (scene(rollouts.aborted(FAILED), runs_now=ONE), "waits"),
    "in the middle": (scene(rollouts.going_on(2)), "waits"),
}
_MAIN = "from sluice_command import main; main()"
STAYS = ("healthy", "promoted", "unproven")


@pytest.mark.parametrize("name", SCENES)
def test_each_end_once_again_and_in_two_copies(cluster: Cluster, name: str) -> None:
    objects, word = SCENES[name]
    cluster.holds(**objects)
    before = commits(cluster.settings)
    copies = cluster.twice_at_once()
    assert [one.returncode for one in copies] == [0, 0], [one.stderr for one in copies]
    found = [json.loads(one.stdout) for one in copies]
    written = [one["written"]["outcome"] for one in found]
    if word == "waits":
        assert written == ["waits", "waits"]
        assert commits(cluster.settings) == before
        return
    assert "committed" in written
    assert set(written) <= {"committed", "already there", "superseded"}
    assert word in {one["ending"]["word"] for one in found}
    assert commits(cluster.settings) == before + 1
    made = tip(cluster.settings)
    live = TWO if word in STAYS else ONE
    assert image(cluster.settings)["digest"] == digest(live)
    assert document(cluster.settings, STATE)["digest"] == digest(live)
    if word in STAYS:
        assert document(cluster.settings, STATE)["canary"]["ended"] == word
    if word in ("harmful", "aborted"):
        [entry] = document(cluster.settings, QUARANTINE)["entries"]
        assert entry["digest"] == digest(TWO)
    if word == "unfit":
        [entry] = document(cluster.settings, "state/attrition/parked.json")["entries"]
        assert entry["digest"] == digest(TWO)
    # Once more, and then as Argo CD leaves it where it had something to sync.
    again = cluster.typed("reconcile")
    assert again.returncode == 0, again.stderr
    assert tip(cluster.settings) == made


def test_it_reads_what_the_controllers_write(cluster: Cluster) -> None:
    cluster.holds(rollouts.going_on(5, 25), [*rollouts.all_passed()[:1], ERROR])
    seen = kubernetes.seen(cluster.place, NAME)
    assert (seen.digest, seen.stable) == (digest(TWO), digest(ONE))
    assert [one.hash for one in seen.versions] == sorted((OLD, NEW))
    assert [run.status.phase for run in seen.own_runs] == ["Error"]
    assert seen.rollout.status.canary.weights is not None
    assert seen.own_runs[0].status.completed_at == rollouts.ABORTED


def test_people_see_how_far_it_is(cluster: Cluster) -> None:
    cluster.holds(rollouts.going_on(5, 25), rollouts.all_passed()[:1])
    line = "step 6 of 12, 25 %, pass"
    for command in ("status", "history"):
        typed = cluster.typed(command)
        assert line in typed.stdout, typed.stderr
    shown = cluster.typed("canary").stdout.splitlines()
    assert shown[0].startswith("Canary of release 2 of attrition")
    assert shown[-1].startswith("Waits for its analysis")
    assert (
        json.loads(cluster.typed("status", "--json").stdout)["canary"]["progress"]["weight"] == 25
    )


def test_what_belongs_to_another_rollout_is_passed_over(cluster: Cluster) -> None:
    cluster.holds(rollouts.healthy(), rollouts.all_passed())
    other = rollouts.run(2, "Failed", SHARE, again=".other")
    del other["metadata"]["creationTimestamp"]
    cluster.server.kube.apply(other)  # its owner is none of this cluster
    assert len(kubernetes.seen(cluster.place, NAME).runs) == len(rollouts.ANALYSES)


def test_where_no_rollout_runs_the_image_it_says_so(cluster: Cluster) -> None:
    with pytest.raises(SluiceError, match="0 Rollouts in namespace attrition run"):
        kubernetes.seen(cluster.place, NAME)
    cluster.holds(rollouts.healthy())
    with pytest.raises(SluiceError, match="0 Rollouts in namespace attrition-staging run"):
        kubernetes.seen(Place("sluice", "attrition-staging"), NAME)


def test_the_least_rights_are_enough_and_no_more_than_those(
    cluster: Cluster, tmp_path: Path
) -> None:
    """As the ServiceAccount of the component, with a token of the API server."""
    cluster.holds(rollouts.healthy(), rollouts.all_passed())
    kube, component = cluster.server.kube, DEPLOY / "components" / "reconcile"
    rights = list(yaml.safe_load_all((component / "rights.yaml").read_text()))
    for one in rights:
        one["metadata"]["namespace"] = "attrition"
        kube.apply(one)
    [account] = [one for one in rights if one["kind"] == "ServiceAccount"]
    path = f"/api/v1/namespaces/attrition/serviceaccounts/{account['metadata']['name']}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.post(path, request)["status"]["token"]
    server = cluster.server
    config = kubeconfig(tmp_path / "least", server.url, server.authority, {"token": token})
    os.environ["KUBECONFIG"] = str(config)
    assert len(kubernetes.seen(cluster.place, NAME).runs) == len(rollouts.ANALYSES)
    with pytest.raises(SluiceError, match=r"refuses to be asked \(403") as raised:
        kubernetes.seen(Place("sluice", "attrition-staging"), NAME)
    assert "attrition-staging" in raised.value.fix
    least = Kube(config)
    for forbidden in ("/api/v1/namespaces/attrition/secrets", "/api/v1/namespaces/attrition/pods"):
        with pytest.raises(Refused, match="403"):
            least.get(forbidden)
    with pytest.raises(Refused, match="403"):
        least.merge(f"{ROLLOUTS}/attrition", {"spec": {"paused": True}})
    least.close()
