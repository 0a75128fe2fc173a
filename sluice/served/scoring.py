"""Scores from a model artifact: numpy and ONNX Runtime, nothing else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from sluice.errors import Refused, UsageError
from sluice.served.classes import chosen, weights_of
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import (
    Columns,
    Layout,
    Record,
    as_numbers,
    assemble,
    layout,
    read_records,
)
from sluice.served.onnx_file import check
from sluice.served.quantity import Quantity, binned, bins_in
from sluice.toml_text import read_toml

MODEL_FILE = "model.onnx"  # of an artifact
PROBABILITIES, QUANTITY = "probabilities", "quantity"  # the output of a model
_ANEW = "Build the model artifact anew."
_NUMBERS = {2: "two"}


class Session(Protocol):
    """What runs a model: ONNX Runtime's session, as far as it is used here."""

    def run(
        self, output_names: list[str], input_feed: Mapping[str, np.ndarray]
    ) -> Sequence[np.ndarray]:
        """These outputs of the model, for these inputs."""
        ...


@dataclass(frozen=True)
class Model:
    """A loaded artifact: its contract, the shipped threshold, and the ONNX session.

    Where the target has several classes, `weights` has one number for each, by which its
    probability is taken before the largest is answered, and the threshold is no number. Where it is
    a number, `bins` are the inner limits of the histogram of its answers, and there is no threshold
    either.
    """

    contract: Contract
    threshold: float
    session: Session
    layout: Layout
    weights: tuple[float, ...] = ()
    bins: tuple[float, ...] = ()

    @property
    def output(self) -> str:
        """What the output of the model is called."""
        return output_of(self.contract)

    def score(self, columns: Columns) -> np.ndarray:
        """The probability of the positive value for each row, float64, shape (rows,); of several
        classes that of each, shape (rows, classes); of a number the answer itself, in its unit,
        shape (rows,).

        Raise InvalidFields.
        """
        return self.score_numbers(as_numbers(self.contract, columns))

    def score_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """The same for rows of numbers as `as_numbers` gives them. Raise InvalidFields."""
        return score_matrix(self.session, assemble(self.layout, numbers), self.output)

    def answers(self, scores: np.ndarray) -> np.ndarray:
        """What is answered at these scores: 1 from the threshold on and 0 below it; of several
        classes the place of one, and of a number that of its bin. Integers, shape (rows,).
        """
        if self.bins:
            return binned(scores, self.bins)
        if self.weights:
            return chosen(scores, self.weights)
        return np.asarray(scores >= self.threshold, dtype=np.int64)

    def score_records(self, records: Sequence[Record]) -> np.ndarray:
        """The same for records as a program sends them. Raise InvalidFields."""
        return self.score(read_records(self.contract, records))


def load_model(folder: Path) -> Model:
    """Load an artifact folder. The model is loaded from bytes, so it cannot read another file.

    One tier of its contract begins at its threshold. A first row is scored here, of zeros: a model
    that is for another contract, or answers with something else than a probability for each
    outcome, is not loaded.

    Raise UsageError for a wrong contract or threshold, Refused for a model that is not allowed.
    """
    path = folder / "contract.toml"
    contract = load_contract(path.read_text(encoding="utf-8"), str(path))
    session = open_session((folder / MODEL_FILE).read_bytes())
    weights: tuple[float, ...] = ()
    bins: tuple[float, ...] = ()
    if contract.target.quantity:
        threshold, bins = math.nan, _bins(folder / "policy.toml")
    elif contract.target.several:
        threshold, weights = math.nan, _weights(folder / "policy.toml", contract)
    else:
        threshold = _threshold(folder / "policy.toml")
        contract = replace(contract, tiers=contract.tiers.at(threshold))
    model = Model(contract, threshold, session, layout(contract), weights, bins)
    _check_answer(model)
    return model


