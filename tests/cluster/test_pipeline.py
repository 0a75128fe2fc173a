"""Sluice in the cluster, from its own image and the shipped manifests: the judge answers Argo
Rollouts, reconcile reads with its rights alone, and a Job releases on an empty disk.
"""

import copy
import datetime
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import environment
from support.argocd import commit, seed
from support.cluster.certificates import authority, write
from support.cluster.description import Cluster
from support.cluster.forwarding import forward
from support.cluster.kube import Kube, Refused, documents
from support.cluster.stage import SPACE, USER, clear, disk, disks_of, ours, secret, volume
from support.cluster.waiting import until
from support.git_servers import Hosted, serving
from support.manifest_repos import analyses, one, rendered_with
from support.manifest_repos import documents as read
from support.prediction_logs import in_months, poorer, write_days

from flows.adapters import server
from flows.adapters.git import git
from flows.adapters.git.kustomize import render
from flows.adapters.image.pipeline import image
from flows.adapters.image.pipeline.source import source
from flows.adapters.process import run
from flows.adapters.registry import registry
from flows.adapters.registry.remote import Remote
from flows.gitops.ledger import LEDGER
from flows.project.root import ROOT
from sluice.gitops import kustomization
from sluice.identity import sha256
from sluice.served.scoring import Model, load_model

TOKEN = "a-token-for-tests"
OVERLAY = "overlays/production/kustomization.yaml"
NAME = "pipeline.sluice.local/sluice"
MOST = 1.2e9  # bytes of the image on a disk
Json = dict[str, Any]
Jobs = Callable[[str, str], Json]  # from the name of a CronJob and that of its Job: how it ended


@dataclass(frozen=True)
class Place:
    """Git and a registry, as pods reach them over TLS, and the working copy of the manifests.

    `here` is the same registry, as this process reaches it: tests speak to the loopback alone.
    """

    work: Path
    bare: Path
    git: str
    registry: str
    here: str
    authority: str

    def rendered(self) -> list[Json]:
        """What Argo CD would apply now."""
        run(["git", "pull", "--quiet", "--rebase", "origin", "main"], cwd=self.work)
        return read(render(self.work / "overlays" / "production"))


@pytest.fixture(scope="module")
def built(cluster: Cluster) -> image.Built:
    """The pipeline image, in the registry of the cluster."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    made = image.build(ROOT, source(ROOT, ROOT), cache, print)
    image.push(made, Remote(cluster.registry, "sluice"))
    return made


@pytest.fixture(scope="module")
def place(
    cluster: Cluster, built: image.Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """The shipped manifests in a git server, with releases and reconcile chosen; and a registry."""
    folder = tmp_path_factory.mktemp("place")
    signer = authority()
    signed = signer.server("place", ("127.0.0.1", cluster.host))
    cert = write(folder / "server.crt", signed.certificate)
    key = write(folder / "server.key", signed.key)
    bare = seed(folder)
    run(["git", "config", "http.receivepack", "true"], cwd=bare)
    hosted = Hosted(bare.parent, {"x-access-token": TOKEN})
    port = server.free_port()
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {
            "addr": f"127.0.0.1:{port}",
            "relativeurls": True,
            "tls": {"certificate": str(cert), "key": str(key)},
        },
    }
    (folder / "registry.json").write_text(json.dumps(settings))
    words = ["env", *(f"--unset={name}" for name in os.environ if name.startswith("REGISTRY_"))]
    words += ["docker-registry", "serve", str(folder / "registry.json")]
    kept = server.start(words, port, folder / "registry.log")
    try:
        with serving(hosted, (cert, key)):
            until(lambda: server.taken(port), 30, (folder / "registry.log").read_text)
            git_port = forward(cluster.host, int(hosted.url.rpartition(":")[2]))
            made = Place(
                folder / "work",
                bare,
                f"https://{cluster.host}:{git_port}/{bare.name}",
                f"{cluster.host}:{forward(cluster.host, port)}/team",
                f"127.0.0.1:{port}/team",
                signer.pem().decode(),
            )
            choose(made, built.digest)
            yield made
    finally:
        kept.stop()


def choose(place: Place, digest: str) -> None:
    """What a person fills in: the image, components, addresses, and whom to trust."""
    work = place.work
    file = work / "pipeline" / "image" / "kustomization.yaml"
    wanted = {"newName": "sluice.local/sluice", "newTag": "", "digest": digest}
    del wanted["newTag"]
    text = file.read_text()
    for name, value in wanted.items():
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{name}:"))
        text = text.replace(line, f"    {name}: {value}")
    file.write_text(text)
    overlay = work / OVERLAY
    text = overlay.read_text()
    for component in ("reconcile", "release", "monitor"):
        assert f"  # - ../../components/{component} " in text
        text = text.replace(
            f"  # - ../../components/{component} ", f"  - ../../components/{component} "
        )
    patches = trusting("Deployment", "attrition-reconcile", "/spec/template/spec")
    for job in ("attrition-release", "attrition-monitor"):
        patches += trusting("CronJob", job, "/spec/jobTemplate/spec/template/spec")
    overlay.write_text(text.replace("patches:\n", f"patches:\n{patches}", 1))
    for path in ("reconcile/deployment.yaml", "release/job.yaml", "monitor/cronjob.yaml"):
        manifest = work / "components" / path
        text = manifest.read_text().replace("https://git.example.com/team/manifests.git", place.git)
        manifest.write_text(text.replace("registry.example.com/team", place.registry))
    run(["git", "remote", "add", "origin", place.bare.as_uri()], cwd=work)
    commit(work, "Fill in")
    run(["git", "push", "--quiet", "origin", "main"], cwd=work)


def trusting(kind: str, name: str, pod: str) -> str:
    """The patch that gives a pod the authority of our servers, as a company does."""
    return f"""  - target:
      kind: {kind}
      name: {name}
    patch: |-
      - op: add
        path: {pod}/containers/0/env/-
        value: {{name: SLUICE_CA, value: /etc/authorities/ca.crt}}
      - op: add
        path: {pod}/containers/0/volumeMounts/-
        value: {{name: authorities, mountPath: /etc/authorities, readOnly: true}}
      - op: add
        path: {pod}/volumes/-
        value: {{name: authorities, secret: {{secretName: authorities, defaultMode: 0440}}}}
