"""The two models of a replay: what is live, and the candidate."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from bento import model_trial
from flows.audit.find_release import artifact, trace
from flows.engine import store
from flows.engine.store import Record, Result
from flows.facts.split_rows import SplitRows
from flows.facts.step_files import MODEL, RECORD
from flows.facts.trained import Trained
from flows.gitops import manifest_repo
from flows.project.models import model_folder, project_text
from flows.project.one_class import require_model_of_one_class
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.identity import folder_hash, sha256
from sluice.model.json_file import decode_json
from sluice.model.reference import Reference, read_reference
from sluice.policy import CanaryPolicy, load_policy
from sluice.served.scoring import MODEL_FILE, Model, load_model

F = TypeVar("F", bound=msgspec.Struct)
_TRAIN, _SPLIT = "train", "split"


@dataclass(frozen=True)
class Loaded:
    """A model with what it is called, the digest that its log names, and what its training rows
    looked like.
    """

    model: Model
    name: str
    digest: str
    reference: Reference


@dataclass(frozen=True)
class Both:
    """What is live of a model, a candidate, and the limits of the policy."""

    name: str
    running: Loaded
    candidate: Loaded
    policy: CanaryPolicy


def load_both(settings: Settings, model: str, word: str) -> Both:
    """What is live, and the release that a word means; the model that was trained last where the
    word is empty.

    Raises UsageError where one of them is not there, SluiceError where an artifact is not what it
    was, and what a trial of a model raises.
    """
    folder = model_folder(model, settings.project)
    require_model_of_one_class(settings.project, model, "sluice replay")
    text = project_text(folder / "policy.toml", settings.project)
    policy = load_policy(text, f"models/{model}/policy.toml").canary
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        raise UsageError(f"nothing of {model} is live", f"Release it: sluice release {model}")
    champion = live.champion
    running = _released(settings, model, champion.digest, champion.model)
    candidate = _released(settings, model, word) if word else _trained(settings, model)
    return Both(model, running, candidate, policy)


def split_rows(settings: Settings, model: str) -> Result[SplitRows] | None:
    """The rows that the last release split; None where this machine does not have them."""
    return _last(settings.home, model, _SPLIT, SplitRows)


def _trained(settings: Settings, model: str) -> Loaded:
    """The model that was trained last on this machine."""
    found = _last(settings.home, model, _TRAIN, Trained)
    if found is None:
        raise UsageError(
            f"no model of {model} was trained on this machine",
            f"Name a release with --candidate, or train one: sluice release {model}",
        )
    return _load(found.folder / MODEL, f"the model trained last ({found.facts.model[:12]})")


def _released(settings: Settings, model: str, word: str, wanted: str = "") -> Loaded:
    """The artifact of a release; `wanted` is its hash where that is known."""
    traced = trace(settings, word, model)
    with tempfile.TemporaryDirectory(prefix="sluice-model-") as scratch:
        folder = Path(scratch)
        for file, content in artifact(traced).items():
            (folder / file).write_bytes(content)
        if wanted and folder_hash(folder) != wanted:
            raise SluiceError(
                f"the artifact of {traced.event.tag} hashes to {folder_hash(folder)}, not {wanted}",
                "Look into the registry: it holds something else than was promoted.",
            )
        return _load(folder, traced.event.tag)


def _load(folder: Path, name: str) -> Loaded:
    model_trial.require_loads(folder)
    reference = read_reference((folder / "reference.json").read_bytes())
    digest = f"sha256:{sha256((folder / MODEL_FILE).read_bytes())}"
    return Loaded(load_model(folder), name, digest, reference)


def _last(home: Path, model: str, step: str, facts: type[F]) -> Result[F] | None:
    """What a step put out when it last ended for a model, found by its inputs; None where it is
    not there any more. Raises Altered where it was changed since.
    """
    path = home / "latest" / model / f"{step}.json"
    try:
        inputs = decode_json(path.read_bytes(), dict[str, str], str(path))
    except (OSError, ValueError, RecursionError):
        return None
    for record in sorted((home / "store" / step).glob(f"[!.]*/{RECORD}")):
        try:
            found = decode_json(record.read_bytes(), Record, RECORD)
        except (OSError, ValueError, RecursionError):
            continue  # it is not whole, so it is not what ended last
        if found.inputs == inputs:
            return store.find(home, step, found.key, facts)
    return None
