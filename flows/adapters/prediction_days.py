"""The prediction log of a service, from outside: its days, and the rows of a day block by block.

Memory does not grow with the log: a block is read, decoded into a type made from the contract, and
handed on. What is being written while it is read ends in half a line, which is left for later.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct

from flows.adapters.prediction_log import required_folder
from sluice.identity import sha256
from sluice.monitor.acting import in_control
from sluice.monitor.day import NONE, Block
from sluice.monitor.labels import Settled
from sluice.served.contract import Contract
from sluice.served.encoding import read_day

_FILES = "predictions-*.jsonl"
_DAY = 8  # digits of the day in the name of a file
_BYTES = 4 * 2**20  # of a block


@dataclass(frozen=True)
class LogDay:
    """The files of one day (`2026-11-20`), and a hash of their names and sizes."""

    day: str
    files: tuple[str, ...]
    identity: str


@dataclass
class Passed:
    """How many lines of a day were passed over: answers of other models, and broken ones; how many
    requests were refused for their fields, and how often for each.
    """

    others: int = 0
    broken: int = 0
    refused: int = 0
    fields: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class PredictionLog:
    """A place with files of a prediction log: a folder, or a URL that fsspec reads."""

    sizes: Mapping[str, int]
    open: Callable[[str], BinaryIO]

    def days(self) -> list[LogDay]:
        """The days that have files, oldest first."""
        by_day: dict[str, list[str]] = {}
        for name in sorted(self.sizes):
            digits = name.rpartition("/")[2].split("-")[1]
            if len(digits) == _DAY and digits.isdigit():
                day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
                by_day.setdefault(day, []).append(name)
        return [
            LogDay(day, tuple(files), self._identity(files))
            for day, files in sorted(by_day.items())
        ]

    def _identity(self, files: list[str]) -> str:
        shown = "\n".join(f"{name.rpartition('/')[2]} {self.sizes[name]}" for name in files)
        return sha256(shown.encode())


def open_log(place: str) -> PredictionLog:
    """The log at a place. Raises UsageError where there is no such folder."""
    if "://" in place:
        import fsspec

        system, root = fsspec.core.url_to_fs(place)
        found = system.glob(f"{root}/{_FILES}", detail=True)
        sizes = {name: int(entry["size"] or 0) for name, entry in found.items()}
        return PredictionLog(sizes, lambda name: system.open(name, "rb"))
    folder = required_folder(place)
    sizes = {str(path): path.stat().st_size for path in folder.glob(_FILES)}
    return PredictionLog(sizes, lambda name: open(name, "rb"))


def blocks(
    log: PredictionLog,
    day: LogDay,
    contract: Contract,
    digest: str,
    labels: Settled,
    passed: Passed,
    control_share: float = 0.0,
) -> Iterator[Block]:
    """The rows of a day that the model with this digest answered, with their labels, and who of
    them is left untouched by lot.

    What is passed over is counted in `passed`. A file that its service removed meanwhile for its
    age is no longer there.
    """
    for lines in _answers(log, day, contract, digest, passed):
        yield _block(lines, contract, labels, control_share)


@dataclass(frozen=True)
class Sent:
    """The inputs of some lines as columns by key, and for each line a name of its request: the rows
    of one request have the same.
    """

    requests: list[tuple[str, str]]
    names: list[str]
    columns: dict[str, np.ndarray]


def sent(
    log: PredictionLog, day: LogDay, contract: Contract, digest: str, passed: Passed
) -> Iterator[Sent]:
    """The rows of a day that the model with this digest was sent, as columns.

    What is passed over is counted in `passed`, as `blocks` does.
    """
    for lines in _answers(log, day, contract, digest, passed):
        columns = {
            key: values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
            for key, values in _columns(lines, contract).items()
        }
        names = [line.id for line in lines]
        # The answers to a list are named by one name and the place of each row.
        requests = [(line.request, line.id.rpartition("-")[0] or line.id) for line in lines]
        yield Sent(requests, names, columns)


def _answers(
    log: PredictionLog, day: LogDay, contract: Contract, digest: str, passed: Passed
) -> Iterator[list[Any]]:
    """The lines of a day that the model with this digest answered, some megabytes at a time."""
    decoder = msgspec.json.Decoder(_line_type(contract))
    for name in day.files:
        try:
            file = log.open(name)
        except FileNotFoundError:
            continue
        with file:
            for content in _pieces(file):
                lines = _decoded(decoder, content, passed)
                answers = [line for line in lines if line.kind == "prediction"]
                ours = [line for line in answers if line.model_digest == digest]
                passed.others += len(answers) - len(ours)
                _count_refused(lines, digest, passed)
                if ours:
                    yield ours


def _count_refused(lines: list[Any], digest: str, passed: Passed) -> None:
    for line in lines:
        if line.kind == "refused" and line.model_digest == digest:
            passed.refused += 1
            passed.fields.update(line.columns)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The whole lines of a file, some megabytes at a time; half a line at its end is left out."""
    rest = b""
    while content := file.read(_BYTES):
        whole, end, after = content.rpartition(b"\n")
        if end:
            yield rest + whole
            rest = after
        else:
            rest += content


