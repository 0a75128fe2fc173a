"""The metrics of the service, which operators and the canary read, in the Prometheus text format.

A request only adds to numbers of this process; rows are counted once a second, many together. Each
worker writes its numbers to a file in the folder that BentoML shares among them, and the worker
that is asked adds up all of them. Requests carry the names and labels that BentoML itself would
give them: deploy/argocd/base/analysis.yaml judges by these.
"""

import bisect
import json
import math
import operator
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from bento.ops.number_counts import number_counts
from sluice.served.classes import chosen
from sluice.served.contract import Contract
from sluice.served.histograms import NO_ROWS, Histogram

# Upper limits of the histograms: seconds of a request, probabilities of an answer.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SHARES = tuple(round(0.05 * step, 2) for step in range(1, 21))
_PENDING = 20_000  # rows that wait to be counted
_BLOCK = 500  # of them that are counted at once; a request waits as long as that takes
_N = TypeVar("_N")
# Name of each kind of counter, its help, and its labels.
_COUNTERS = {
    "predictions": ("sluice_predictions", "Rows that were scored", ["prediction", "tier"]),
    # Of several classes the tier is the class too, and of a number both say on which side of its
    # range it lies, so that a judge compares their shares.
    "judged": (
        "sluice_judged_rows",
        "One row of each request, by answer; `bin` is the least probability of a twentieth, or the"
        " lower limit of a hundredth of the plausible range",
        ["prediction", "tier", "bin"],
    ),
    "outside": ("sluice_input_out_of_reference", "Values that no training row had", ["column"]),
    "refused": ("sluice_refused_requests", "Requests refused, by kind", ["kind"]),
    "field": ("sluice_refused_fields", "Fields that the contract does not allow", ["column"]),
    "feedback": ("sluice_feedback", "Opinions on answers", ["agrees"]),
    "log": ("sluice_prediction_log_lines", "Lines of the prediction log", ["outcome"]),
}


class _State(msgspec.Struct, frozen=True):
    """The numbers of one worker, as it hands them to the others.

    The keys of `requests` and `counts` are their labels, as JSON. `requests` has for each the
    requests by seconds and the sum of the seconds; `rows` the answers by probability and the sum of
    the probabilities, or the same of numbers.
    """

    requests: dict[str, list[float]]
    counts: dict[str, int]
    rows: list[float]
    in_progress: int
    started: float


_DECODER = msgspec.json.Decoder(_State)


