"""What operators and the canary see at /metrics, in the Prometheus text format.

A request only adds to numbers of this process; rows are counted once a second, many together. Each
worker writes its numbers to a file of the folder that BentoML shares among them, and whoever is
asked adds up all of them. Requests carry the names and labels that BentoML itself would give them:
deploy/argocd/base/analysis.yaml judges by these.
"""

import bisect
import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from sluice.served.contract import Contract
from sluice.served.tiers import LIMITS, TIERS

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SHARES = tuple(round(0.05 * step, 2) for step in range(1, 21))
_PENDING = 20_000  # rows that wait to be counted
_BLOCK = 500  # of them counted at once: whoever answers meanwhile waits so long
Numbers = dict[str, float]


class Measures:
    """The numbers of this process, by name and labels; `text` has those of all workers."""

    def __init__(
        self,
        contract: Contract,
        reference: Mapping[str, Any],
        threshold: float,
        labels: Mapping[str, str],
    ) -> None:
        self._contract, self._threshold, self._labels = contract, threshold, dict(labels)
        self._limits, self._values = _seen(contract, reference)
        self._requests: dict[tuple[str, int], list[float]] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._pending: deque[tuple[list[float], float]] = deque()
        self._lists: deque[tuple[np.ndarray, np.ndarray]] = deque()
        self._probabilities = np.zeros(len(SHARES) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        self.in_progress = 0
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._shared = Path(folder) if folder and Path(folder).is_dir() else None

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        found = self._requests.get((endpoint, status))
        if found is None:
            found = self._requests.setdefault((endpoint, status), [0.0] * (len(SECONDS) + 2))
        found[bisect.bisect_left(SECONDS, seconds)] += 1
        found[-1] += seconds

    def row(self, numbers: list[float], score: float) -> None:
        """Count a row that was scored, soon."""
        self._pending.append((numbers, score))
        if len(self._pending) > _PENDING:
            self.settle()

    def rows(self, numbers: np.ndarray, scores: np.ndarray) -> None:
        """The same of many: numbers of shape (rows, features)."""
        self._lists.append((numbers, scores))
        if len(self._lists) > _BLOCK:
            self.settle()

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Add to a counter that has one label."""
        self._counts[name, label] += by

    def settle(self, pause: float = 0.0) -> None:
        """Count the rows that wait, with so many seconds between two blocks of them for who answers
        meanwhile.
        """
        while self._settle_block():
            if pause:
                time.sleep(pause)

    def _settle_block(self) -> bool:
        with self._lock:
            if self._lists:
                numbers, scores = self._lists.popleft()
            elif self._pending:
                waiting = [self._pending.popleft() for _ in range(min(len(self._pending), _BLOCK))]
                numbers, scores = (
                    np.array(part, dtype=np.float64) for part in zip(*waiting, strict=True)
                )
            else:
                return False
            self._add(numbers, scores)
        return True

    def _add(self, numbers: np.ndarray, scores: np.ndarray) -> None:
        self._probabilities += np.bincount(
            np.searchsorted(SHARES, scores), minlength=len(SHARES) + 1
        )
        self._sum += float(scores.sum())
        kinds = 2 * np.searchsorted(LIMITS, scores, side="right") + (scores >= self._threshold)
        for kind, count in enumerate(np.bincount(kinds, minlength=2 * len(TIERS)).tolist()):
            self._counts["predictions", str(kind % 2), TIERS[kind // 2]] += count
        low, high = self._limits
        outside = np.count_nonzero((numbers < low) | (numbers > high), axis=0).tolist()
        for place, flags in self._values.items():
            outside[place] = int(np.count_nonzero(~flags[numbers[:, place].astype(np.intp)]))
        for column, count in zip(self._contract.features, outside, strict=True):
            self._counts["outside", column.key] += count

    def save(self, more: Mapping[str, int], pause: float = 0.0) -> None:
        """Hand this process's numbers to the other workers; `more` are counts of the prediction
        log.
        """
        self.settle(pause)
        for kind, number in more.items():
            self._counts["log", kind] = number
        if self._shared:
            part = self._shared / f".sluice-{os.getpid()}.part"
            with suppress(OSError):  # a full disk must not end the service
                part.write_text(json.dumps(self._state()))
                part.replace(self._shared / f"sluice-{os.getpid()}.json")

    def text(self) -> bytes:
        """The numbers of all workers, as Prometheus reads them."""
        registry = CollectorRegistry()
        registry.register(_Families(self._families(self._all())))
        return generate_latest(registry)

    def _state(self) -> dict[str, Any]:
        requests = {json.dumps(key): list(values) for key, values in list(self._requests.items())}
        counts = {json.dumps(key): number for key, number in list(self._counts.items())}
        rows = [*self._probabilities.tolist(), self._sum]
        return {
            "requests": requests,
            "counts": counts,
            "rows": rows,
            "in_progress": self.in_progress,
        }

    def _all(self) -> list[dict[str, Any]]:
        states = [self._state()]
        for path in self._shared.glob("sluice-*.json") if self._shared else ():
            number = int(path.stem.partition("-")[2])
            if number != os.getpid():
                state = json.loads(path.read_text())
                states.append(state if psutil.pid_exists(number) else {**state, "in_progress": 0})
        return states

    def _families(self, states: list[dict[str, Any]]) -> Iterable[Metric]:
        served = [self._labels[name] for name in ("service_name", "service_version", "runner_name")]
        names = ["endpoint", "service_name", "service_version", "runner_name"]
        total = CounterMetricFamily(
            "bentoml_service_request", "Requests answered", labels=[*names, "http_response_code"]
        )
        duration = HistogramMetricFamily(
            "bentoml_service_request_duration_seconds",
            "Seconds to the answer",
            labels=[*names, "http_response_code"],
        )
        for key, values in sorted(_added(states, "requests").items()):
            endpoint, status = json.loads(key)
            labels = [endpoint, *served, str(status)]
            total.add_metric(labels, sum(values[:-1]))
            duration.add_metric(labels, _buckets(SECONDS, values[:-1]), values[-1])
        yield from (total, duration)
        busy = GaugeMetricFamily(
            "bentoml_service_request_in_progress", "Requests being answered now", labels=names[1:]
        )
        busy.add_metric(served, sum(state["in_progress"] for state in states))
        yield busy
        rows = [sum(values) for values in zip(*(state["rows"] for state in states), strict=True)]
        shares = HistogramMetricFamily(
            "sluice_prediction_probability", "Probabilities that were answered"
        )
        shares.add_metric([], _buckets(SHARES, rows[:-1]), rows[-1])
        yield shares
        yield from self._counters(_added(states, "counts"))

    def _counters(self, counts: Mapping[str, float]) -> Iterable[Metric]:
        known = {
            "predictions": ("sluice_predictions", "Rows that were scored", ["prediction", "tier"]),
            "outside": (
                "sluice_input_out_of_reference",
                "Values that no training row had",
                ["column"],
            ),
            "refused": ("sluice_refused_requests", "Requests refused, by kind", ["kind"]),
            "field": (
                "sluice_refused_fields",
                "Fields that the contract does not allow",
                ["column"],
            ),
            "feedback": ("sluice_feedback", "Opinions on answers", ["agrees"]),
            "log": ("sluice_prediction_log_lines", "Lines of the prediction log", ["outcome"]),
        }
        for kind, (name, text, labels) in known.items():
            family = CounterMetricFamily(name, text, labels=labels)
            for key, number in sorted(counts.items()):
                first, *values = json.loads(key)
                if first == kind:
                    family.add_metric(values, number)
            yield family
        yield GaugeMetricFamily(
            "sluice_model_threshold", "From this probability on the answer is 1", self._threshold
        )
        build = GaugeMetricFamily(
            "sluice_build_info", "What is served; always 1", labels=list(self._labels)
        )
        build.add_metric(list(self._labels.values()), 1)
        yield build


class _Families:
    """Metrics that are ready, in the form that a registry wants."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Them."""
        return self._families


def _seen(
    contract: Contract, reference: Mapping[str, Any]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """What training rows had: lowest and highest number of each column, and by place a flag for
    each value of those columns of which some value was in no row."""
    limits, values = np.full((2, len(contract.features)), [[-np.inf], [np.inf]]), {}
    for place, column in enumerate(contract.features):
        cell = reference.get(column.key) or {}
        if column.numeric and cell.get("edges"):
            limits[:, place] = cell["edges"][0], cell["edges"][-1]
        elif not column.numeric and not set(column.values) <= set(
            cell.get("values", column.values)
        ):
            values[place] = np.array([value in cell["values"] for value in column.values])
    return limits, values


def _added(states: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for state in states:
        for key, value in state[kind].items():
            if key not in total:
                total[key] = value
            elif isinstance(value, list):
                total[key] = [a + b for a, b in zip(total[key], value, strict=True)]
            else:
                total[key] += value
    return total


def _buckets(limits: tuple[float, ...], counts: list[float]) -> list[tuple[str, float]]:
    sums = np.cumsum(counts).tolist()
    return list(
        zip(
            [
                *(f"{limit:g}" if limit != int(limit) else f"{limit:.1f}" for limit in limits),
                "+Inf",
            ],
            sums,
            strict=True,
        )
    )
