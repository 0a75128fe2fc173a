"""How the service runs: environment, each variable with a default that needs nothing."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.errors import UsageError

# inside a Bento the artifact lies beside the packages
_BESIDE = Path(__file__).resolve().parent.parent / "model"

TIMEOUT = (
    # seconds until BentoML answers 504 in our place; it keeps a timer for every request, so the
    # shorter the better
    3
)
# until a body must be here; sooner than BentoML's timer, which would make it our fault
BODY_SECONDS = 2.5
LONG = ("/predict_batch", "/people")  # what may take longer, and how long its body may take
LONG_BODY_SECONDS = 60.0


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
    image_digest: str = ""
    log_requests: bool = False
    prediction_log: str = ""  # a folder, or a URL that fsspec knows
    log_sample: float = 1.0
    log_salt: str = ""
    log_retention_days: int = 183
    log_rotate_bytes: int = 64 * 2**20
    log_queue: int = 10_000


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; raises UsageError naming the variable that is wrong."""
    given: dict[str, Any] = {}
    for name, default in Settings.__dataclass_fields__.items():
        variable = f"SLUICE_{name.upper()}"
        text = environment.get(variable, "")
        if text:
            given[name] = _read(
                variable, text, Path if name == "model_dir" else type(default.default)
            )
    settings = Settings(**given)
    if not 0.0 <= settings.log_sample <= 1.0:
        raise UsageError(
            f"SLUICE_LOG_SAMPLE is {settings.log_sample}", "It is a share between 0 and 1."
        )
    if settings.service_workers < 1 or settings.max_rows < 1:
        raise UsageError(
            f"SLUICE_SERVICE_WORKERS is {settings.service_workers}, SLUICE_MAX_ROWS"
            f" {settings.max_rows}",
            "At least 1.",
        )
    if settings.metrics_bind and not settings.metrics_bind.rpartition(":")[2].isdigit():
        raise UsageError(
            f"SLUICE_METRICS_BIND is {settings.metrics_bind!r}",
            "Write host:port, like 0.0.0.0:3001.",
        )
    return settings


def _read(variable: str, text: str, kind: Callable[[str], Any]) -> Any:
    if kind is bool:
        if text.lower() not in ("0", "1", "false", "true"):
            raise UsageError(f"{variable} is {text!r}", "It takes 1 or 0.")
        return text.lower() in ("1", "true")
    try:
        value = kind(text)
    except ValueError:
        raise UsageError(f"{variable} is {text!r}", "It takes a number.") from None
    if kind in (int, float) and not value >= 0:
        raise UsageError(f"{variable} is {text!r}", "It is not negative.")
    return value
