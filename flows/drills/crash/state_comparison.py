"""What a world holds, so that two of them can be compared: files, steps, commits and images.

Left out is what no two runs have in common: times, and the evidence's digest, which depends on how
long the search took.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.adapters.git import git
from flows.adapters.registry import beside_images, oci, referrers, registry
from flows.drills.crash.world import World
from flows.engine.store import swept
from flows.gitops import manifest_repo
from flows.gitops.ledger import LEDGER
from flows.project import settings
from sluice.gate.ledger import SCHEMA, Ledger
from sluice.gitops import state
from sluice.identity import file_sha256

_VARIES = re.compile(
    r'"(evidence|when|seconds)": [^,\n]+|Evidence-Hash:'
    r" \S+|Statement-Key: \S+|\d{4}-\d\d-\d\dT[\d:+.Z-]+|Prefect-Run: \S+"
)
_HASH = re.compile(r"[0-9a-f]{16,}")
_ELSEWHERE = ("prefect", "manifests.git", "registry", "containers/overlay", "containers/vfs")
_MAY_BE_EMPTY = (".lock", ".out")
Trees = Mapping[str, str]


def trees(world: World, env: Mapping[str, str]) -> Trees:
    """Everything that a run leaves, by name; what a killed run left half done is swept first."""
    home = Path(env["SLUICE_HOME"])
    swept(home, 0.0)
    given = settings.Settings(
        home=home,
        project=Path(env["SLUICE_PROJECT"]),
        registry=env.get("SLUICE_REGISTRY", ""),
        manifests=env.get("SLUICE_MANIFESTS", ""),
    )
    bare = home / "manifests.git" if not given.manifests else world.repository
    place = registry.place(manifest_repo.image_name(given, world.model), home / "registry")
    return {**dict(_repository(bare)), **dict(_images(place)), **dict(_files(home))}


def differences(wanted: Trees, actual: Trees) -> list[str]:
    """What is missing, too much or other, sorted by name; empty where the two are equal."""
    names = sorted({*wanted, *actual})
    return [
        f"{name}: {_shown(actual, name)} and not {_shown(wanted, name)}"
        for name in names
        if wanted.get(name) != actual.get(name)
    ]


def _shown(trees: Trees, name: str) -> str:
    return trees.get(name, "missing")[:300]


def _repository(bare: Path) -> Iterator[tuple[str, str]]:
    """Every branch: how many commits, and each file; and whether git finds it sound."""
    yield "git fsck", git.git("fsck", "--full", "--no-dangling", bare=bare).strip()
    for line in git.git("for-each-ref", "--format=%(refname)", bare=bare).splitlines():
        yield f"{line} commits", git.git("rev-list", "--count", line, bare=bare).strip()
        yield f"{line} message", _plain(git.git("log", "--format=%B", line, bare=bare))
        for entry in git.git("ls-tree", "-r", line, bare=bare).splitlines():
            about, _, path = entry.partition("\t")
            content = _counted if line == f"refs/heads/{LEDGER}" else _content
            yield f"{line}:{path}", content(bare, about.split()[2], path)
    yield "git locks", ", ".join(sorted(path.name for path in bare.rglob("*.lock")))


def _content(bare: Path, blob: str, path: str) -> str:
    """The blob, or for JSON a hash of what is the same in two runs."""
    if not path.endswith(".json"):
        return blob
    return _plain(git.git("cat-file", "blob", blob, bare=bare))


def _counted(bare: Path, blob: str, path: str) -> str:
    """What a ledger counts: its hashes depend on a secret, which is another in each world."""
    text = git.git("cat-file", "blob", blob, cwd=bare)
    ledger = state.decode(text, Ledger, path, newest=SCHEMA)
    releases = [
        f"{one.number} {one.candidate} {one.use} {one.verdict} {one.outcome} {one.data}"
        for one in ledger.releases
    ]
    cohorts = [f"{one.spent} {len(one.rows)}" for one in ledger.memory.cohorts]
    return "; ".join([*releases, *cohorts])


def _plain(text: str) -> str:
    return hashlib.sha256(_VARIES.sub("", text).encode()).hexdigest()


def _images(place: registry.Place) -> Iterator[tuple[str, str]]:
    """Every tag with its digest, and the names of its files where it is an artifact."""
    for tag in registry.tags(place):
        if tag.startswith(beside_images.PREFIX):
            yield f"tag {_HASH.sub('#', tag)}", "of the ledger"
            continue
        if tag.startswith(referrers.PREFIX):
            listed = place.referrers(referrers.subject_of_tag(tag))
            kinds = sorted({str(one.annotations) for one in listed})
            yield f"tag {tag}", f"{kinds}"
            continue
        kind = tag.partition(".")[2]
        names = sorted(registry.pull_files(place, tag)) if kind else []
        digest = registry.digest(place, tag) or "nothing"
        if kind == "evidence":
            digest = kind
        yield f"tag {tag}", f"{digest} {names}"


def _files(home: Path) -> Iterator[tuple[str, str]]:
    """How often each file is there, and what is not whole; any two hashes in names are equal."""
    names: Counter[str] = Counter()
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        is_ours = path.is_file() or path.is_symlink()
        if not is_ours or name.startswith(_ELSEWHERE):
            continue
        names[_HASH.sub("#", name)] += 1
        fault = _broken(path)
        if fault:
            yield f"broken {name}", fault
    for name, count in names.items():
        yield f"home {name}", str(count)


def _broken(path: Path) -> str:
    """What is not whole about a file; empty for nothing."""
    if path.suffix == ".json":
        fault = _broken_json(path)
        if fault:
            return fault
    if path.name == "step.json":
        return _broken_step(path)
    if path.parent.name == "sha256":
        digest = oci.hex_of(oci.digest_of(path.read_bytes()))
        if digest != path.name:
            return "other bytes than its digest"
    if path.stat().st_size or path.name.endswith(_MAY_BE_EMPTY):
        return ""
    return "empty"


def _broken_json(path: Path) -> str:
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return str(error)
    return ""


def _broken_step(path: Path) -> str:
    """The files of a step that are not what its record says; empty for none."""
    outputs = json.loads(path.read_bytes())["outputs"]
    changed = [
        name for name, digest in outputs.items() if file_sha256(path.parent / name) != digest
    ]
    return f"step with {', '.join(changed)} changed" if changed else ""
