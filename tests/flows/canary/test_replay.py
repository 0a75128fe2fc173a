"""Replays of a real log through two real models: the same one, and one that takes years for
months.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.prediction_logs import write_days

from flows.canary.loaded import Both, Loaded
from flows.canary.replay import replay
from flows.canary.replayed_rows import from_log, from_sheet
from models.attrition import sample
from sluice.errors import UsageError
from sluice.model.artifact.reference import histogram
from sluice.model.data.table import read_table, typed
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit
from sluice.policy import CanaryPolicy
from sluice.served.contract import load_contract
from sluice.served.encoding import Columns, encode, layout, numeric_features
from sluice.served.scoring import Model, open_session
from sluice.served.uploaded_table import Row, Sheet

PROJECT = Path(__file__).parents[3]
CONTRACT = load_contract((PROJECT / "models/attrition/contract.toml").read_text(encoding="utf-8"))
# The same, as it would allow the months of somebody's years.
WIDER = replace(
    CONTRACT,
    columns=tuple(
        replace(column, maximum=1_000.0) if column.key == "years_at_company" else column
        for column in CONTRACT.columns
    ),
)
DAYS = [datetime.date(2026, 11, day) for day in (1, 2, 3)]
ROWS = 400  # a day


@pytest.fixture(scope="module")
def table() -> Columns:
    return typed(read_table(sample.to_csv(sample.generate(2_000, 4)), CONTRACT, "rows"), CONTRACT)


def trained(table: Columns, months_per_year: float = 1.0) -> Loaded:
    """A model of the sample whose years at the company were given in another unit."""
    table = {**table, "years_at_company": table["years_at_company"] * months_per_year}
    labels = table[CONTRACT.target.column]
    features = encode(WIDER, table)
    parameters = {"bins": 20, "inverse_penalty": 1.0}
    fitted = fit("logistic_regression", parameters, features, labels, numeric_features(CONTRACT))
    session = open_session(convert(fitted, features.shape[1]))
    model = Model(CONTRACT, 0.5, session, layout(CONTRACT))
    reference = histogram(WIDER, table)
    return Loaded(model, f"trained{months_per_year:g}", f"sha256:{months_per_year:g}", reference)


@pytest.fixture(scope="module")
def years(table: Columns) -> Loaded:
    return trained(table)


@pytest.fixture(scope="module")
def months(table: Columns) -> Loaded:
    return trained(table, 12.0)


@pytest.fixture(scope="module")
def log(years: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    write_days(folder, years.model, years.digest, DAYS, ROWS)
    return folder


def test_a_model_that_is_fed_a_scaled_column_is_refused_by_a_limit(
    years: Loaded, months: Loaded, log: Path
) -> None:
    """What it was trained on looks the same here, so that its answers alone can tell."""
    scaled = replace(months, reference=years.reference)
    pair = replace(both(years, scaled), policy=CanaryPolicy(replay_changed=0.05))
    found = replay(pair, from_log(pair, str(log)))
    assert not found.within
    assert "at most 5.0 % is required" in found.sentence
    assert (found.columns[0].column, found.units) == ("Years at Company", ())


def both(running: Loaded, candidate: Loaded) -> Both:
    return Both("attrition", running, candidate, CanaryPolicy())


def test_the_same_model_agrees_in_everything(years: Loaded, log: Path) -> None:
    pair = both(years, years)
    found = replay(pair, from_log(pair, str(log)))
    assert found.within
    assert (found.rows, found.refused, found.unfit) == (3 * ROWS, 0, 0)
    assert (found.agreement.value, found.change, found.columns) == (1.0, 0.0, ())
    assert found.said_running == found.said_candidate
    assert found.expected.flagged.change == 0
    assert 0 < found.latency_candidate.median <= found.latency_candidate.p99


def test_months_where_years_are_served_are_found_and_named(
    years: Loaded, months: Loaded, log: Path
) -> None:
    pair = both(years, months)
    found = replay(pair, from_log(pair, str(log)))
    assert not found.within
    assert found.sentence.startswith("Years at Company is served 0.08333 times what the candidate")
    assert [(unit.column, unit.example) for unit in found.units] == [
        ("Years at Company", "years for months")
    ]
    assert found.columns[0].column == "Years at Company"
    changes = [abs(moved.change) for moved in found.columns[0].values]
    assert changes == sorted(changes, reverse=True)
    assert 0.02 < 1 - found.agreement.value < 0.2  # other models trained on so few rows differ more


def test_rows_of_one_request_count_once(
    years: Loaded, months: Loaded, log: Path, tmp_path: Path
) -> None:
    """Every second request is sent again as a list of a hundred rows."""
    [path, *_] = sorted(log.iterdir())
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    listed = [
        {**line, "request": "one", "id": f"list-{place}"} for place, line in enumerate(lines[:100])
    ]
    single = [{**line, "id": f"s{place}"} for place, line in enumerate(lines[100:])]
    text = "".join(json.dumps(line) + "\n" for line in [*single, *listed])
    other = json.dumps({**lines[0], "model_digest": "sha256:other"}) + "\n"
    (tmp_path / path.name).write_text(f"{text}{other}{{no line\n", encoding="utf-8")
    pair = both(years, months)
    found = replay(pair, from_log(pair, str(tmp_path)))
    assert (found.rows, found.repeated) == (len(lines) - 100 + 1, 99)
    assert (found.others, found.broken) == (1, 1)


def test_a_log_of_another_model_has_no_rows(months: Loaded, log: Path) -> None:
    pair = both(months, months)
    with pytest.raises(UsageError, match="has 0 rows that trained12") as raised:
        from_log(pair, str(log))
    assert "--log" in raised.value.fix


def test_what_the_candidate_alone_refuses_is_counted(years: Loaded, log: Path) -> None:
    older = load_contract(_with_age_up_to(45))
    narrow = Loaded(
        Model(older, 0.5, years.model.session, layout(older)), "narrow", "sha256:0", years.reference
    )
    pair = both(years, narrow)
    found = replay(pair, from_log(pair, str(log)))
    assert found.refused > 0
    assert found.rows + found.refused == 3 * ROWS
    assert found.within == (found.refused <= 0.05 * 3 * ROWS)


def test_rows_without_a_column_of_a_model_are_refused(years: Loaded, table: Columns) -> None:
    pair = both(years, years)
    rows = from_sheet("some", CONTRACT, _sheet(table, 3))
    [chunk] = rows.chunks
    lacking = {key: values for key, values in chunk.columns.items() if key != "age"}
    with pytest.raises(UsageError, match="the rows lack Age, which trained1 is fed"):
        replay(pair, type(rows)("some", iter([type(chunk)(lacking)])))


def test_records_come_in_chunks(years: Loaded, table: Columns) -> None:
    chunks = list(from_sheet("some", CONTRACT, _sheet(table, 5_001)).chunks)
    assert [len(chunk.columns["age"]) for chunk in chunks] == [5_000, 1]


def _sheet(table: Columns, many: int) -> Sheet:
    rows = (Row(line + 1, "", _record(table, line % 2_000)) for line in range(many))
    return Sheet(tuple(rows), (), ())


def _record(table: Columns, row: int) -> Mapping[str, object]:
    record: dict[str, object] = {}
    for column in CONTRACT.features:
        value = table[column.key][row]
        missing = value is None or (isinstance(value, np.floating) and np.isnan(value))
        record[column.key] = None if missing else float(value) if column.numeric else str(value)
    return record


def _with_age_up_to(most: int) -> str:
    """The contract, with an age that ends earlier."""
    text = (PROJECT / "models/attrition/contract.toml").read_text(encoding="utf-8")
    head, age, rest = text.partition('[columns."Age"]')
    assert age
    return head + age + rest.replace("maximum = 65", f"maximum = {most}", 1)
