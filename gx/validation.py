"""A table against its contract, judged by Great Expectations in memory: nothing is written, nobody
is called.
"""

from typing import Any

import numpy as np
import pandas as pd

from gx import advice
from gx.report import Check, Example, Finding, Report
from gx.suite import build_suite, engine, judged, number_of
from sluice.errors import SluiceError
from sluice.model.table import numbers
from sluice.served.contract import Column, Contract
from sluice.served.encoding import positions
from sluice.served.expressions import Expression
from sluice.served.table_refusals import check_columns

_EXAMPLES = 3
_LONGEST = 60  # characters of an id that are shown


def validate(
    contract: Contract, frame: pd.DataFrame, *, minimum_rows: int, model: str = ""
) -> Report:
    """Judge a frame of texts, as `sluice.model.table.read_table` gives it, by the suite of the
    contract.

    Raise TableRefused where columns are missing or unknown, SluiceError where Great Expectations
    itself fails.
    """
    check_columns(list(frame.columns), contract, model or "the table")
    view = judged_frame(contract, frame)
    results = _run(contract, view, minimum_rows, model or "table")
    checks = tuple(_check(result) for result in results)
    failed = [
        (check, result) for check, result in zip(checks, results, strict=True) if not check.passed
    ]
    findings = [_finding(contract, view, check, result) for check, result in failed]
    return Report(len(frame), checks, tuple(sorted(findings, key=lambda finding: finding.severity)))


def judged_frame(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame that the suite judges: the texts as they are, with numbers, rules and derived
    features beside them.
    """
    frame = frame.reset_index(drop=True)
    columns = {
        c.name: frame[c.name].astype("category") for c in contract.columns if c.role != "ignored"
    }
    values = {
        c.name: numbers(c, columns[c.name])
        for c in contract.columns
        if c.numeric and c.name in columns
    }
    operands = {c.key: _operand(c, columns[c.name], values.get(c.name)) for c in contract.features}
    columns |= {
        number_of(name): pd.Series(array, index=frame.index) for name, array in values.items()
    }
    for rule in contract.rules:
        columns[f"rule {rule.name}"] = _holds(
            rule.expression, operands, lambda found: found != 0, frame.index
        )
    for derived in contract.derived:
        columns[f"derived {derived.name}"] = _holds(
            derived.expression, operands, np.isfinite, frame.index
        )
    return pd.DataFrame(columns)[judged(contract)]


def _operand(column: Column, texts: "pd.Series[Any]", values: np.ndarray | None) -> np.ndarray:
    """A feature as expressions read it, filled in as the contract says; NaN where it is not
    allowed.
    """
    if values is None:
        place = positions(column)
        cells = texts.cat
        # the last place: code -1
        missing = place[str(column.fill)] if column.missing == "impute" else np.nan
        return np.array([*(place.get(text, np.nan) for text in cells.categories), missing])[
            cells.codes
        ]
    inside = (values >= column.minimum) & (values <= column.maximum)
    filled = np.where(inside, values, np.nan)
    fill: Any = column.fill
    return np.where(texts.isna(), fill, filled) if column.missing == "impute" else filled


def _holds(
    expression: Expression, operands: dict[str, np.ndarray], test: Any, index: pd.Index
) -> "pd.Series[Any]":
    known = np.all([~np.isnan(operands[key]) for key in expression.keys], axis=0)
    found = np.broadcast_to(test(expression.evaluate(operands)), len(index))
    return pd.Series(np.where(known, found, np.nan), index=index, dtype="float64")


def _run(contract: Contract, view: pd.DataFrame, minimum_rows: int, name: str) -> list[Any]:
    context = _memory()
    asset = context.data_sources.add_pandas(name="memory").add_dataframe_asset(name=name)
    batch = asset.add_batch_definition_whole_dataframe(name="table").get_batch({"dataframe": view})
    suite = build_suite(contract, minimum_rows, name)
    results = list(batch.validate(suite, result_format="COMPLETE").results)
    for result in results:
        _require_result(result)
    return results


def _memory() -> Any:
    """A context that writes nothing: neither into a folder `gx/`, as a file context would, nor a
    temporary one.
    """
    ge = engine()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(store_backend_defaults=stores, analytics_enabled=False)
    context = ge.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    return context


def _require_result(result: Any) -> None:
    """An expectation that could not be looked at counts as failed, but is no finding about the
    data.
    """
    info = result.exception_info or {}
    for part in [info, *(part for part in info.values() if isinstance(part, dict))]:
        if part.get("raised_exception"):
            what = (
                f"Great Expectations failed in {result.expectation_config.type}:"
                f" {part.get('exception_message')}"
            )
            raise SluiceError(
                what, "This is a defect of the checks, not of the data; --debug shows where."
            )


def _check(result: Any) -> Check:
    config, found = result.expectation_config, result.result
    count = found.get("unexpected_count", 0 if result.success else found.get("element_count", 0))
    severity = getattr(config.severity, "value", config.severity)
    about, rule = config.meta["column"], config.meta["rule"]
    limit = float(config.kwargs.get("min_value") or 0)
    return Check(about, rule, severity, config.type, int(count), bool(result.success), limit)


def _finding(contract: Contract, view: pd.DataFrame, check: Check, result: Any) -> Finding:
    rows = np.asarray(result.result.get("unexpected_index_list") or [], dtype=np.int64)
    count = check.count or len(view)
    bad = _examples(contract, view, check, rows)
    return Finding(
        check.column,
        check.rule,
        check.severity,
        count,
        bad,
        advice.fix(contract, check, view, rows),
    )


def _examples(
    contract: Contract, view: pd.DataFrame, check: Check, rows: np.ndarray
) -> tuple[Example, ...]:
    """Up to three rows, of different values as far as there are such."""
    if not len(rows):
        return ()
    ids = view[contract.id.name].iloc[rows].astype(object)
    shown = advice.written(contract, check, view, rows)
    different = shown.drop_duplicates().index[:_EXAMPLES]
    more = shown.index[:_EXAMPLES].difference(different)
    chosen = sorted([*different, *more][:_EXAMPLES])
    return tuple(Example(_named(ids[row], row), shown[row]) for row in chosen)


def _named(identity: object, row: int) -> str:
    return f"row {row + 1}" if pd.isna(identity) else str(identity)[:_LONGEST]  # type: ignore[call-overload]
