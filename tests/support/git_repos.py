"""A manifest repo as `sluice release` seeds it, and releases of made-up images in it: shared by the
tests about it.
"""

import json
import shutil
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import yaml

from flows.adapters.git import git
from flows.cli.releases.rollback import Wanted, run_rollback
from flows.drills.crash import race
from flows.gitops import manifest_repo
from flows.gitops.promotion import Promotion
from flows.project import settings
from flows.project.settings import Settings
from sluice.gate.ledger import Use
from support import by_hand

OVERLAY, STATE = "overlays/production/kustomization.yaml", "state/attrition/champion.json"
QUARANTINE = "state/attrition/quarantine.json"
ONE, TWO, THREE, FOUR = ("1" * 16, "2" * 16, "3" * 16, "4" * 16)


@cache
def template() -> Path:
    """A home whose manifest repo is seeded, made once."""
    folder = Path(mkdtemp(prefix="seeded-", dir=Path.home()))
    manifest_repo.seed(Settings(home=folder))
    return folder / "manifests.git"


def seeded(home: Path, **changes: Any) -> Settings:
    """Settings whose embedded manifest repo, in `home`, is seeded."""
    shutil.copytree(template(), home / "manifests.git")
    return settings.load().model_copy(update={"home": home, "actor": "anna", **changes})


def digest(tag: str) -> str:
    """The digest of the made-up image with this tag: the tag, four times."""
    return f"sha256:{tag * 4}"


def promotion(tag: str, number: int, against: str = "", **facts: Any) -> Promotion:
    """A release of the made-up image with this tag, as the drill makes it; `facts` are fields of
    its champion.
    """
    made = race.promotion("attrition", tag, number, against)
    champion = msgspec.structs.replace(made.champion, **facts)
    return replace(made, champion=champion, body="Why.")


def go_back(
    why: str = "why", *, dry_run: bool = False, boot: bool = False, as_json: bool = False
) -> int:
    """Type `sluice rollback attrition --to previous`; its exit code."""
    wanted = Wanted("attrition", "previous", why, dry_run=dry_run, boot=boot)
    return run_rollback(settings.load(), wanted, as_json=as_json)


def use(candidate: str) -> Use:
    """A use of the holdout by this candidate."""
    return Use(candidate, ("1", "2", "3"), date(2026, 3, 2))


def shown(given: Settings, path: str, revision: str = "main") -> str:
    """A file of the manifest repo."""
    return git.git("show", f"{revision}:{path}", bare=Path(given.manifest_url))


def document(given: Settings, path: str, revision: str = "main") -> dict[str, Any]:
    """A state file of the manifest repo."""
    found: dict[str, Any] = json.loads(shown(given, path, revision))
    return found


def tip(given: Settings, branch: str = "main") -> str:
    """The tip of a branch of the manifest repo."""
    return git.tip(given.manifest_url, branch)


def image(given: Settings, overlay: str = OVERLAY, revision: str = "main") -> dict[str, str]:
    """The entry of an overlay."""
    [entry] = yaml.safe_load(shown(given, overlay, revision))["images"]
    return dict(entry)


def commits(given: Settings, branch: str = "main") -> int:
    """How many commits a branch has."""
    return int(git.git("rev-list", "--count", branch, bare=Path(given.manifest_url)))


def edit(
    given: Settings, path: str = OVERLAY, branch: str = "main", **changes: tuple[str, str]
) -> str:
    """A person changes text of a file, by default of the production overlay; the commit."""
    with by_hand.clone(given.manifest_url, branch) as repo:
        text = (repo.path / path).read_text()
        for old, new in changes.values():
            assert text.count(old) == 1
            text = text.replace(old, new)
        (repo.path / path).write_text(text)
        commit = by_hand.commit(repo, "By hand\n", "Anna <anna@example.com>")
        by_hand.push(repo)
    return commit


def hook(given: Settings, script: str) -> None:
    """Let the server run this before it takes a push."""
    path = Path(given.manifest_url) / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
