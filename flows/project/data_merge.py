"""New labelled rows for the table that a pointer names, and the pointer on to what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from flows.adapters.files import read_stable, write_atomic
from flows.adapters.only_one import only_one
from flows.project import data_pointer, data_source
from flows.project.models import model_folder, project_text
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError
from sluice.identity import sha256
from sluice.policy import Policy, load_policy
from sluice.served.contract import Contract, load_contract

if TYPE_CHECKING:
    import pandas as pd

    from gx.report import Report

_OWN_FILE = 0o600  # rows of people


class Told(Struct, frozen=True):
    """What a merge did, in counts: nobody's row is in it.

    `file` is what was written, empty where nothing is new; `pointer` the pointer that names it now,
    empty where it still names another place. `added`, `repeated`, `corrected` and `unlabelled` are
    rows of the file that was named; `positives` are among the added, None where the target has
    several classes; `unjoined` had no record in a file of features. `holdout` and
    `holdout_positives` are the added that lie in the holdout, or None where the split is by time,
    which moves its parts on. `rows` is how many there are now.
    """

    model: str
    file: str
    pointer: str
    rows: int
    added: int
    repeated: int
    corrected: int
    unlabelled: int
    positives: int | None
    unjoined: int
    holdout: int | None
    holdout_positives: int | None


@dataclass(frozen=True)
class Wanted:
    """What is to be merged: a file of rows, files of features with a time each, the column that
    both have (the group or the id unless named), and where to write (the file of the pointer
    unless named).
    """

    rows: Path
    features: tuple[Path, ...] = ()
    on: str = ""
    to: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What was told, and the report of the validation, which has stopped it where it refuses."""

    told: Told | None
    report: "Report"


def merge(settings: Settings, model: str, wanted: Wanted) -> Outcome:
    """Merge new rows into the table of a model; all of them, or nothing is written.

    The merged table is validated first. Raises UsageError where the pointer names no file that can
    be written and no other is named, Refused for rows that do not go together with the table.
    """
    with only_one(settings.home / "merge.lock") as alone:
        if not alone:
            what = "another merge is at work on this machine"
            raise SluiceError(what, "Try again when it is done.")
        return _merge(settings, model, wanted)


def _merge(settings: Settings, model: str, wanted: Wanted) -> Outcome:
    from gx.validation import validate
    from sluice.model.data.merge import merge, require_known_in_time
    from sluice.model.data.table import read_table
    from sluice.model.data.table_file import like

    contract, policy = _declared(settings, model)
    target, inside = _place(settings, model, wanted.to)
    data = data_source.from_pointer(settings, model)
    content = data.path.read_bytes()
    if target.is_file() and wanted.to is None:
        _require_named(target, sha256(read_stable(target)), data.sha256)
    held = read_table(content, contract, data.reference)
    rows, unjoined = _rows(contract, wanted)
    source = wanted.rows.name
    require_known_in_time(rows, contract, source)
    merged = merge(held, rows, contract, source)
    report = validate(contract, merged.frame, minimum_rows=policy.data.minimum_rows, model=model)
    if report.refused:
        return Outcome(None, report)
    added = merged.frame[len(held) :]
    changed = merged.added or merged.corrected or merged.columns
    pointer = ""
    if changed:
        written = like(content, merged.frame, contract, data.reference)
        write_atomic(target, written)
        target.chmod(_OWN_FILE)
        pointer = data_pointer.add(settings, model, str(target)).file if inside else ""
    holdout = _in_holdout(added, contract, policy)
    positives = _positives(added, contract)
    told = Told(
        model=model,
        file=_shown(settings, target) if changed else "",
        pointer=pointer,
        rows=len(merged.frame),
        added=merged.added,
        repeated=merged.repeated,
        corrected=merged.corrected,
        unlabelled=merged.unlabelled,
        positives=_counted(positives),
        unjoined=unjoined,
        holdout=_counted(holdout),
        holdout_positives=_counted(_both(holdout, positives)),
    )
    return Outcome(told, report)


