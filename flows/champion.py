"""The champion: which one a candidate is compared with, and its artefact, from manifest repo and registry alone."""

import shutil
from typing import Any

from flows.adapters import registry
from flows.run import Run
from sluice.errors import SluiceError
from sluice.identity import folder_hash


def compared_with(run: Run, tag: str) -> dict[str, Any]:
    """What the manifest repo says of the model to compare with; empty for the first release.

    A candidate (by its tag) that is the champion already, decided on this very data, is compared with what it was
    compared with then: its verdict stands, and nothing is decided twice.
    """
    champion = run.champion
    if champion and champion.get("data") == run.data.sha256 and champion.get("tag") == tag:
        return dict(champion.get("against") or {})
    return {name: champion[name] for name in ("tag", "digest", "model")} if champion else {}


def fetch(run: Run) -> None:
    """Bring the artefact of the champion to this machine; raises SluiceError where it is not what was promoted."""
    kept = run.champion_folder
    if not run.against or (kept.is_dir() and folder_hash(kept) == run.against["model"]):
        return
    part = kept.with_name(f".{kept.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, content in registry.pull_files(run.place, f"{run.against['tag']}.model").items():
        (part / name).write_bytes(content)
    if folder_hash(part) != run.against["model"]:
        raise SluiceError(
            f"the artefact of champion {run.against['tag']} hashes to {folder_hash(part)}, not {run.against['model']}",
            "The registry holds something else than was promoted: look there before releasing anything.",
        )
    shutil.rmtree(kept, ignore_errors=True)
    part.rename(kept)