class Measures:
    """The numbers of this process, by name and labels; `text` has those of all workers."""

    def __init__(
        self,
        contract: Contract,
        reference: Mapping[str, Histogram],
        threshold: float,
        labels: Mapping[str, str],
        weights: tuple[float, ...] = (),
        bins: tuple[float, ...] = (),
    ) -> None:
        """`reference` has the histograms of the training rows, `labels` what is served. A model of
        several classes has `weights`, and a score is the probability of each; one of a number has
        `bins`, and a score is its answer.
        """
        self._contract = contract
        self._threshold = threshold
        self._weights = weights
        self._numbers = number_counts(contract.target.quantity, bins)
        self._edges = self._numbers.edges if self._numbers else SHARES
        self._labels = dict(labels)
        self._limits, self._values = _seen(contract, reference)
        self._requests: dict[tuple[str, int], list[float]] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._judged: deque[float | list[float]] = deque()
        self._started = time.time()
        self._pending: deque[tuple[list[float], float | list[float]]] = deque()
        self._lists: deque[tuple[np.ndarray, np.ndarray]] = deque()
        self._histogram = np.zeros(len(self._edges) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        self.in_progress = 0
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._shared = Path(folder) if folder and Path(folder).is_dir() else None
        for key in self._numbers.begun() if self._numbers else ():
            self._counts["judged", *key] = 0

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered after so many seconds."""
        numbers = self._requests.get((endpoint, status))
        if numbers is None:
            # One for each bucket, one for all slower ones, and the sum of the seconds.
            numbers = self._requests.setdefault((endpoint, status), [0.0] * (len(SECONDS) + 2))
        numbers[bisect.bisect_left(SECONDS, seconds)] += 1
        numbers[-1] += seconds

    def row(self, numbers: list[float], score: float | list[float]) -> None:
        """Count a row that was scored: its numbers and its probability. It is done later."""
        self._pending.append((numbers, score))
        if len(self._pending) > _PENDING:
            self.settle()

    def rows(self, numbers: np.ndarray, scores: np.ndarray) -> None:
        """Count many rows: numbers of shape (rows, features), probabilities of shape (rows,)."""
        self._lists.append((numbers, scores))
        if len(self._lists) > _BLOCK:
            self.settle()

    def judged(self, score: float | list[float]) -> None:
        """Count the probability of the one row of a request that a version is judged by.

        Rows of one request are alike: counted all, one upload would outweigh many callers.
        """
        self._judged.append(score)
        if len(self._judged) > _PENDING:
            self.settle()

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Add to a counter that has one label."""
        self._counts[name, label] += by

    def settle(self, pause: float = 0.0) -> None:
        """Count the rows that wait, with `pause` seconds after each block of them.

        In a pause the thread that answers requests has the interpreter for itself.
        """
        while self._settle_block():
            if pause:
                time.sleep(pause)

    def _settle_block(self) -> bool:
        """Count some of the rows that wait; return False where none does."""
        with self._lock:
            if self._judged:
                self._count_judged(min(len(self._judged), _BLOCK))
                return True
            if self._lists:
                numbers, scores = self._lists.popleft()
            elif self._pending:
                waiting = [self._pending.popleft() for _ in range(min(len(self._pending), _BLOCK))]
                numbers = np.array([row for row, _ in waiting], dtype=np.float64)
                scores = np.array([score for _, score in waiting], dtype=np.float64)
            else:
                return False
            self._add(numbers, scores)
        return True

    def _count_judged(self, many: int) -> None:
        """Count so many of the rows that the version is judged by."""
        scores = [self._judged.popleft() for _ in range(many)]
        if self._weights:
            self._count_judged_classes(np.array(scores))
            return
        if self._numbers:
            for key in self._numbers.judged(np.array(scores)):
                self._counts["judged", *key] += 1
            return
        tiers = self._contract.tiers
        for score in np.array(scores).tolist():
            prediction = str(int(score >= self._threshold))
            self._counts["judged", prediction, tiers.of(score), bin_of(score)] += 1

    def _count_judged_classes(self, scores: np.ndarray) -> None:
        """The same of several classes: by class, and by the probability of that."""
        places = chosen(scores, self._weights)
        for row, place in enumerate(places.tolist()):
            name = self._contract.target.classes[place]
            self._counts["judged", name, name, bin_of(float(scores[row, place]))] += 1

    def _add(self, numbers: np.ndarray, scores: np.ndarray) -> None:
        """Count rows: `numbers` of shape (rows, features), their probabilities (rows,), or (rows,
        classes).
        """
        if self._weights:
            places = chosen(scores, self._weights)
            classes = self._contract.target.classes
            counts = np.bincount(places, minlength=len(classes)).tolist()
            for name, count in zip(classes, counts, strict=True):
                self._counts["predictions", name, name] += count
            scores = scores[np.arange(len(scores)), places]
        elif self._numbers:
            for side, place, count in self._numbers.predictions(scores):
                self._counts["predictions", side, place] += count
        else:
            self._count_answers(scores)
        buckets = np.searchsorted(self._edges, scores)
        self._histogram += np.bincount(buckets, minlength=len(self._edges) + 1)
        self._sum += float(scores.sum())
        self._count_outside(numbers)

    def _count_answers(self, scores: np.ndarray) -> None:
        # Tier and prediction in one number, so that one count does for both.
        tiers = self._contract.tiers
        levels = np.searchsorted(tiers.limits, scores, side="right")
        kinds = 2 * levels + (scores >= self._threshold)
        for kind, count in enumerate(np.bincount(kinds, minlength=2 * len(tiers.names)).tolist()):
            level, prediction = divmod(kind, 2)
            self._counts["predictions", str(prediction), tiers.names[level]] += count

    def _count_outside(self, numbers: np.ndarray) -> None:
        """Count the values that no training row had, by column."""
        low, high = self._limits
        outside = np.count_nonzero((numbers < low) | (numbers > high), axis=0).tolist()
        for index, known in self._values.items():
            outside[index] = int(np.count_nonzero(~known[numbers[:, index].astype(np.intp)]))
        for column, count in zip(self._contract.features, outside, strict=True):
            self._counts["outside", column.key] += count

    def save(self, more: Mapping[str, int], pause: float = 0.0) -> None:
        """Hand the numbers of this process to the other workers.

        `more` are counts of the prediction log; `pause` is as `settle` takes it.
        """
        self.settle(pause)
        for kind, number in more.items():
            self._counts["log", kind] = number
        if self._shared:
            part = self._shared / f".sluice-{os.getpid()}.part"
            with suppress(OSError):  # a full disk must not end the service
                part.write_bytes(msgspec.json.encode(self._state()))
                part.replace(self._shared / f"sluice-{os.getpid()}.json")

    def text(self) -> bytes:
        """The numbers of all workers, as Prometheus reads them."""
        registry = CollectorRegistry()
        registry.register(_Families(self._families(self._all())))
        return generate_latest(registry)

    def _state(self) -> _State:
        # Copies are iterated over: requests add to these from another thread.
        requests = {json.dumps(key): list(values) for key, values in list(self._requests.items())}
        counts = {json.dumps(key): number for key, number in list(self._counts.items())}
        rows = [*self._histogram.tolist(), self._sum]
        return _State(requests, counts, rows, self.in_progress, self._started)

    def _all(self) -> list[_State]:
        """The numbers of this worker, then those that the others have handed over."""
        states = [self._state()]
        if self._shared is None:
            return states
        for path in self._shared.glob("sluice-*.json"):
            number = int(path.stem.partition("-")[2])
            if number == os.getpid():
                continue
            state = _DECODER.decode(path.read_bytes())
            if not psutil.pid_exists(number):
                # Its counts stay true; what it was doing when it ended is not being done.
                state = msgspec.structs.replace(state, in_progress=0, started=math.inf)
            states.append(state)
        return states

    def _families(self, states: list[_State]) -> Iterable[Metric]:
        yield from self._requests_of(states)
        rows = [sum(values) for values in zip(*(state.rows for state in states), strict=True)]
        yield self._histogram_of(rows)
        yield from _counters(_summed([state.counts for state in states], operator.add))
        if not self._weights and not self._numbers:
            yield GaugeMetricFamily(
                "sluice_model_threshold",
                "From this probability on the answer is 1",
                self._threshold,
            )
        yield GaugeMetricFamily(
            "sluice_start_time_seconds",
            "When the oldest worker that runs began, in seconds of the epoch",
            min(state.started for state in states),
        )
        build = GaugeMetricFamily(
            "sluice_build_info", "What is served; always 1", labels=list(self._labels)
        )
        build.add_metric(list(self._labels.values()), 1)
        yield build

    def _histogram_of(self, rows: list[float]) -> Metric:
        """The histogram of what was answered, with the sum of it as the last of `rows`."""
        name, text = "sluice_prediction_probability", "Probabilities that were answered"
        if self._numbers:
            name, text = "sluice_prediction_quantity", self._numbers.help
        family = HistogramMetricFamily(name, text)
        family.add_metric([], _buckets(self._edges, rows[:-1]), rows[-1])
        return family

    def _requests_of(self, states: list[_State]) -> Iterable[Metric]:
        """Requests by the names and labels of BentoML."""
        names = ["service_name", "service_version", "runner_name"]
        served = [self._labels[name] for name in names]
        labels = ["endpoint", *names, "http_response_code"]
        total = CounterMetricFamily("bentoml_service_request", "Requests answered", labels=labels)
        duration = HistogramMetricFamily(
            "bentoml_service_request_duration_seconds", "Seconds to the answer", labels=labels
        )
        requests = _summed([state.requests for state in states], _side_by_side)
        for key, numbers in sorted(requests.items()):
            endpoint, status = json.loads(key)
            values = [endpoint, *served, str(status)]
            total.add_metric(values, sum(numbers[:-1]))
            duration.add_metric(values, _buckets(SECONDS, numbers[:-1]), numbers[-1])
        yield from (total, duration)
        busy = GaugeMetricFamily(
            "bentoml_service_request_in_progress", "Requests being answered now", labels=names
        )
        busy.add_metric(served, sum(state.in_progress for state in states))
        yield busy


def bin_of(score: float) -> str:
    """The label of the twentieth that a probability lies in, its lower limit; `none` for a score
    that is no probability.
    """
    if not 0.0 <= score <= 1.0:
        return "none"
    return f"{bisect.bisect_left(SHARES, score) * 0.05:.2f}"


def _counters(counts: Mapping[str, float]) -> Iterable[Metric]:
    for kind, (name, text, labels) in _COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=labels)
        for key, number in sorted(counts.items()):
            first, *values = json.loads(key)
            if first == kind:
                family.add_metric(values, number)
        yield family