def _decoded(decoder: Any, content: bytes, passed: Passed) -> list[Any]:
    """The lines that can be read; the broken ones are counted."""
    try:
        return decoder.decode_lines(content)
    except (ValueError, RecursionError):
        lines = []
        for line in content.split(b"\n"):
            try:
                lines.append(decoder.decode(line))
            except (ValueError, RecursionError):
                passed.broken += 1
        return lines


def _line_type(contract: Contract) -> type[Struct]:
    """What a line of the log is; a line about an opinion has none of the answer's fields.

    The fields of the inputs are numbered: a key of a contract may be a word of Python.
    """
    fields: list[Any] = []
    names = {}
    for place, column in enumerate(contract.features):
        kind = float if column.numeric and column.kind != "date" else str
        fields.append((f"f{place}", kind | None, None))
        names[f"f{place}"] = column.key
    inputs = msgspec.defstruct("Inputs", fields, rename=names, frozen=True, gc=False)
    line: list[Any] = [
        ("kind", str),
        ("time", str, ""),
        ("id", str, ""),
        ("request", str, ""),
        ("probability", float, 0.0),
        ("prediction", str, "") if contract.target.several else ("prediction", int, 0),
        ("tier", str, ""),
        ("value", float, 0.0),
        ("bin", int, 0),
        ("model_digest", str, ""),
        ("columns", list[str], []),
        ("inputs", inputs, inputs()),
    ]
    return msgspec.defstruct("Line", line, gc=False)


def _columns(lines: list[Any], contract: Contract) -> dict[str, np.ndarray | list[str | None]]:
    """The inputs of lines by column key."""
    columns: dict[str, np.ndarray | list[str | None]] = {}
    inputs = [line.inputs for line in lines]
    for place, column in enumerate(contract.features):
        values = [getattr(row, f"f{place}") for row in inputs]
        if column.kind == "date":
            values = [read_day(column, value) for value in values]
        columns[column.key] = np.array(values, dtype=np.float64) if column.numeric else values
    return columns


def _block(lines: list[Any], contract: Contract, labels: Settled, control_share: float) -> Block:
    outcomes, acted = labels.outcomes, labels.acted
    times = np.array([line.time.rstrip("Z") for line in lines], dtype="datetime64[ms]")
    held = [outcomes.get(line.id) for line in lines] if outcomes else [None] * len(lines)
    return Block(
        times=times.astype(np.int64) / 1000,
        columns=_columns(lines, contract),
        outcomes=np.array([label[0] if label else NONE for label in held], dtype=np.float64),
        known=np.array([label[1] if label else 0 for label in held], dtype=np.float64),
        acted=np.array([line.id in acted for line in lines], dtype=bool),
        control=np.array([in_control(line.id, control_share) for line in lines], dtype=bool),
        **vars(_said(lines, contract)),
    )


@dataclass(frozen=True)
class _Said:
    """What was answered, as a `Block` has it."""

    probabilities: np.ndarray
    flagged: np.ndarray
    tiers: list[str]
    answers: np.ndarray | None = None


def _said(lines: list[Any], contract: Contract) -> _Said:
    quantity = contract.target.quantity
    if quantity:
        answers = np.array([line.value for line in lines], dtype=np.float64)
        nobody = np.zeros(len(lines), dtype=bool)
        bins = [str(line.bin) for line in lines]
        return _Said(quantity.shares(answers), nobody, bins, answers)
    several = contract.target.several  # what is answered is then a class, and stands for the tier
    return _Said(
        np.array([line.probability for line in lines]),
        np.array([line.prediction == 1 for line in lines], dtype=bool),
        [line.prediction if several else line.tier for line in lines],
    )
