"""The metrics of the service: every request and row is counted once, over all workers."""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from support.gate_cases import small

from bento.ops.metrics import SECONDS, SHARES, Measures
from sluice.served.histograms import read_histograms

LABELS = {"service_name": "sluice", "service_version": "1", "runner_name": "sluice"}
REFERENCE = read_histograms(
    {
        "age": {
            "kind": "number",
            "whole": True,
            "edges": [17.5, 60.5],
            "counts": [9],
            "missing": 0,
        },
        "region": {"kind": "text", "values": {"N": 9}, "missing": 0},
    }
)
ROW = [40.0, 70.0, 3.0, 2.0, 1.0, 0.0, 1.0]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """The folder that the workers share."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
    yield tmp_path
    del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def measures() -> Measures:
    return Measures(small(), REFERENCE, 0.5, LABELS)


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(of: Measures) -> Samples:
    """Every sample that Prometheus would read, by name and labels."""
    of.settle()
    families = text_string_to_metric_families(of.text().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def total(of: Measures | Samples, name: str, **labels: str) -> float:
    """The sum of the samples of this name that have these labels."""
    read = samples(of) if isinstance(of, Measures) else of
    wanted = set(labels.items())
    return sum(value for (each, has), value in read.items() if each == name and wanted <= has)


def test_before_anything_was_asked_all_is_zero() -> None:
    fresh = measures()
    assert total(fresh, "bentoml_service_request_total") == 0
    assert total(fresh, "sluice_prediction_probability_count") == 0
    assert total(fresh, "sluice_model_threshold") == 0.5
    assert total(fresh, "sluice_build_info", **LABELS) == 1


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["/predict", "/page"]),
        st.sampled_from([200, 400]),
        st.floats(0, 10) | st.sampled_from(SECONDS),
    ),
    max_size=30,
)


@settings(max_examples=15)
@given(REQUESTS)
def test_every_request_is_in_all_buckets_that_it_was_quick_enough_for(
    requests: list[tuple[str, int, float]],
) -> None:
    counted = measures()
    for endpoint, status, seconds in requests:
        counted.request(endpoint, status, seconds)
    read = samples(counted)
    name = "bentoml_service_request_duration_seconds"
    for endpoint, status in product(("/predict", "/page"), (200, 400)):
        here = [took for where, ended, took in requests if (where, ended) == (endpoint, status)]
        labels = {"endpoint": endpoint, "http_response_code": str(status)}
        assert total(read, "bentoml_service_request_total", **labels) == len(here)
        assert total(read, f"{name}_sum", **labels) == pytest.approx(sum(here))
        for limit in ("0.001", "0.25", "5.0", "+Inf"):
            quick = sum(took <= float(limit) for took in here)
            assert total(read, f"{name}_bucket", le=limit, **labels) == quick


SCORES = st.lists(st.floats(0, 1) | st.sampled_from(SHARES), max_size=30)


@settings(max_examples=15)
@given(SCORES, SCORES)
def test_every_row_is_counted_once_alone_or_in_a_list(
    alone: list[float], together: list[float]
) -> None:
    counted = measures()
    for score in alone:
        counted.row(ROW, score)
    if together:
        counted.rows(np.array([ROW] * len(together)), np.array(together))
    scores = [*alone, *together]
    read = samples(counted)
    name = "sluice_prediction_probability"
    assert total(read, f"{name}_count") == len(scores)
    assert total(read, f"{name}_sum") == pytest.approx(sum(scores))
    assert total(read, f"{name}_bucket", le="0.5") == sum(score <= 0.5 for score in scores)
    flagged = sum(score >= 0.5 for score in scores)
    assert total(read, "sluice_predictions_total", prediction="1") == flagged
    assert total(read, "sluice_predictions_total") == len(scores)
    for tier in small().tiers.names:
        here = sum(small().tiers.of(score) == tier for score in scores)
        assert total(read, "sluice_predictions_total", tier=tier) == here


@settings(max_examples=15)
@given(SCORES)
def test_the_rows_a_version_is_judged_by_are_counted_by_answer(scores: list[float]) -> None:
    counted = measures()
    for score in scores:
        counted.judged(score)
    read = samples(counted)
    name = "sluice_judged_rows_total"
    assert total(read, name) == len(scores)
    assert total(read, name, prediction="1") == sum(score >= 0.5 for score in scores)
    for tier in small().tiers.names:
        here = sum(small().tiers.of(score) == tier for score in scores)
        assert total(read, name, tier=tier) == here
    # Together the bins up to one end where the bucket of the histogram does.
    for place, limit in enumerate(SHARES):
        below = sum(total(read, name, bin=f"{at * 0.05:.2f}") for at in range(place + 1))
        assert below == sum(score <= limit for score in scores)


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1, float("inf")])
def test_what_is_no_probability_has_a_bin_of_its_own(score: float) -> None:
    counted = measures()
    counted.judged(score)
    assert total(counted, "sluice_judged_rows_total", bin="none") == 1


def test_the_start_is_that_of_the_oldest_worker_that_runs(shared: Path) -> None:
    own, other, gone = measures(), measures(), measures()
    own._started, other._started, gone._started = 300.0, 200.0, 100.0
    other_worker(shared, 1, other)
    other_worker(shared, 2**22 + 1, gone)  # beyond the largest process id
    assert total(own, "sluice_start_time_seconds") == 200.0


def test_values_that_no_training_row_had_are_counted_by_column() -> None:
    counted = measures()
    young, south = [10.0, *ROW[1:]], [*ROW[:5], 1.0, ROW[6]]
    counted.rows(np.array([ROW, young, south, young]), np.full(4, 0.5))
    name = "sluice_input_out_of_reference_total"
    assert total(counted, name, column="age") == 2
    assert total(counted, name, column="region") == 1
    assert total(counted, name, column="weight") == 0  # nothing is known of it
    assert total(counted, name) == 3


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        ("refused", "sluice_refused_requests_total", "kind"),
        ("field", "sluice_refused_fields_total", "column"),
        ("feedback", "sluice_feedback_total", "agrees"),
    ],
)
def test_a_counter_counts_by_its_label(kind: str, name: str, label: str) -> None:
    counted = measures()
    counted.count(kind, 'a "b"\n')
    counted.count(kind, 'a "b"\n', 2)
    counted.count(kind, "other")
    assert total(counted, name, **{label: 'a "b"\n'}) == 3
    assert total(counted, name) == 4


def test_counts_of_the_log_are_set_and_not_added(shared: Path) -> None:
    counted = measures()
    counted.save({"written": 5})
    counted.save({"written": 7})
    assert total(counted, "sluice_prediction_log_lines_total", outcome="written") == 7


def other_worker(shared: Path, number: int, of: Measures) -> None:
    """Hand over these numbers as the worker with this process id would."""
    of.save({})
    (shared / f"sluice-{os.getpid()}.json").rename(shared / f"sluice-{number}.json")


def test_the_numbers_of_all_workers_are_added_up(shared: Path) -> None:
    own, other = measures(), measures()
    own.request("/predict", 200, 0.01)
    own.row(ROW, 0.9)
    other.request("/predict", 200, 0.02)
    other.request("/page", 200, 0.02)
    other.row(ROW, 0.1)
    other.count("refused", "json")
    other_worker(shared, 1, other)
    own.save({})  # its own file is not read again
    assert total(own, "bentoml_service_request_total") == 3
    assert total(own, "bentoml_service_request_total", endpoint="/predict") == 2
    assert total(own, "sluice_prediction_probability_sum") == pytest.approx(1.0)
    assert total(own, "sluice_refused_requests_total", kind="json") == 1


def test_what_a_worker_that_ended_was_doing_is_not_being_done(shared: Path) -> None:
    own, gone, there = measures(), measures(), measures()
    gone.in_progress = there.in_progress = 2
    own.in_progress = 1
    gone.request("/predict", 200, 0.01)
    other_worker(shared, 2**22 + 1, gone)  # beyond the largest process id
    other_worker(shared, 1, there)
    assert total(own, "bentoml_service_request_in_progress") == 3
    assert total(own, "bentoml_service_request_total") == 1


def test_a_folder_that_is_gone_does_not_end_the_service(shared: Path) -> None:
    counted: Any = measures()
    shared.rmdir()
    counted.request("/predict", 200, 0.01)
    counted.save({"written": 1})
    assert total(counted, "bentoml_service_request_total") == 1
    shared.mkdir()
