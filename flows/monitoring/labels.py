"""The labels of a model: added from a table, and settled from all that were added."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import label_files
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import UsageError
from sluice.monitor.acting import in_control
from sluice.monitor.labels import Settled, read_labels, settle
from sluice.policy import load_policy
from sluice.served.contract import load_contract


@dataclass(frozen=True)
class Added:
    """What became of a table: how many labels it has, and whether they are new.

    `ids` counts the answers that have a label now; the rest is as `Settled` has it.
    """

    labels: int
    new: bool
    ids: int
    repeated: int
    corrected: int
    conflicting: int


def folder_of(settings: Settings, model: str) -> Path:
    """Where the labels of a model are kept."""
    return settings.home / "labels" / model


def add(settings: Settings, model: str, file: Path, now: datetime.datetime) -> Added:
    """Keep the labels of a file. Raises Refused where one is wrong, and then none is kept."""
    project = settings.project
    contract = load_contract(
        project_text(model_folder(model, project) / "contract.toml", project),
        f"models/{model}/contract.toml",
    )
    labels = read_labels(label_files.rows_of(file), contract.target, now, str(file))
    new = label_files.keep(folder_of(settings, model), labels)
    held = settled(settings, model)
    return Added(
        labels=len(labels),
        new=new,
        ids=len(held.outcomes),
        repeated=held.repeated,
        corrected=held.corrected,
        conflicting=held.conflicting,
    )


def untouched(settings: Settings, model: str, file: Path) -> list[str]:
    """The ids of a table that nobody is to act upon, in its order. Raises UsageError where the
    policy leaves nobody untouched.
    """
    project = settings.project
    text = project_text(model_folder(model, project) / "policy.toml", project)
    share = load_policy(text, f"models/{model}/policy.toml").monitor.control_share
    if not share:
        raise UsageError(
            f"models/{model}/policy.toml: [monitor] control_share is 0; above 0 is required",
            "Write the share of the rows that are left untouched, such as 0.1.",
        )
    names = [(row.get("id") or "").strip() for _, row in label_files.rows_of(file, ("id",))]
    return [name for name in names if name and in_control(name, share)]


def settled(settings: Settings, model: str) -> Settled:
    """What all labels of a model say together. Raises SluiceError for a damaged file."""
    return settle(label_files.kept(folder_of(settings, model)))
