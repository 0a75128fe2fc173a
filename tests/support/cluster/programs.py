"""The programs of the test cluster: built once from `tests/cluster/programs`, and kept by content
in the cache of this machine, with the manifests that their modules ship.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.image import golang
from flows.adapters.process import CommandFailed, run
from sluice.errors import SluiceError

SOURCE = Path(__file__).parents[2] / "cluster" / "programs"
_GO = (1, 26)  # the `go` line of its go.mod
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5",
    "rollouts-controller": "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
    "argocd": "./argocd",
    "router": "./router",
}
# What is taken from a module beside its programs: the module, what is in it, and the name here.
_SHIPPED = (
    ("sigs.k8s.io/gateway-api", "config/crd/standard", "gateway-api"),
    ("github.com/argoproj/argo-rollouts", "manifests/crds", "rollouts-crds"),
    ("github.com/argoproj/argo-rollouts", "manifests/install.yaml", "rollouts.yaml"),
    ("github.com/argoproj/argo-cd/v3", "manifests/crds", "argocd-crds"),
    ("github.com/argoproj/argo-cd/v3", "manifests/core-install.yaml", "argocd.yaml"),
    ("github.com/argoproj/argo-cd/v3", "hack/git-verify-wrapper.sh", "git-verify-wrapper.sh"),
    ("github.com/argoproj/argo-cd/v3", "hack/gpg-wrapper.sh", "gpg-wrapper.sh"),
)
# The compiler takes this over, and collects less: there is memory for it.
_LAZY = {"GOGC": "800"}
# Nobody debugs them, and without tables for that they cost a tenth less to compile.
_PLAIN = "-gcflags=all=-dwarf=false"
_OWN_CACHES = ("GOCACHE", "GOMODCACHE")


@dataclass(frozen=True)
class Programs:
    """Where the programs lie, and what was shipped beside them."""

    folder: Path

    def program(self, name: str) -> Path:
        """One of PACKAGES."""
        return self.folder / "bin" / name

    def shipped(self, name: str) -> Path:
        """A file or folder of a module, by its name here."""
        return self.folder / "shipped" / name


def built(*names: str) -> bool:
    """Whether the cache of this machine has these programs."""
    return all(_here().program(name).exists() for name in names)


def _here() -> Programs:
    # A process that Go leaves behind still writes there, for a moment, which programs it counted.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        go = golang.version("go", Path(work))  # nothing where the one is taken that is pinned
    return Programs(golang.cache().parent / "cluster" / key(go))


def ensure(say: Callable[[str], None], names: Sequence[str] = tuple(PACKAGES)) -> Programs:
    """The programs of these names, built unless the cache has them; `say` is told of each.

    All of them cost 25 minutes of a processor. The caches of Go are thrown away afterwards (8 GB),
    unless GOCACHE and GOMODCACHE both name some. Raises SluiceError where one cannot be built.
    """
    programs = _here()
    with golang.alone(programs.folder):
        missing = [name for name in names if not programs.program(name).exists()]
        if missing or not programs.shipped("").is_dir():
            _build(missing, programs, say)
    return programs


def key(go: str) -> str:
    """The content that the programs follow from: sources, pins, and the Go of this machine."""
    hashed = hashlib.sha256(go.encode())
    for path in sorted([*SOURCE.glob("go.*"), *SOURCE.glob("*/*.go")]):
        hashed.update(f"\n{path.relative_to(SOURCE)}\n".encode() + path.read_bytes())
    return hashed.hexdigest()[:16]


def version(module: str) -> str:
    """The version at which go.mod has a module, with its v."""
    found = re.search(rf"^\s+{re.escape(module)} (v\S+)", (SOURCE / "go.mod").read_text(), re.M)
    if found is None:
        raise SluiceError(f"{SOURCE / 'go.mod'} has no {module}")
    return found[1]


def _build(missing: Sequence[str], programs: Programs, say: Callable[[str], None]) -> None:
    work = programs.folder.with_name(f".{programs.folder.name}.build")
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    (programs.folder / "bin").mkdir(parents=True, exist_ok=True)
    env = golang.environment(work) | _LAZY
    if all(os.environ.get(name) for name in _OWN_CACHES):
        env |= {name: os.environ[name] for name in _OWN_CACHES}
    try:
        go = golang.compiler(work, _GO)
        for number, name in enumerate(missing, 1):
            say(f"Building {name} with Go, {number} of {len(missing)}")
            began = time.monotonic()
            words: list[str | Path] = [
                "build",
                "-ldflags",
                _stamp(),
                _PLAIN,
                "-o",
                work / name,
                PACKAGES[name],
            ]
            run([go, *words], cwd=SOURCE, env=env)
            (work / name).replace(programs.program(name))
            say(f"  {name} is there after {time.monotonic() - began:.0f} s")
        _ship(go, env, work / "shipped", programs.shipped(""))
    except (CommandFailed, OSError) as error:
        raise SluiceError(
            f"the programs of the test cluster could not be built in {programs.folder}: {error}",
            "See that GOPROXY names a Go module proxy that this machine reaches, and that 12 GB of"
            " disk are free.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _stamp() -> str:
    """The version that Kubernetes says it is; its own build does it the same way."""
    kubernetes = version("k8s.io/kubernetes")
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    said = {"gitVersion": kubernetes, "gitMajor": major, "gitMinor": minor}
    names = [f"-X k8s.io/component-base/version.{name}={text}" for name, text in said.items()]
    return " ".join(["-s -w", *names])


def _ship(go: Path, env: dict[str, str], work: Path, target: Path) -> None:
    """Copy what the modules ship, all of it or nothing."""
    if target.is_dir():
        return
    work.mkdir()
    for module, inside, name in _SHIPPED:
        run([go, "mod", "download", module], cwd=SOURCE, env=env)
        place = run([go, "list", "-m", "-f", "{{.Dir}}", module], cwd=SOURCE, env=env)
        _copy(Path(place.stdout.strip()) / inside, work / name)
    work.replace(target)


def _copy(source: Path, target: Path) -> None:
    """Without the rights of the source: a cache of modules is read-only."""
    if source.is_dir():
        target.mkdir()
        for path in source.glob("*.yaml"):
            _copy(path, target / path.name)
        return
    target.write_bytes(source.read_bytes())
    if source.suffix == ".sh":
        target.chmod(0o755)