def _check_answer(model: Model) -> None:
    """Raise Refused unless a row of this contract gets a probability for each outcome, or a number
    of its range.
    """
    width, outcomes = model.layout.width, len(model.contract.target.outcomes)
    row = np.zeros((1, width), dtype=np.float32)
    try:
        answer = np.asarray(model.session.run([model.output], {"features": row})[0])
    except Exception as error:
        what = f"the model cannot score a row of {width} features ({_first_line(error)})"
        raise Refused(what, _ANEW) from error
    if model.contract.target.quantity:
        _check_number(answer, model.contract.target.quantity)
        return
    if answer.shape != (1, outcomes) or answer.dtype.kind != "f" or not _shares(answer):
        raise Refused(
            f"the model answers a row with {str(answer.tolist())[:80]};"
            f" {_NUMBERS.get(outcomes, outcomes)} probabilities are required",
            _ANEW,
        )


def _check_number(answer: np.ndarray, quantity: Quantity) -> None:
    """Raise Refused unless this is one number of the range, shape (1, 1)."""
    low, high = quantity.low - quantity.tolerance, quantity.high + quantity.tolerance
    if answer.shape == (1, 1) and answer.dtype.kind == "f" and low <= answer[0, 0] <= high:
        return
    raise Refused(
        f"the model answers a row with {str(answer.tolist())[:80]}; one number from"
        f" {quantity.low:g} to {quantity.high:g} is required",
        _ANEW,
    )


def _shares(values: np.ndarray) -> bool:
    """Whether these are shares; what is not a number is none."""
    return bool(((values >= 0.0) & (values <= 1.0)).all())


def _threshold(path: Path) -> float:
    """The shipped threshold, a probability, from the policy of the artifact."""
    try:
        policy = read_toml(path.read_text(encoding="utf-8"), str(path))
        threshold = policy["operating_point"]["threshold"]
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"{path} has no threshold ({error})", "A model artifact carries its own."
        ) from None
    if not isinstance(threshold, float) or not 0.0 <= threshold <= 1.0:
        raise UsageError(f"{path}: threshold is {threshold!r}", "It is a share between 0 and 1.")
    return threshold


def _weights(path: Path, contract: Contract) -> tuple[float, ...]:
    """The weight of each class, from the policy of the artifact."""
    policy = read_toml(path.read_text(encoding="utf-8"), str(path))
    return weights_of(policy, contract.target.classes, str(path))


def _bins(path: Path) -> tuple[float, ...]:
    """The inner limits of the histogram of answers, from the policy of the artifact."""
    return bins_in(read_toml(path.read_text(encoding="utf-8"), str(path)), str(path))


def output_of(contract: Contract) -> str:
    """What the output of a model for this contract is called."""
    return QUANTITY if contract.target.quantity else PROBABILITIES


def open_session(model: bytes, threads: int = 1) -> Session:
    """An ONNX Runtime session over these bytes, on so many threads.

    ONNX Runtime is imported here, at the first call: ORT_DISABLE_TELEMETRY must be in the
    environment by then, which the entries of the service and of the flows see to. Raise Refused for
    what is no model, or holds more than arithmetic.
    """
    import onnxruntime

    check(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # What was checked is what is loaded: bytes that are also a model in ONNX Runtime's own format
    # are not read as one.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refused(f"ONNX Runtime cannot run the model ({_first_line(error)})", _ANEW) from error


def _first_line(error: Exception) -> str:
    return "".join(str(error).splitlines()[:1])[:200]


def score_matrix(session: Session, matrix: np.ndarray, output: str = PROBABILITIES) -> np.ndarray:
    """The probability of the positive class for each row, float64, shape (rows,); of a model of
    more than two classes that of each, shape (rows, classes). With the output QUANTITY the number
    that is answered, shape (rows,).

    `matrix` is float32, shape (rows, columns of the matrix), as `assemble` makes it.
    """
    scores = np.asarray(session.run([output], {"features": matrix})[0], dtype=np.float64)
    if output == QUANTITY:
        return scores[:, 0]
    return scores[:, 1] if scores.shape[1] == 2 else scores
