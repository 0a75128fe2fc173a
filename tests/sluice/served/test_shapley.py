"""What each column adds to a score: exact sums, the defined values, a counted cost."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gate_cases import contract, small
from support.model_artifacts import small_artifact

from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import as_numbers, layout, mixed, read_records
from sluice.served.histograms import Histogram
from sluice.served.scoring import Model, load_model
from sluice.served.shapley import BACKGROUND, Background, Contributions, background, contributions

NUMBERS = """
schema = 1
title = "Numbers"
text = "Four numbers."
row = "row"
rows = "rows"
[target]
column = "Y"
positive = "yes"
negative = "no"
positive_label = "Yes"
negative_label = "No"
[columns."Id"]
kind = "integer"
role = "id"
minimum = 1
maximum = 9
[columns."Y"]
kind = "category"
role = "target"
values = ["no", "yes"]
"""
for _name in "abcd":
    NUMBERS += f"""
[columns."{_name}"]
kind = "number"
role = "feature"
unit = "units"
minimum = 0
maximum = 1
example = 0.5
"""
RATIO = """
[derived.ratio]
expression = "a / (b - c)"
unit = "share"
text = "Not defined where b is c."
"""
FLAT = Histogram(edges=(0.0, 0.25, 1.0), counts=(300, 100))
REFERENCE = dict.fromkeys("abcd", FLAT)
Function = Callable[[np.ndarray], np.ndarray]


class Counting:
    """A model made of a function of the matrix; counts the rows and the calls that it is asked."""

    def __init__(self, function: Function) -> None:
        self.rows: list[int] = []
        self._function = function

    def run(
        self, output_names: list[str], input_feed: Mapping[str, np.ndarray]
    ) -> Sequence[np.ndarray]:
        matrix = input_feed["features"].astype(np.float64)
        self.rows.append(len(matrix))
        scores = self._function(matrix)
        return [np.column_stack([1 - scores, scores])]


def explained(
    function: Function, rows: np.ndarray, text: str = NUMBERS, count: int = BACKGROUND
) -> tuple[Background, Contributions, np.ndarray]:
    """Background, contributions and scores of rows of four numbers."""
    given = load_contract(text)
    to, session = layout(given), Counting(function)
    at = background(given, REFERENCE, session, to, count)
    scores = function(mixed(to, rows).astype(np.float64))
    return at, contributions(session, to, at, rows, scores), scores


def by_definition(function: Function, at: Background, row: np.ndarray) -> np.ndarray:
    """The Shapley values over all sets of columns, against the same background rows."""
    features = len(row)

    def worth(members: frozenset[int]) -> float:
        mixed_rows = at.numbers.copy()
        for place in members:
            mixed_rows[:, place] = row[place]
        return float(function(mixed_rows.astype(np.float32).astype(np.float64)).mean())

    values = np.zeros(features)
    for place in range(features):
        others = [other for other in range(features) if other != place]
        for size in range(features):
            weight = math.factorial(size) * math.factorial(features - size - 1)
            for chosen in itertools.combinations(others, size):
                members = frozenset(chosen)
                gain = worth(members | {place}) - worth(members)
                values[place] += weight * gain / math.factorial(features)
    return values


def linear(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[:, :4] @ np.array([0.4, -0.2, 0.1, 0.0]) + 0.3)


def pairs(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[:, 0] * matrix[:, 1] * 0.5 + matrix[:, 2] * matrix[:, 3] * 0.5)


def steps(matrix: np.ndarray) -> np.ndarray:
    return np.where(matrix[:, 0] > 0.4, 0.7, 0.2) * np.where(matrix[:, 1] > 0.2, 1.0, 0.5)


def curved(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-6 * (matrix[:, :4] @ np.array([1, -1, 0.5, 0.2]) - 0.3))))


FUNCTIONS = [linear, pairs, steps, curved]
ROWS = np.random.default_rng(3).random((6, 4))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_the_columns_add_is_the_score_less_the_baseline(function: Function) -> None:
    at, found, scores = explained(function, ROWS)
    assert found.values.sum(axis=1) + at.baseline == pytest.approx(scores, abs=1e-12)


def test_of_a_linear_model_the_values_are_exact() -> None:
    at, found, _ = explained(linear, ROWS)
    exact = (ROWS - at.numbers.mean(axis=0)) * np.array([0.4, -0.2, 0.1, 0.0])
    assert found.values == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_values_are_those_of_the_definition_within_their_error(function: Function) -> None:
    at, found, _ = explained(function, ROWS)
    for row, values, errors in zip(ROWS, found.values, found.errors, strict=True):
        wrong = np.abs(values - by_definition(function, at, row))
        assert (wrong <= 3 * errors + 1e-6).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_more_background_rows_make_the_error_smaller(function: Function) -> None:
    few = explained(function, ROWS, count=8)[1].errors.mean()
    many = explained(function, ROWS, count=128)[1].errors.mean()
    assert many < few / 2


def test_a_column_that_the_model_does_not_use_adds_nothing() -> None:
    _, found, _ = explained(steps, ROWS)
    assert not found.values[:, 2:].any()
    assert not found.errors[:, 2:].any()


def test_columns_that_stand_for_the_same_add_the_same() -> None:
    def alike(matrix: np.ndarray) -> np.ndarray:
        return np.asarray((matrix[:, 0] + matrix[:, 1]) / 2)

    rows = np.repeat(ROWS[:, :1], 4, axis=1)
    at, found, _ = explained(alike, rows)
    middle = at.numbers[:, :2].mean(axis=0)
    assert found.values[:, 0] + middle[0] / 2 == pytest.approx(
        found.values[:, 1] + middle[1] / 2, abs=1e-6
    )


@given(st.integers(1, 9), st.integers(2, 40))
def test_the_cost_is_counted(rows: int, count: int) -> None:
    given_contract = load_contract(NUMBERS)
    to, session = layout(given_contract), Counting(linear)
    at = background(given_contract, REFERENCE, session, to, count)
    assert session.rows == [count]
    assert at.cost == count * 2 * (4 - 1)
    numbers = np.full((rows, 4), 0.25)
    contributions(session, to, at, numbers, linear(numbers))
    assert session.rows == [count, rows * at.cost]


def test_no_call_is_larger_than_memory_allows() -> None:
    given_contract = load_contract(NUMBERS)
    to, session = layout(given_contract), Counting(linear)
    at = background(given_contract, REFERENCE, session, to)
    numbers = np.random.default_rng(1).random((1000, 4))
    found = contributions(session, to, at, numbers, linear(numbers))
    assert sum(session.rows[1:]) == 1000 * at.cost
    assert max(session.rows) <= 20_000
    assert np.isfinite(found.values).all()


def test_a_model_of_one_column_needs_no_call() -> None:
    text = NUMBERS.split('\n[columns."b"]')[0]
    given_contract = load_contract(text)
    to, session = layout(given_contract), Counting(lambda matrix: matrix[:, 0])
    at = background(given_contract, REFERENCE, session, to)
    numbers = np.array([[0.9]])
    found = contributions(session, to, at, numbers, np.array([0.9]))
    assert at.cost == 0
    assert found.values == pytest.approx(np.array([[0.9 - at.baseline]]))


def test_a_derived_feature_that_nobody_has_does_not_end_the_explanation() -> None:
    def ratio(matrix: np.ndarray) -> np.ndarray:
        assert np.isfinite(matrix).all()
        return np.asarray(1 / (1 + np.exp(-matrix[:, 4])))

    rows = np.array([[0.5, 0.5, 0.25, 0.1]])
    one = explained(ratio, rows, NUMBERS + RATIO)
    given_contract = load_contract(NUMBERS + RATIO)
    to, session = layout(given_contract), Counting(ratio)
    reference = {"b": Histogram((0.5, 0.5), (9,)), "c": Histogram((0.5, 0.5), (9,))}
    at = background(given_contract, reference, session, to)  # b is c in each of its rows
    scores = ratio(mixed(to, rows).astype(np.float64))
    again = contributions(session, to, at, rows, scores)
    for made, found in ((one[0], one[1]), (at, again)):
        assert found.values.sum(axis=1) + made.baseline == pytest.approx(scores, abs=1e-12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(small_artifact(tmp_path_factory.mktemp("artifact") / "model"))


def test_a_row_has_the_same_reasons_alone_and_among_others(model: Model) -> None:
    at = background(model.contract, {}, model.session, model.layout)
    numbers = np.array([at.numbers[place] for place in (3, 1, 2)])
    numbers[:, 0] += 1
    scores = model.score_numbers(numbers)
    together = contributions(model.session, model.layout, at, numbers, scores)
    for row in range(3):
        part = slice(row, row + 1)
        alone = contributions(model.session, model.layout, at, numbers[part], scores[part])
        assert alone.values[0] == pytest.approx(together.values[row], abs=1e-7)


def test_the_background_is_the_same_each_time(model: Model) -> None:
    one, two = (background(model.contract, {}, model.session, model.layout) for _ in range(2))
    assert np.array_equal(one.numbers, two.numbers)
    assert np.array_equal(one.orders, two.orders)
    assert one.baseline == two.baseline


@pytest.mark.parametrize("given_contract", [contract(), small()])
def test_background_rows_are_allowed_by_the_contract(given_contract: Contract) -> None:
    session = Counting(lambda matrix: np.full(len(matrix), 0.5))
    reference = {}
    for column in given_contract.features:
        if column.numeric:
            low, high = float(column.minimum or 0), float(column.maximum or 0)
            reference[column.key] = Histogram((low - 0.5, (low + high) / 2, high + 0.5), (7, 2))
        else:
            reference[column.key] = Histogram(values={column.values[-1]: 3, "(other)": 99})
    for told in ({}, reference):
        at = background(given_contract, told, session, layout(given_contract))
        for place, column in enumerate(given_contract.features):
            values = at.numbers[:, place]
            if column.numeric:
                assert (values >= column.minimum).all()
                assert (values <= column.maximum).all()
            else:
                assert set(values) <= set(range(len(column.values)))
            if column.kind != "number":
                assert (values == np.floor(values)).all()


def test_background_rows_follow_the_histograms(model: Model) -> None:
    given_contract = load_contract(NUMBERS)
    session = Counting(linear)
    at = background(given_contract, REFERENCE, session, layout(given_contract))
    assert ((at.numbers < 0.25).sum(axis=0) == 24).all()
    texts = {"job_level": Histogram(values={"Entry": 1, "Senior": 3})}
    other = background(model.contract, texts, model.session, model.layout)
    place = [column.key for column in model.contract.features].index("job_level")
    assert np.bincount(other.numbers[:, place].astype(int)).tolist() == [8, 0, 24]


def test_missing_values_are_filled_in_the_background(model: Model) -> None:
    column = model.contract.find("distance_from_home")
    assert column is not None
    reference = {column.key: Histogram((0.5, 1.5), (1,), missing=3)}
    at = background(model.contract, reference, model.session, model.layout)
    place = model.contract.features.index(column)
    assert (at.numbers[:, place] == column.fill).sum() == 24


def test_orders_are_all_columns_once(model: Model) -> None:
    at = background(model.contract, {}, model.session, model.layout)
    columns = np.arange(len(model.contract.features))
    assert (np.sort(at.orders, axis=1) == columns).all()
    assert len({tuple(order) for order in at.orders.tolist()}) == BACKGROUND


def test_a_real_model_is_explained_to_the_last_digit(model: Model) -> None:
    records = [{column.key: column.example for column in model.contract.features}]
    numbers = as_numbers(model.contract, read_records(model.contract, records))
    scores = model.score_numbers(numbers)
    at = background(model.contract, {}, model.session, model.layout)
    found = contributions(model.session, model.layout, at, numbers, scores)
    assert found.values.sum() + at.baseline == pytest.approx(scores[0], abs=1e-12)
