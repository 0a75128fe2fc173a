"""How the service runs: environment, each variable with a default that needs nothing."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import UsageError

# In a Bento the artifact is beside the packages.
_BESIDE = Path(__file__).resolve().parents[2] / "model"

# Seconds until BentoML answers 504 in our place. It keeps a timer for every request, so the shorter
# the better.
TIMEOUT = 3
# Seconds until a body must be here: sooner than that timer, after which it would be our fault.
BODY_SECONDS = 2.5
# Addresses that may take longer, and the seconds for their bodies.
LONG = ("/predict_batch", "/rows", "/people")
LONG_BODY_SECONDS = 60.0
_FIX = "Correct it, or leave it out."
_FEWEST = 16  # characters of the salt: with fewer, ids are found by trying


@dataclass(frozen=True)
class Settings:
    """`SLUICE_<NAME>` for each; docs/serving.md says what they mean."""

    model_dir: Path = _BESIDE
    service_workers: int = 1
    max_concurrency: int = 0  # requests at a time over all workers; 0: no limit
    max_body_bytes: int = 10 * 2**20
    max_rows: int = 10_000
    drain_seconds: float = 2.0
    metrics_bind: str = ""  # host:port of /metrics and /docs.json, away from the public listener
    api_keys: str = ""  # a file with one key a line; empty: nobody is asked who they are
    page: bool = True  # the page for people, and what it sends
    image_digest: str = ""
    log_requests: bool = False
    prediction_log: str = ""  # a folder, or a URL that fsspec knows
    log_sample: float = 1.0
    log_salt: str = ""
    log_retention_days: int = 183
    log_rotate_bytes: int = 64 * 2**20
    log_queue: int = 10_000


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. Raise UsageError naming the variable that is wrong."""
    values: dict[str, Any] = {}
    for name, field in Settings.__dataclass_fields__.items():
        variable = _variable(name)
        text = environment.get(variable, "")
        if text:
            kind = Path if name == "model_dir" else type(field.default)
            values[name] = _read(variable, text, kind)
    settings = Settings(**values)
    _check(settings)
    return settings


def _variable(name: str) -> str:
    return f"SLUICE_{name.upper()}"


def _check(settings: Settings) -> None:
    if not 0.0 <= settings.log_sample <= 1.0:
        raise UsageError(
            f"SLUICE_LOG_SAMPLE is {settings.log_sample}; a share between 0 and 1 is required",
            _FIX,
        )
    if 0 < len(settings.log_salt.strip()) < _FEWEST or settings.log_salt.isspace():
        raise UsageError(
            f"SLUICE_LOG_SALT has {len(settings.log_salt.strip())} characters;"
            f" at least {_FEWEST} are required: ids could be found by trying",
            "Write a secret: openssl rand -base64 32. `sluice forget ID` still takes the old one.",
        )
    for name in ("service_workers", "max_rows"):
        value = getattr(settings, name)
        if value < 1:
            raise UsageError(f"{_variable(name)} is {value}; at least 1 is required", _FIX)
    if settings.metrics_bind and not settings.metrics_bind.rpartition(":")[2].isdigit():
        raise UsageError(
            f"SLUICE_METRICS_BIND is {settings.metrics_bind!r}; host:port is required",
            "Write it like 0.0.0.0:3001, or leave it out.",
        )


def _read(variable: str, text: str, kind: Callable[[str], Any]) -> Any:
    """The value of a variable. Raise UsageError where the text is not of this kind."""
    if kind is bool:
        if text.lower() not in ("0", "1", "false", "true"):
            raise UsageError(f"{variable} is {text!r}; 1 or 0 is required", _FIX)
        return text.lower() in ("1", "true")
    try:
        value = kind(text)
    except ValueError:
        raise UsageError(f"{variable} is {text!r}; a number is required", _FIX) from None
    if kind in (int, float) and not value >= 0:
        raise UsageError(f"{variable} is {text!r}; a number of at least 0 is required", _FIX)
    return value
