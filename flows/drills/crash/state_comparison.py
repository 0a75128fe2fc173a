"""What a world holds, so that two of them can be compared: whole files, whole steps, one commit,
one image.

Left out is what no two runs have in common: times, and the evidence's digest, for it tells how long
the search took.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.adapters.git import git
from flows.adapters.registry import oci, registry
from flows.drills.crash.world import World
from flows.engine.store import swept
from flows.gitops import manifest_repo
from flows.project import settings
from sluice.identity import file_sha256

_VARIES = re.compile(
    r'"(evidence|when|seconds)": [^,\n]+|Evidence-Hash:'
    r" \S+|\d{4}-\d\d-\d\dT[\d:+.Z-]+|Prefect-Run: \S+"
)
_HASH = re.compile(r"[0-9a-f]{16,}")
_ELSEWHERE = ("prefect", "manifests.git", "registry", "containers/overlay", "containers/vfs")
Trees = Mapping[str, str]


def trees(world: World, env: Mapping[str, str]) -> Trees:
    """Everything that a run leaves, by name. What a killed one left half done is swept first."""
    home = Path(env["SLUICE_HOME"])
    swept(home, 0.0)
    given = settings.Settings(
        home=home,
        project=Path(env["SLUICE_PROJECT"]),
        registry=env.get("SLUICE_REGISTRY", ""),
        manifests=env.get("SLUICE_MANIFESTS", ""),
    )
    bare = home / "manifests.git" if not given.manifests else world.repository
    place = registry.place(manifest_repo.image_name(given, "attrition"), home / "registry")
    return {**dict(_repository(bare)), **dict(_images(place)), **dict(_files(home))}


def differences(wanted: Trees, found: Trees) -> list[str]:
    """What is missing, too much or other; empty where the two are equal."""
    return [
        f"{name}: {found.get(name, 'missing')[:300]} and not {wanted.get(name, 'missing')[:300]}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]


def _repository(bare: Path) -> Iterator[tuple[str, str]]:
    """Every branch: how many commits, and each file; and whether git finds it sound."""
    yield "git fsck", git.git("fsck", "--full", "--no-dangling", cwd=bare).strip()
    for line in git.git("for-each-ref", "--format=%(refname)", cwd=bare).splitlines():
        yield f"{line} commits", git.git("rev-list", "--count", line, cwd=bare).strip()
        yield f"{line} message", _plain(git.git("log", "--format=%B", line, cwd=bare))
        for entry in git.git("ls-tree", "-r", line, cwd=bare).splitlines():
            about, _, path = entry.partition("\t")
            blob = about.split()[2]
            varies = path.endswith(".json")
            yield (
                f"{line}:{path}",
                _plain(git.git("cat-file", "blob", blob, cwd=bare)) if varies else blob,
            )
    yield "git locks", ", ".join(sorted(path.name for path in bare.rglob("*.lock")))


def _plain(text: str) -> str:
    return hashlib.sha256(_VARIES.sub("", text).encode()).hexdigest()


def _images(place: registry.Place) -> Iterator[tuple[str, str]]:
    """Every tag with its digest, and whether all that it names is there."""
    for tag in registry.tags(place):
        found = registry.digest(place, tag) or "nothing"
        kind = tag.partition(".")[2]
        names = sorted(registry.pull_files(place, tag)) if kind else []
        yield f"tag {tag}", f"{found if kind != 'evidence' else 'evidence'} {names}"


def _files(home: Path) -> Iterator[tuple[str, str]]:
    """How often each file is there (a hash in its name counts as any other), and what is not
    whole.
    """
    names: Counter[str] = Counter()
    for path in sorted(path for path in home.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(home).as_posix()
        if not name.startswith(_ELSEWHERE):
            names[_HASH.sub("#", name)] += 1
            if wrong := _broken(path):
                yield f"broken {name}", wrong
    for name, count in names.items():
        yield f"home {name}", str(count)


def _broken(path: Path) -> str:
    if path.suffix == ".json":
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            return str(error)
    if path.name == "step.json":
        wanted = json.loads(path.read_bytes())["outputs"]
        wrong = [
            name for name, digest in wanted.items() if file_sha256(path.parent / name) != digest
        ]
        return f"step with {', '.join(wrong)} changed" if wrong else ""
    if path.parent.name == "sha256" and oci.hex_of(oci.digest_of(path.read_bytes())) != path.name:
        return "other bytes than its digest"
    return (
        ""
        if path.stat().st_size or path.suffix in (".lock", ".out") or path.name.endswith(".lock")
        else "empty"
    )
