"""Series of Prometheus as the scrapes of pods, which the judge counts."""

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flows.adapters.prometheus import Series
from sluice.canary.counts import PROBABILITIES, SECONDS, Kind, Layout, Pod

STARTED = "sluice_start_time_seconds"
ROWS = "sluice_judged_rows_total"
REQUESTS = "bentoml_service_request_total"
DURATIONS = "bentoml_service_request_duration_seconds_bucket"
HASH = "rollouts_pod_template_hash"
# Where requests for answers come in; the page is not judged, nor is what it is asked.
ENDPOINTS = "/predict.*|/v2/models/.+/infer"
_LOWEST = "-Inf"  # the bin below all limits, which a number alone has
_NO_NUMBER = "none"  # the bin of what is no number, or no probability
_REFUSED = "400"  # the status of a body that the contract does not allow


@dataclass(frozen=True)
class Scraped:
    """What was scraped of both versions in one stretch of time."""

    started: list[Series]
    rows: list[Series]
    requests: list[Series]
    durations: list[Series]


def selectors(namespace: str, canary: str, stable: str) -> tuple[str, str, str, str]:
    """What selects the four kinds of series, in the order of `Scraped`."""
    both = f'namespace="{namespace}",{HASH}=~"{canary}|{stable}"'
    return (
        f"{STARTED}{{{both}}}",
        f"{ROWS}{{{both}}}",
        f'{REQUESTS}{{{both},endpoint=~"{ENDPOINTS}",http_response_code=~"[25]..|{_REFUSED}"}}',
        # How long a list takes is for who sends it to say.
        f'{DURATIONS}{{{both},endpoint="/predict",http_response_code=~"[25].."}}',
    )


def layout_of(rows: Sequence[Series]) -> Layout:
    """What was counted of rows: the names of all tiers that were answered, the limits that the bins
    of both versions have in common, and what kind of answer it is.
    """
    tiers = tuple(sorted({series.metric.get("tier", "") for series in rows}))
    kind = _kind(rows)
    return Layout(tiers, _limits(rows) if kind == "number" else PROBABILITIES, kind)


def _kind(rows: Sequence[Series]) -> Kind:
    """A class is its own tier, and a number may lie below all limits."""
    labels = [series.metric for series in rows]
    if any(one.get("bin") == _LOWEST for one in labels):
        return "number"
    alike = all(one.get("prediction") == one.get("tier") for one in labels)
    return "class" if labels and alike else "flag"


def _limits(rows: Iterable[Series]) -> tuple[float, ...]:
    """The limits that all versions have; a service names each of its own from its start."""
    found: dict[str, set[float]] = {}
    for series in rows:
        low = series.metric.get("bin", _NO_NUMBER)
        if low not in (_LOWEST, _NO_NUMBER):
            found.setdefault(series.metric.get(HASH, ""), set()).add(float(low))
    return tuple(sorted(set.intersection(*found.values()))) if found else ()


def pods(scraped: Scraped, canary: str, layout: Layout) -> list[Pod]:
    """The scrapes of every process, by the time at which it was scraped."""
    began: dict[tuple[str, str], dict[float, float]] = {}
    job = min((series.metric.get("job", "") for series in scraped.started), default="")
    scraped = _of_job(scraped, job)
    for series in scraped.started:
        times = began.setdefault(_process(series.metric), {})
        times.update((time, float(value)) for time, value in series.values)
    found = {key: _empty(key[0] == canary, times, layout) for key, times in began.items()}
    for kind, columns in (
        (scraped.rows, _of_row),
        (scraped.requests, _of_request),
        (scraped.durations, _of_duration),
    ):
        for series in kind:
            if pod := found.get(_process(series.metric)):
                _add(pod, series, columns(series.metric, layout))
    for pod in found.values():
        _apart(pod.counters)
    return list(found.values())


def _of_job(scraped: Scraped, job: str) -> Scraped:
    """What one job of Prometheus scraped: a pod that two jobs scrape must not count twice."""
    kinds = (scraped.started, scraped.rows, scraped.requests, scraped.durations)
    return Scraped(*([one for one in kind if one.metric.get("job", "") == job] for kind in kinds))


def _process(labels: Mapping[str, str]) -> tuple[str, str]:
    """Version and process: a container that is started anew has the name of its pod."""
    return labels.get(HASH, ""), labels.get("pod") or labels.get("instance", "")


def _empty(canary: bool, began: Mapping[float, float], layout: Layout) -> Pod:
    times = sorted(began)
    counters = np.zeros((len(times), layout.width))
    return Pod(canary, np.array(times), np.array([began[time] for time in times]), counters)


def _add(pod: Pod, series: Series, columns: list[int]) -> None:
    """Add the samples of a series, which has nothing where the pod had not counted yet."""
    times = np.array([time for time, _ in series.values])
    values = np.array([float(value) for _, value in series.values])
    places = np.minimum(np.searchsorted(pod.times, times), len(pod.times) - 1)
    there = pod.times[places] == times
    for column in columns:
        pod.counters[places[there], column] += values[there]


Columns = Callable[[Mapping[str, str], Layout], list[int]]


def _of_row(labels: Mapping[str, str], layout: Layout) -> list[int]:
    low, tiers = labels.get("bin", _NO_NUMBER), layout.bins + 1
    # A bin is named by the limit below it.
    place = layout.bins if low == _NO_NUMBER else bisect.bisect_right(layout.limits, float(low))
    columns = [place, tiers + layout.tiers.index(labels.get("tier", ""))]
    if labels.get("prediction") == "1":
        columns.append(tiers + len(layout.tiers))
    return columns


def _of_request(labels: Mapping[str, str], layout: Layout) -> list[int]:
    requests = layout.bins + 1 + len(layout.tiers) + 1
    status = labels.get("http_response_code", "")
    if status == _REFUSED:
        return [requests + 2]
    return [requests, requests + 1] if status.startswith("5") else [requests]


def _of_duration(labels: Mapping[str, str], layout: Layout) -> list[int]:
    limit = labels.get("le", "")
    first = layout.width - len(SECONDS) - 1
    if limit == "+Inf":
        return [first + len(SECONDS)]
    return [first + int(np.searchsorted(SECONDS, float(limit) - 1e-9))]


def _apart(counters: np.ndarray) -> None:
    """Buckets that hold all quicker ones, each made its own; one that is not there holds as many as
    the one before it.
    """
    upto = np.maximum.accumulate(counters[:, -len(SECONDS) - 1 :], axis=1)
    counters[:, -len(SECONDS) - 1 :] = np.diff(upto, axis=1, prepend=0.0)
