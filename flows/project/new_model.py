"""A model that is new in a project: its name, and the files that `sluice init` writes."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flows.project.new_folder import require_new
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.served.column_keys import key_of

if TYPE_CHECKING:
    from sluice.draft.drafting import Draft

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def name_of(given: str, file: Path) -> str:
    """The name of a model: the one that is given, or that of its file.

    Raises UsageError for what is no name of a folder, an image and a service.
    """
    name = given or key_of(file.name.partition(".")[0])[:40].strip("_")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"the model would be called {name!r}; lower-case letters, digits and _ are required,"
            " a letter first",
            "Write --model NAME.",
        )
    return name


def require_free(project: Path, model: str) -> None:
    """Raise UsageError where the project has a file of this model already."""
    require_new(project, dict.fromkeys(_paths(model), ""))


def files_of(project: Path, model: str, table: Path, data: bytes, draft: "Draft") -> dict[str, str]:
    """The files of a new model by their path in the project."""
    from sluice.draft.toml_files import pointer_text

    contract, policy, pointer = _paths(model)
    place = table.resolve()
    if place.is_relative_to(project.resolve()):
        place = place.relative_to(project.resolve())
    return {
        contract: draft.contract,
        policy: draft.policy,
        pointer: pointer_text(place.as_posix(), sha256(data), draft.rows),
    }


def _paths(model: str) -> tuple[str, str, str]:
    return (
        f"models/{model}/contract.toml",
        f"models/{model}/policy.toml",
        f"data/{model}.toml",
    )
