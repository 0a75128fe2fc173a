"""The two models of a replay: what is live, and the candidate."""

import tempfile
from pathlib import Path

from bento import model_trial
from flows.audit.find_release import artifact, trace
from flows.canary.done_here import last
from flows.canary.loaded import Both, Loaded, loaded
from flows.facts.step_files import MODEL
from flows.facts.trained import Trained
from flows.gitops import manifest_repo
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.identity import folder_hash
from sluice.policy import load_policy

_TRAIN = "train"


def load_both(settings: Settings, model: str, word: str) -> Both:
    """What is live, and the release that a word means; the model that was trained last where the
    word is empty.

    Raises UsageError where one of them is not there, SluiceError where an artifact is not what it
    was, and what a trial of a model raises.
    """
    folder = model_folder(model, settings.project)
    text = project_text(folder / "policy.toml", settings.project)
    policy = load_policy(text, f"models/{model}/policy.toml").canary
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        raise UsageError(f"nothing of {model} is live", f"Release it: sluice release {model}")
    champion = live.champion
    running = _released(settings, model, champion.digest, champion.model)
    candidate = _released(settings, model, word) if word else _trained(settings, model)
    both = Both(model, running, candidate, policy)
    if not both.of_one_kind:
        raise UsageError(
            f"{running.name}, which is live, and {candidate.name} have targets of two kinds: one"
            " positive class, several classes, or a number in one unit is required of both",
            "Answers of two kinds cannot be compared: the canary is judged as if nothing changed.",
        )
    return both


def _trained(settings: Settings, model: str) -> Loaded:
    """The model that was trained last on this machine."""
    found = last(settings.home, model, _TRAIN, Trained)
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
    return loaded(folder, name)
