"""The settings of the service: each has a default, and a wrong one is named with its variable."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.ops.settings import BODY_SECONDS, TIMEOUT, Settings, load
from sluice.errors import UsageError


def refused(**environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(environment)
    assert caught.value.fix
    return caught.value.what


def test_nothing_needs_to_be_set_and_an_empty_text_is_not_set() -> None:
    assert load({}) == Settings()
    empty = {f"SLUICE_{name.upper()}": "" for name in Settings.__dataclass_fields__}
    assert load(empty) == Settings()
    assert load({"MAX_ROWS": "7", "sluice_max_rows": "7"}) == Settings()


def test_a_body_is_late_before_its_request_is() -> None:
    assert BODY_SECONDS < TIMEOUT


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1e6), st.booleans())
def test_what_was_set_is_read(rows: int, sample: float, drain: float, log: bool) -> None:
    settings = load(
        {
            "SLUICE_MAX_ROWS": str(rows),
            "SLUICE_LOG_SAMPLE": repr(sample),
            "SLUICE_DRAIN_SECONDS": repr(drain),
            "SLUICE_LOG_REQUESTS": str(log),
        }
    )
    assert (settings.max_rows, settings.log_sample) == (rows, sample)
    assert (settings.drain_seconds, settings.log_requests) == (drain, log)


def test_texts_are_taken_as_they_are() -> None:
    settings = load(
        {"SLUICE_MODEL_DIR": "m/x", "SLUICE_LOG_SALT": f" {'1' * 16} ", "SLUICE_LOG_REQUESTS": "1"}
    )
    assert settings.model_dir == Path("m/x")
    assert settings.log_salt == f" {'1' * 16} "
    assert settings.log_requests is True


FIELDS = Settings.__dataclass_fields__
NUMBERS = [name for name, field in FIELDS.items() if field.type in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["many", "1,5", "0x10", "--1"])
def test_a_text_that_is_no_number_is_named(name: str, text: str) -> None:
    variable = f"SLUICE_{name.upper()}"
    assert refused(**{variable: text}) == f"{variable} is {text!r}; a number is required"


@pytest.mark.parametrize("name", NUMBERS)
def test_a_negative_number_is_named(name: str) -> None:
    variable = f"SLUICE_{name.upper()}"
    assert refused(**{variable: "-1"}) == f"{variable} is '-1'; a number of at least 0 is required"


@pytest.mark.parametrize("name", ["log_sample", "drain_seconds"])
def test_what_is_no_number_and_yet_one_in_python_is_named(name: str) -> None:
    assert "a number of at least 0 is required" in refused(**{f"SLUICE_{name.upper()}": "nan"})


@pytest.mark.parametrize("text", ["yes", "on", "2", "-"])
def test_a_switch_is_on_or_off(text: str) -> None:
    assert refused(SLUICE_LOG_REQUESTS=text) == (
        f"SLUICE_LOG_REQUESTS is {text!r}; 1 or 0 is required"
    )


@pytest.mark.parametrize("name", ["SERVICE_WORKERS", "MAX_ROWS"])
def test_there_is_at_least_one(name: str) -> None:
    assert refused(**{f"SLUICE_{name}": "0"}) == f"SLUICE_{name} is 0; at least 1 is required"


def test_a_share_is_no_percentage() -> None:
    assert refused(SLUICE_LOG_SAMPLE="10") == (
        "SLUICE_LOG_SAMPLE is 10.0; a share between 0 and 1 is required"
    )


@pytest.mark.parametrize("salt", ["x", "attrition-2026", " ", "\n", f"  {'a' * 15}  ", "é" * 15])
def test_a_salt_that_can_be_found_by_trying_is_refused(salt: str) -> None:
    """With it, whoever reads the log finds every id that is a number."""
    said = refused(SLUICE_LOG_SALT=salt)
    assert said.startswith("SLUICE_LOG_SALT has ")
    assert "at least 16 are required" in said


@pytest.mark.parametrize("text", ["0.0.0.0", "localhost:", "localhost:metrics", ":x"])
def test_an_address_has_a_port(text: str) -> None:
    assert refused(SLUICE_METRICS_BIND=text) == (
        f"SLUICE_METRICS_BIND is {text!r}; host:port is required"
    )


def test_the_wrong_one_is_named_and_its_neighbours_are_not() -> None:
    assert "SLUICE_MAX_ROWS" in refused(SLUICE_MAX_BODY_BYTES="5", SLUICE_MAX_ROWS="x")
