"""Rows through the running model and the candidate: what changes, and what that foretells."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from flows.canary.loaded import Both, Loaded
from flows.canary.replayed_rows import Rows
from sluice.canary.number_replay import NumberOpinion
from sluice.canary.replay import (
    AnyOpinion,
    ClassOpinion,
    Latency,
    Opinion,
    OtherUnit,
    Replayed,
    Tally,
    judged,
)
from sluice.errors import UsageError
from sluice.model.artifact.reference import Numbers, rows_from
from sluice.monitor.units import changed_unit
from sluice.served.contract import Contract
from sluice.served.encoding import Columns, accepted

_TIMED = 300  # single rows
_SEEN = 4_000  # rows whose units are looked at
_OF_CHUNK = 1_000  # of them, so that they are not all of the first hour


def replay(both: Both, rows: Rows, clock: Callable[[], float] = time.perf_counter) -> Replayed:
    """Send rows through both models, chunk by chunk. `clock` gives seconds.

    Raises UsageError where the rows lack a column of a model.
    """
    running, candidate = both.running.model, both.candidate.model
    tally = Tally(running.contract, both.running.reference, candidate.contract, running.bins)
    tally.unfit = rows.wrong
    seconds: tuple[list[float], list[float]] = ([], [])
    served: list[dict[str, np.ndarray]] = [] if rows.served else [_learnt(both.running)]
    for chunk in rows.chunks:
        tally.repeated += chunk.repeated
        fit = _taken(both.running, chunk.columns)
        tally.unfit += int((~fit).sum())
        if rows.served:
            _keep(served, chunk.columns, fit)
        taken = fit & _taken(both.candidate, chunk.columns)
        tally.refused += int((fit & ~taken).sum())
        if not taken.any():
            continue
        columns = {key: values[taken] for key, values in chunk.columns.items()}
        bins = running.bins
        tally.add(columns, _said(both.running, columns, bins), _said(both.candidate, columns, bins))
        _time(both, columns, seconds, clock)
    units = tuple(_units(both, served))
    within, sentence = judged(tally, both.policy, units)
    said_running, said_candidate = tally.sides()
    return Replayed(
        model=both.name,
        candidate=both.candidate.name,
        running=both.running.name,
        source=rows.source,
        rows=tally.rows,
        refused=tally.refused,
        unfit=tally.unfit,
        repeated=tally.repeated,
        others=rows.passed.others,
        broken=rows.passed.broken,
        agreement=tally.agreement(),
        change=tally.change / max(tally.rows, 1),
        tiers=tally.migration(),
        columns=tally.largest(),
        units=units,
        said_running=said_running,
        said_candidate=said_candidate,
        latency_running=_latency(seconds[0]),
        latency_candidate=_latency(seconds[1]),
        expected=tally.expected(),
        sentence=sentence,
        within=within,
        kind=tally.kind,
        limits=tally.limits if tally.kind == "number" else (),
        unit=_unit(running.contract),
    )


def _unit(contract: Contract) -> str:
    """The unit of what is answered, where that is a number."""
    quantity = contract.target.quantity
    return (quantity.unit or "") if quantity else ""


def _taken(loaded: Loaded, columns: Columns) -> np.ndarray:
    """Which rows the contract of a model takes. Raises UsageError where they lack a column."""
    _require_columns(loaded.model.contract, loaded.name, columns)
    return accepted(loaded.model.contract, columns)


def _require_columns(contract: Contract, name: str, columns: Columns) -> None:
    missing = [column.name for column in contract.features if column.key not in columns]
    if missing:
        raise UsageError(
            f"the rows lack {', '.join(missing)}, which {name} is fed; all of its columns are"
            " required",
            "Without these nothing can be foretold: the canary is judged as if nothing changed.",
        )


def _keep(served: list[dict[str, np.ndarray]], columns: Columns, fit: np.ndarray) -> None:
    """Keep the first of these rows for a look at their units, until there are enough."""
    known = sum(len(next(iter(part.values()))) for part in served)
    places = np.flatnonzero(fit)[: min(_OF_CHUNK, _SEEN - known)]
    if len(places):
        served.append({key: values[places] for key, values in columns.items()})


def _learnt(running: Loaded) -> dict[str, np.ndarray]:
    """What the running model learnt from, which stands for what is served."""
    numbers = {key: cell for key, cell in running.reference.items() if isinstance(cell, Numbers)}
    return rows_from(numbers, _SEEN)


def _units(both: Both, served: list[dict[str, np.ndarray]]) -> Iterator[OtherUnit]:
    """The columns that come in another unit than the candidate was trained on."""
    for column in both.running.model.contract.features:
        cell = both.candidate.reference.get(column.key)
        known = [part[column.key] for part in served if column.key in part]
        if known and column.numeric and isinstance(cell, Numbers):
            values = np.concatenate(known)
            unit = changed_unit(column, cell, values[~np.isnan(values)])
            if unit:
                yield OtherUnit(column.name, unit.factor, unit.example)


def _said(loaded: Loaded, columns: Columns, bins: tuple[float, ...]) -> AnyOpinion:
    """What a model says of rows; `bins` are those of the running model of a number."""
    model = loaded.model
    quantity = model.contract.target.quantity
    if quantity:
        return NumberOpinion(model.score(columns), bins, quantity)
    if model.weights:
        return ClassOpinion(model.score(columns), model.weights)
    return Opinion(model.score(columns), model.threshold, model.contract.tiers)


def _time(
    both: Both,
    columns: Columns,
    seconds: tuple[list[float], list[float]],
    clock: Callable[[], float],
) -> None:
    """Time single rows, each by both models in turn, until there are enough."""
    rows = len(next(iter(columns.values())))
    for row in range(min(rows, _TIMED - len(seconds[0]))):
        single = {key: values[row : row + 1] for key, values in columns.items()}
        for loaded, taken in zip((both.running, both.candidate), seconds, strict=True):
            began = clock()
            loaded.model.score(single)
            taken.append(clock() - began)


def _latency(seconds: list[float]) -> Latency:
    if not seconds:
        return Latency()
    median, p99 = np.quantile(seconds, (0.5, 0.99))
    return Latency(round(1000 * float(median), 3), round(1000 * float(p99), 3))
