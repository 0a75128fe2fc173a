"""A model that is new in a project: its name, and the files that `sluice init` writes."""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from flows.adapters.files import reading_stable
from flows.project.new_folder import require_new
from sluice.draft import sampling
from sluice.draft.parquet_file import MARK, as_csv
from sluice.draft.sampling import Sample, Seen
from sluice.errors import UsageError
from sluice.identity import sha256
from sluice.served.column_keys import key_of

if TYPE_CHECKING:
    from sluice.draft.drafting import Draft

MOST = 50_000  # rows of a table that are looked at; of more, so many are drawn
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


@dataclass(frozen=True)
class OwnTable:
    """A table that a person named: its SHA-256, and its bytes, or rows drawn from it where it is
    large.
    """

    sha256: str
    sample: Sample


def read(path: Path, seen: Seen) -> OwnTable:
    """Read a table for a draft; what is large is never held whole.

    Raises as `reading_stable`, and as `sniffing.sniff` where it is no table.
    """
    with reading_stable(path) as (file, size):
        if file.read(len(MARK)) == MARK:
            return _of_parquet(file, path.name, seen)
        file.seek(0)
        drawn = sampling.sample(file, size, path.name, seen, MOST)
        file.seek(0)
        if drawn is None:
            data = file.read()
            return OwnTable(sha256(data), Sample(data, 0))
        return OwnTable(hashlib.file_digest(file, "sha256").hexdigest(), drawn)


def _of_parquet(file: BufferedReader, source: str, seen: Seen) -> OwnTable:
    """A Parquet file, looked at as the CSV that it would be."""
    file.seek(0)
    known = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    with tempfile.TemporaryFile() as text:
        as_csv(file, text, source)
        size = text.tell()
        drawn = sampling.sample(text, size, source, seen, MOST)
        text.seek(0)
        return OwnTable(known, drawn or Sample(text.read(), 0))


def files_of(
    project: Path, model: str, path: Path, table: OwnTable, draft: "Draft"
) -> dict[str, str]:
    """The files of a new model by their path in the project; `path` is where its table lies."""
    from sluice.draft.toml_files import pointer_text

    contract, policy, sample, pointer = _paths(model)
    place = path.resolve()
    if place.is_relative_to(project.resolve()):
        place = place.relative_to(project.resolve())
    return {
        contract: draft.contract,
        policy: draft.policy,
        sample: draft.sample,
        pointer: pointer_text(place.as_posix(), table.sha256, draft.rows),
    }


def _paths(model: str) -> tuple[str, str, str, str]:
    return (
        f"models/{model}/contract.toml",
        f"models/{model}/policy.toml",
        f"models/{model}/sample.toml",
        f"data/{model}.toml",
    )