class _Families:
    """Metrics that are made already, as a collector, which is what a registry takes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        return self._families


def _seen(
    contract: Contract, reference: Mapping[str, Histogram]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """What training rows had, by the reference of the artifact.

    First the lowest and highest number of each column, shape (2, features). Then, for those columns
    of texts of which some value was in no row, by place a flag for each value.
    """
    limits = np.full((2, len(contract.features)), [[-np.inf], [np.inf]])
    values: dict[int, np.ndarray] = {}
    for index, column in enumerate(contract.features):
        histogram = reference.get(column.key, NO_ROWS)
        if column.numeric:
            if histogram.edges:
                limits[:, index] = histogram.edges[0], histogram.edges[-1]
        elif histogram.values is not None and not set(column.values) <= set(histogram.values):
            values[index] = np.array([value in histogram.values for value in column.values])
    return limits, values


def _summed(parts: Sequence[Mapping[str, _N]], add: Callable[[_N, _N], _N]) -> dict[str, _N]:
    """The numbers of all workers, added up by key."""
    total: dict[str, _N] = {}
    for part in parts:
        for key, value in part.items():
            total[key] = add(total[key], value) if key in total else value
    return total


def _side_by_side(one: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _buckets(limits: tuple[float, ...], counts: list[float]) -> list[tuple[str, float]]:
    """The buckets of a histogram as Prometheus has them: upper limit, and all counts up to it."""
    names = [f"{limit:.1f}" if limit.is_integer() else f"{limit:g}" for limit in limits]
    return list(zip([*names, "+Inf"], np.cumsum(counts).tolist(), strict=True))