"""


@pytest.fixture(scope="module")
def disks(cluster: Cluster) -> Path:
    """A folder in which each disk of the cluster is a folder."""
    return disks_of(cluster)


@pytest.fixture(scope="module")
def kube(cluster: Cluster, place: Place, disks: Path) -> Iterator[Kube]:
    """The cluster with what the overlay renders to, but for what serves the model."""
    client = cluster.kube()
    clear(client)
    client.apply_all(ours(documents(place.work / "namespaces.yaml")))
    client.apply(way_to(cluster.host))
    client.apply(secret("attrition-manifests", "token", TOKEN))
    client.apply(secret("authorities", "ca.crt", place.authority))
    until(lambda: client.find(f"/api/v1/namespaces/{SPACE}/configmaps/kube-root-ca.crt"), 30)
    client.apply(volume("predictions", disk(disks / "predictions")))
    client.apply(volume("monitor", disk(disks / "monitor"), "ReadWriteOnce"))
    for document in place.rendered():
        if document["kind"] != "HTTPRoute":
            client.apply(document)
    yield client
    clear(client)
    client.delete("/api/v1/persistentvolumes/monitor")
    client.close()


def way_to(host: str) -> Json:
    """What a company adds whose git and registry listen elsewhere than at the usual ports."""
    names = [f"attrition-{name}" for name in ("reconcile", "release", "monitor")]
    whose = {"key": "app.kubernetes.io/name", "operator": "In", "values": names}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "to-our-servers", "namespace": SPACE},
        "spec": {
            "podSelector": {"matchExpressions": [whose]},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": f"{host}/32"}}]}],
        },
    }


def pods(kube: Kube, space: str, name: str) -> list[Json]:
    found = kube.get(f"/api/v1/namespaces/{space}/pods")["items"]
    return [p for p in found if p["metadata"]["labels"].get("app.kubernetes.io/name") == name]


def ready(kube: Kube, space: str, name: str) -> list[Json]:
    """The pods of a name that are ready."""
    return [
        pod
        for pod in pods(kube, space, name)
        if any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in pod.get("status", {}).get("conditions", [])
        )
    ]


def test_the_image_is_small_and_says_where_it_comes_from(built: image.Built) -> None:
    assert built.unpacked < MOST
    assert set(built.labels) >= {"dev.sluice.lock", "org.opencontainers.image.revision"}


def test_the_judge_answers_an_analysis_of_argo_rollouts(place: Place, kube: Kube) -> None:
    kube.apply_all(ours(documents(place.work / "pipeline" / "namespace.yaml")))
    for document in read(render(place.work / "pipeline")):
        if document["kind"] != "Namespace":
            kube.apply(document)
    asked = until(
        lambda: ready(kube, "sluice", "sluice-judge"),
        300,
        lambda: pods(kube, "sluice", "sluice-judge"),
    )
    # Names of Services are not known to the controllers of this cluster, which run on the machine.
    address = asked[0]["status"]["podIP"]
    analysis = analysis_run(f"http://{address}:8080")
    kube.apply(analysis)
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/analysisruns/asked"

    def measured() -> list[Json]:
        results = kube.get(path).get("status", {}).get("metricResults", [])
        return [m for result in results for m in result.get("measurements", [])]

    [first, *_] = until(measured, 60, lambda: kube.get(path))
    assert first["phase"] == "Inconclusive", first
    assert '"verdict":"inconclusive"' in first["value"]
    name = asked[0]["metadata"]["name"]
    assert "inconclusive: " in kube.log("sluice", name)


def analysis_run(judge: str) -> Json:
    """The analysis of the first step, as Argo Rollouts makes it of the shipped template."""
    found = rendered_with("production", "judge")
    spec = copy.deepcopy(one(found, "AnalysisTemplate")["spec"])
    given = {a["name"]: a.get("value", f"a{a['name']}") for a in analyses(found)[0]["args"]}
    for argument in spec["args"]:
        argument["value"] = given.get(argument["name"], argument.get("value"))
        if argument["name"] == "judge":
            argument["value"] = judge
    about = {"name": "asked", "namespace": SPACE}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": about,
        "spec": spec,
    }


@pytest.fixture(scope="module")
def jobs(kube: Kube) -> Jobs:
    """Begins a Job from a shipped CronJob, as `kubectl create job` does, and waits for its end."""

    def begin(cron: str, name: str) -> Json:
        made = kube.get(f"/apis/batch/v1/namespaces/{SPACE}/cronjobs/{cron}")
        job = made["spec"]["jobTemplate"]
        about = {"metadata": job.get("metadata", {}) | {"name": name}}
        kube.post(f"/apis/batch/v1/namespaces/{SPACE}/jobs", {"spec": job["spec"], **about})
        path = f"/apis/batch/v1/namespaces/{SPACE}/jobs/{name}"

        def ended() -> Json | None:
            found: Json = kube.get(path)
            return found if came_to(found) & {"Complete", "Failed"} else None

        def told() -> str:
            mine = [pod["metadata"]["name"] for pod in pods(kube, SPACE, cron)]
            return "\n".join(kube.log(SPACE, pod) for pod in mine if pod.startswith(name))

        found = until(ended, 600, told)
        assert found is not None
        return {**found, "log": told()}

    return begin


def came_to(job: Json) -> set[str]:
    """The conditions of a Job that hold."""
    conditions = job.get("status", {}).get("conditions", [])
    return {one["type"] for one in conditions if one["status"] == "True"}


@pytest.fixture(scope="module")
def released(place: Place, jobs: Jobs) -> Json:
    """A Job made of the shipped CronJob, as its comment says; when it has ended."""
    return jobs("attrition-release", "release-1")


def test_a_job_releases_on_an_empty_disk_to_a_commit(place: Place, released: Json) -> None:
    assert "Complete" in came_to(released), released["log"]
    assert released["spec"]["ttlSecondsAfterFinished"] == 86400
    text = git.git("show", f"main:{OVERLAY}", bare=place.bare)
    named = kustomization.read(text, "sluice.local/attrition", OVERLAY)
    assert named["newName"] == f"{place.registry}/attrition"
    kept = place.bare.parent / "registry" / "docker" / "registry" / "v2" / "repositories"
    tag = kept / "team" / "attrition" / "_manifests" / "tags" / named["newTag"] / "current" / "link"
    assert tag.read_text() == named["digest"]
    # Of its own image a release says nothing.
    file = "pipeline/image/kustomization.yaml"
    assert git.git("log", "--format=%s", "main", "--", file, bare=place.bare).splitlines() == [
        "Fill in",
        "Seed",
    ]


def test_the_monitor_reads_the_log_and_says_in_git_why_a_candidate_is_wanted(
    place: Place, released: Json, jobs: Jobs, disks: Path, tmp_path: Path
) -> None:
    assert "Complete" in came_to(released), released["log"]
    model, digest = artifact_of(place, tmp_path)
    log, today = disks / "predictions" / "log", datetime.datetime.now(datetime.UTC).date()
    write_days(log, model, digest, [today], 1_000, change=poorer)
    owned(log)
    watched = jobs("attrition-monitor", "monitor-1")
    assert "Complete" in came_to(watched), watched["log"]
    assert "WATCH: release 1 of attrition." in watched["log"]
    file = "triggers/attrition.json"
    noted = json.loads(git.git("show", f"{LEDGER}:{file}", bare=place.bare))
    assert [one["kind"] for one in noted["reasons"]] == ["drift"]
    # What it has counted is kept on its own disk; the log's is for it to read.
    assert list((disks / "monitor" / "sluice" / "monitor" / "attrition").rglob("*.json"))
    # A model that is fed months for years is no matter of taste: the Job has failed.
    write_days(log, model, digest, [today], 1_500, change=in_months)
    owned(log)
    acted = jobs("attrition-monitor", "monitor-2")
    assert "Failed" in came_to(acted), acted["log"]
    assert "ACT: release 1 of attrition." in acted["log"]
    assert "comes in another unit" in " ".join(acted["log"].split())


def artifact_of(place: Place, folder: Path) -> tuple[Model, str]:
    """The model that is live, from the registry, and its digest."""
    text = git.git("show", f"main:{OVERLAY}", bare=place.bare)
    tag = kustomization.read(text, "sluice.local/attrition", OVERLAY)["newTag"]
    trusted = folder / "ca.crt"
    trusted.write_text(place.authority)
    host, _, path = place.here.partition("/")
    with environment.kept():
        os.environ["SLUICE_CA"] = str(trusted)
        files = registry.pull_files(Remote(host, f"{path}/attrition"), f"{tag}.model")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return load_model(folder), f"sha256:{sha256(files['model.onnx'])}"


def owned(log: Path) -> None:
    """Give a log to the account of the pods, and to nobody else, as the service writes it."""
    for path in (log, *log.iterdir()):
        shutil.chown(path, USER, USER)
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_reconcile_reads_with_its_rights_alone(
    place: Place, kube: Kube, released: Json, tmp_path: Path
) -> None:
    for document in place.rendered():
        if document["kind"] == "Rollout":
            kube.apply(document)
    [pod] = until(
        lambda: ready(kube, SPACE, "attrition-reconcile"),
        240,
        lambda: pods(kube, SPACE, "attrition-reconcile"),
    )
    name = pod["metadata"]["name"]

    def looked() -> bool:
        return "waits" in kube.log(SPACE, name).casefold()

    until(looked, 90, lambda: kube.log(SPACE, name))
    mine = as_reconcile(kube, tmp_path)
    rollouts = f"/apis/argoproj.io/v1alpha1/namespaces/{SPACE}/rollouts"
    assert [one["metadata"]["name"] for one in mine.get(rollouts)["items"]] == ["attrition"]
    for beyond in (
        f"/api/v1/namespaces/{SPACE}/secrets",
        f"/api/v1/namespaces/{SPACE}/pods",
        "/apis/argoproj.io/v1alpha1/namespaces/attrition-staging/rollouts",
        "/apis/argoproj.io/v1alpha1/rollouts",
        "/api/v1/nodes",
    ):
        with pytest.raises(Refused, match="forbidden"):
            mine.get(beyond)
    with pytest.raises(Refused, match="forbidden"):
        mine.merge(f"{rollouts}/attrition", {"spec": {"paused": True}})
    with pytest.raises(Refused, match="forbidden"):
        mine.delete(f"{rollouts}/attrition")
    mine.close()


def as_reconcile(kube: Kube, folder: Path) -> Kube:
    """The API server, asked with a token of the account that the pod has."""
    path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/attrition-reconcile/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.post(path, asked)["status"]["token"]
    return Kube(kube.beside(folder / "config", {"token": token}))
