"""Prometheus: raw samples of counters, as they were scraped."""

from typing import TypeVar

import msgspec

from sluice.errors import Retryable, cause

_SECONDS = 5.0  # that an answer may take; the analysis waits 40 for all that a look asks
_HOUR = 3600.0  # of samples that are asked for at once
_Kind = TypeVar("_Kind")


class Series(msgspec.Struct, frozen=True):
    """The labels of a series, and its samples: seconds of the epoch and the value as text."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct, frozen=True):
    result: list[Series]


class _Answer(msgspec.Struct, frozen=True):
    data: _Data


def samples(url: str, selector: str, start: float, end: float) -> list[Series]:
    """The samples of the series of a selector after `start` and up to `end`, in their order; a
    series stands there once for each hour. Raise Retryable.
    """
    found: list[Series] = []
    while start < end:
        until = min(start + _HOUR, end)
        query = {"query": f"{selector}[{round(1000 * (until - start))}ms]", "time": f"{until:.3f}"}
        for series in _asked(url, "query", query).data.result:
            # Some versions of Prometheus give the sample at the very beginning too.
            values = [sample for sample in series.values if sample[0] > start]
            found.append(Series(series.metric, values))
        start = until
    return found


def minutes(url: str, query: str, start: float, end: float) -> list[Series]:
    """The value of a query in each minute from `start` to `end`. Raise Retryable."""
    asked = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": "60"}
    return _asked(url, "query_range", asked).data.result


def _asked(url: str, path: str, form: dict[str, str]) -> _Answer:
    import httpx2

    try:
        answer = httpx2.post(f"{url.rstrip('/')}/api/v1/{path}", data=form, timeout=_SECONDS)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=_Answer)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, RecursionError) as error:
        raise Retryable(
            f"Prometheus at {url} does not answer ({cause(error)})",
            "Look whether it runs, and whether its address is right.",
        ) from None