def _declared(settings: Settings, model: str) -> tuple[Contract, Policy]:
    folder, project = model_folder(model, settings.project), settings.project
    contract = load_contract(
        project_text(folder / "contract.toml", project), f"models/{model}/contract.toml"
    )
    policy = load_policy(
        project_text(folder / "policy.toml", project), f"models/{model}/policy.toml"
    )
    return contract, policy


def _place(settings: Settings, model: str, to: Path | None) -> tuple[Path, bool]:
    """The file to write, and whether it lies in the project. Raises UsageError where the pointer
    names none and no other is named, and where the other one is there already.
    """
    project = settings.project.resolve()
    if to is not None:
        if to.exists():
            raise UsageError(f"{to} is there already", "Name a file that is not, with --to.")
        return to, to.resolve().is_relative_to(project)
    pointer = data_source.pointer_of(settings, model)
    if pointer.kind != "file":
        raise UsageError(
            f"data/{model}.toml names {pointer.reference}; a file of the project is required",
            "Name a file with --to. One in the project becomes the data of the model; put another"
            " where the pointer names it, and run `sluice data add ADDRESS` again.",
        )
    return project / pointer.target, True


def _require_named(file: Path, digest: str, wanted: str) -> None:
    """Refuse to merge into a file that was changed since its pointer was written."""
    if digest != wanted:
        raise UsageError(
            f"{file.name} hashes to {digest}; the pointer names {wanted}",
            f"Run `sluice data add {file.name}` where the change is meant, and merge then.",
        )


def _rows(contract: Contract, wanted: Wanted) -> tuple["pd.DataFrame", int]:
    """The new rows with what files of features say of them, and how many have no record there."""
    from sluice.model.data.merge import as_it_was
    from sluice.model.data.table import read_columns

    rows = read_columns(read_stable(wanted.rows), contract, wanted.rows.name)
    unjoined = np.zeros(len(rows), dtype=bool)
    on = _joined_on(contract, wanted.on)
    for file in wanted.features:
        if not contract.known_at:
            what = "the contract names no known_at, so nobody can say what was known when"
            raise UsageError(what, 'Write known_at = "NAME OF THE COLUMN" beside its as_of.')
        records = read_columns(read_stable(file), contract, file.name)
        _require_column(rows, on, wanted.rows.name)
        _require_column(records, on, file.name)
        before = set(rows)
        rows = as_it_was(rows, records, contract, on, file.name)
        brought = [name for name in rows if name not in before and name != contract.known_at]
        unjoined |= rows[brought].isna().all(axis=1).to_numpy()
    return rows, int(unjoined.sum())


def _joined_on(contract: Contract, named: str) -> str:
    """The published name of the column by which rows find their records."""
    if not named:
        return (contract.group or contract.id).name
    column = contract.find(named)
    if column is None:
        raise UsageError(f"the contract has no column {named!r}", "Name one of it, with --on.")
    return column.name


def _require_column(frame: "pd.DataFrame", name: str, source: str) -> None:
    if name not in frame:
        what = f"{source} has no column {name}, by which rows find their records"
        raise UsageError(what, "Add it, or name another one that both files have, with --on.")


def _positives(added: "pd.DataFrame", contract: Contract) -> np.ndarray | None:
    """Which of the added rows are positive; None where the target has several classes, or is a
    number.
    """
    if contract.target.several or contract.target.quantity:
        return None
    [target] = contract.role("target")
    return np.asarray(added[target.name].astype(object) == contract.target.positive)


def _both(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    return None if one is None or other is None else one & other


def _counted(rows: np.ndarray | None) -> int | None:
    return None if rows is None else int(np.count_nonzero(rows))


def _in_holdout(added: "pd.DataFrame", contract: Contract, policy: Policy) -> np.ndarray | None:
    """Which added rows lie in the holdout; None where the split is by time."""
    from sluice.model.data.split import deciding, unseen
    from sluice.model.data.table import typed

    if policy.split.by_time:
        return None
    if added.empty:
        return np.zeros(0, dtype=bool)
    return unseen(policy.split, deciding(contract, typed(added, contract)))


def _shown(settings: Settings, file: Path) -> str:
    place = file.resolve()
    project = settings.project.resolve()
    return str(place.relative_to(project)) if place.is_relative_to(project) else str(file)
