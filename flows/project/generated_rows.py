"""Generated rows of a model in any number, for what is tried with rows that are nobody's."""

import importlib
import math

import msgspec

from flows.project.data_source import pointer_of
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import UsageError

_MOST = 50_000


def generated_rows(settings: Settings, model: str, rows: int, positives: int = 0) -> bytes:
    """A CSV of so many rows: by the sample.toml of a model, or by the module that its pointer
    names. The first takes more rows where so many `positives` are expected in no fewer.

    Raises UsageError where the model has neither.
    """
    folder = model_folder(model, settings.project)
    if (folder / "sample.toml").is_file():
        return _from_shares(settings, model, rows, positives)
    pointer = pointer_of(settings, model)
    if not pointer.generated:
        raise UsageError(
            f"models/{model} has 0 files sample.toml; 1 is required, or a pointer to a sample",
            "`sluice init FILE` writes one; copy it from the folder of a new draft.",
        )
    module = importlib.import_module(pointer.target)
    content: bytes = module.to_csv(module.generate(rows))
    return content


def _from_shares(settings: Settings, model: str, rows: int, positives: int) -> bytes:
    from sluice.draft.generated import generate
    from sluice.draft.sample_file import read_sample
    from sluice.served.contract import load_contract

    folder = model_folder(model, settings.project)
    name = f"models/{model}/contract.toml"
    contract = load_contract(project_text(folder / "contract.toml", settings.project), name)
    name = f"models/{model}/sample.toml"
    sample = read_sample(project_text(folder / "sample.toml", settings.project), name, contract)
    rows_of = sample.of_classes
    share = (min(rows_of) if sample.classes else sample.positive) / sum(rows_of)
    enough = max(rows, min(_MOST, math.ceil(positives / share)))
    return generate(msgspec.structs.replace(sample, rows=enough), contract)
