"""A table against its contract, judged by Great Expectations.

In memory alone: nothing is written, nobody is called.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from gx import advice
from gx.report import Check, Example, Finding, Report
from gx.suite import build_suite, day_of, engine, judged, number_of
from sluice.errors import SluiceError
from sluice.model.data.table import forget_look_ups, numbers
from sluice.served.contract import Column, Contract
from sluice.served.encoding import place_of, positions
from sluice.served.expressions import Expression
from sluice.served.table_refusals import check_columns

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult as Result
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

_EXAMPLES = 3
_CELLS = 20_000_000  # that are judged at once, unless said otherwise
_LONGEST = 60  # characters of an id that are shown


def validate(
    contract: Contract,
    frame: pd.DataFrame,
    *,
    minimum_rows: int,
    model: str = "",
    cells: int = _CELLS,
) -> Report:
    """Judge a frame of texts by the suite of the contract.

    `frame` is as `sluice.model.data.table.read_table` gives it: a column for each published name,
    empty cells missing. Beyond so many `cells` a few columns are judged at a time, which finds the
    same and holds less. Raise TableRefused where columns are missing or unknown, SluiceError where
    Great Expectations itself fails.
    """
    check_columns(list(frame.columns), contract, model or "the table")
    suite = list(build_suite(contract, minimum_rows, model or "table").expectations)
    found: dict[int, tuple[Check, Finding | None]] = {}
    for view, places in _views(contract, frame, suite, cells):
        results = _run(view, [suite[place] for place in places], model or "table")
        for place, result in zip(places, results, strict=True):
            check = _check(result)
            finding = None if check.passed else _finding(contract, view, check, result)
            found[place] = check, finding
    checks = tuple(found[place][0] for place in range(len(suite)))
    findings = [finding for place in range(len(suite)) if (finding := found[place][1])]
    # "critical" comes before "warning"; otherwise the order of the checks stays.
    findings.sort(key=lambda finding: finding.severity)
    return Report(len(frame), checks, tuple(findings))


def _views(
    contract: Contract, frame: pd.DataFrame, suite: "Sequence[Expectation]", cells: int
) -> Iterator[tuple[pd.DataFrame, list[int]]]:
    """The frames that are judged one after the other, each with the places of its expectations.

    One with all columns where the table is small. Of a large one a few columns at a time: Great
    Expectations keeps a mask of all rows for every check of a run.
    """
    names = judged(contract)
    if len(names) * len(frame) <= cells:
        yield judged_frame(contract, frame), list(range(len(suite)))
        return
    about = [getattr(expectation, "column", None) for expectation in suite]
    # What is expected of the table as a whole looks at names and rows alone.
    outline = dict.fromkeys(names, pd.Series(np.zeros(len(frame), dtype=bool)))
    yield pd.DataFrame(outline, copy=False), [at for at, name in enumerate(about) if not name]
    together = max(cells // len(frame) // 2, 1)  # a column of numbers has two columns there
    groups = _groups(contract)
    for start in range(0, len(groups), together):
        some = [name for group in groups[start : start + together] for name in group]
        view = judged_frame(contract, frame, some)
        yield view, [at for at, name in enumerate(about) if name in some]
        forget_look_ups(view)


def _groups(contract: Contract) -> list[list[str]]:
    """The names that `gx.suite.judged` lists, those of one column, rule or feature together."""
    names = judged(contract)
    columns = [
        [column.name, number_of(column.name), day_of(column.name)] for column in contract.columns
    ]
    beside = {name for group in columns for name in group}
    groups = [[name for name in group if name in names] for group in columns]
    groups += [[name] for name in names if name not in beside]
    return [group for group in groups if group]


def judged_frame(
    contract: Contract, frame: pd.DataFrame, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """The frame that the suite judges, its columns as `gx.suite.judged` lists them.

    The texts are as they are, with numbers, rules and derived features beside them. Where only some
    of these columns are named, those come with the ids and with what their rules read.
    """
    frame = frame.reset_index(drop=True)
    wanted = judged(contract) if names is None else [*names]
    rules = [rule for rule in contract.rules if f"rule {rule.name}" in wanted]
    derived = [feature for feature in contract.derived if f"derived {feature.name}" in wanted]
    expressions = [rule.expression for rule in rules]
    expressions += [feature.expression for feature in derived]
    read = {key for expression in expressions for key in expression.keys}
    columns: dict[str, pd.Series] = {}
    values: dict[str, np.ndarray] = {}
    for column in contract.columns:
        beside = {column.name, number_of(column.name), day_of(column.name)} & {*wanted}
        if column.role == "ignored" or not (beside or column.key in read or column.role == "id"):
            continue
        # As categories, each different text is looked at once and not once a row.
        columns[column.name] = frame[column.name].astype("category")
        if column.numeric and (beside or column.key in read):
            values[column.name] = numbers(column, columns[column.name])
    operands = _operands(contract, read, columns, values)
    for name, array in values.items():
        columns[number_of(name)] = pd.Series(array, index=frame.index)
        found = contract.find(name)
        if found is not None and found.kind == "date":
            days = np.where(frame[name].isna(), np.nan, ~np.isnan(array))
            columns[day_of(name)] = pd.Series(days.astype(np.float64), index=frame.index)
    for rule in rules:
        outcome = _outcome(rule.expression, operands, lambda result: result != 0, len(frame))
        columns[f"rule {rule.name}"] = pd.Series(outcome, index=frame.index)
    for feature in derived:
        outcome = _outcome(feature.expression, operands, np.isfinite, len(frame))
        columns[f"derived {feature.name}"] = pd.Series(outcome, index=frame.index)
    if names is None:
        return pd.DataFrame(columns)[wanted]
    return pd.DataFrame(columns, copy=False)


def _operands(
    contract: Contract,
    read: Collection[str],
    columns: Mapping[str, pd.Series],
    values: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """The features with the keys that are read, as expressions take them, by key; `columns` and
    `values` are by name.
    """
    operands: dict[str, np.ndarray] = {}
    for column in contract.features:
        if column.key not in read:
            continue
        texts = columns[column.name]
        if column.numeric:
            operands[column.key] = _numeric_operand(column, texts, values[column.name])
        else:
            operands[column.key] = _text_operand(column, texts)
    return operands


def _text_operand(column: Column, texts: "pd.Series[str]") -> np.ndarray:
    """A column of texts as expressions read it, float64, shape (rows,); NaN for what is no value.

    An empty cell has the place of what the contract fills in, where it does.
    """
    places = positions(column)
    numbers_of_texts = [place_of(column, places, text) for text in texts.cat.categories]
    # Empty cells have the code -1, which is the last of these.
    numbers_of_texts.append(places[str(column.fill)] if column.missing == "impute" else np.nan)
    return np.array(numbers_of_texts)[texts.cat.codes]


def _numeric_operand(column: Column, texts: "pd.Series[str]", values: np.ndarray) -> np.ndarray:
    """A column of numbers as expressions read it, float64, shape (rows,); NaN outside its limits.

    An empty cell has what the contract fills in, where it does.
    """
    inside = (values >= column.minimum) & (values <= column.maximum)
    allowed = np.where(inside, values, np.nan)
    if column.missing != "impute":
        return allowed
    return np.where(texts.isna(), np.asarray(column.fill), allowed)


def _outcome(
    expression: Expression,
    operands: Mapping[str, np.ndarray],
    test: Callable[[np.ndarray], np.ndarray],
    rows: int,
) -> np.ndarray:
    """Whether the result of an expression passes a test, as 1 and 0, float64, shape (rows,).

    NaN for a row in which an operand is not known.
    """
    known = expression.known(operands)
    # An expression of constants alone has one result for all rows.
    passed = np.broadcast_to(test(expression.evaluate(operands)), rows)
    return np.where(known, passed, np.nan).astype(np.float64)


def _run(view: pd.DataFrame, expected: "Sequence[Expectation]", name: str) -> "list[Result]":
    """What Great Expectations finds, an answer for each expectation. Raise SluiceError."""
    context = _memory()
    asset = context.data_sources.add_pandas(name="memory").add_dataframe_asset(name=name)
    batch = asset.add_batch_definition_whole_dataframe(name="table").get_batch({"dataframe": view})
    suite = engine().ExpectationSuite(name=name)
    suite.expectations = [*expected]
    results = list(batch.validate(suite, result_format="COMPLETE").results)
    for result in results:
        _require_result(result)
    return results


def _memory() -> "AbstractDataContext":
    """A context that writes nothing.

    A file context would write into a folder `gx/`, an ephemeral one as it comes into a temporary
    one.
    """
    ge = engine()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(store_backend_defaults=stores, analytics_enabled=False)
    context: AbstractDataContext = ge.get_context(mode="ephemeral", project_config=config)
    # Its type asks for the metrics too; without them the one switch holds for all bars.
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    return context


def _require_result(result: "Result") -> None:
    """Raise SluiceError for an expectation that could not be looked at.

    It counts as failed, but is no finding about the data.
    """
    info = result.exception_info or {}
    # One for the expectation, or one for each of the metrics that it needs.
    reports: list[Mapping[str, object]] = [info]
    reports += [part for part in info.values() if isinstance(part, dict)]
    for report in reports:
        if report.get("raised_exception"):
            kind = _config(result).type
            raise SluiceError(
                f"Great Expectations failed in {kind}: {report.get('exception_message')}",
                "This is a defect of the checks, not of the data; --debug shows where.",
            )


def _config(result: "Result") -> "ExpectationConfiguration":
    """What was asked for; a result that this suite got always says so."""
    return cast("ExpectationConfiguration", result.expectation_config)


def _check(result: "Result") -> Check:
    """A rule that was looked at, from the answer to its expectation."""
    config = _config(result)
    meta = config.meta or {}
    # Expectations about the table as a whole count no rows.
    count = result.result.get("unexpected_count")
    if count is None:
        count = 0 if result.success else result.result.get("element_count", 0)
    return Check(
        column=meta["column"],
        rule=meta["rule"],
        severity=getattr(config.severity, "value", config.severity),
        expectation=config.type,
        count=int(count),
        passed=bool(result.success),
        limit=float(config.kwargs.get("min_value") or 0),
    )


def _finding(contract: Contract, view: pd.DataFrame, check: Check, result: "Result") -> Finding:
    """A check that failed, with examples and the next step; without a count all rows broke it."""
    rows = np.asarray(result.result.get("unexpected_index_list") or [], dtype=np.int64)
    return Finding(
        column=check.column,
        rule=check.rule,
        severity=check.severity,
        count=check.count or len(view),
        examples=_examples(contract, view, check, rows),
        fix=advice.fix(contract, check, view, rows),
    )


def _examples(
    contract: Contract, view: pd.DataFrame, check: Check, rows: np.ndarray
) -> tuple[Example, ...]:
    """Up to three of the rows that broke a rule, of different values as far as there are such."""
    if not len(rows):
        return ()
    ids = view[contract.id.name].iloc[rows].astype(object)
    values = advice.written(contract, check, view, rows)
    different = values.drop_duplicates().index[:_EXAMPLES]
    more = values.index[:_EXAMPLES].difference(different)
    chosen = sorted([*different, *more][:_EXAMPLES])
    return tuple(Example(_named(ids[row], row), values[row]) for row in chosen)


def _named(identity: object, row: int) -> str:
    """How a row is called: by its id, or by its number from 1 where it has none."""
    return f"row {row + 1}" if pd.isna(identity) else str(identity)[:_LONGEST]  # type: ignore[call-overload]
