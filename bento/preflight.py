"""The check whether the service can start, once, before its workers are started.

A worker that cannot start is started again and again, and nobody is told why.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bento import model_trial
from bento.answers import load_served
from bento.ops.api_keys import read_keys
from bento.ops.prediction_log import make_folder
from bento.ops.settings import Settings
from sluice.errors import SluiceError, UsageError

_PARTS = ("model.onnx", "contract.toml", "policy.toml", "reference.json", "metrics.json")


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the process with one line instead of a traceback where a setting or file is wrong."""
    try:
        yield
    except SluiceError as error:
        line = f"{error.what.rstrip('.')}. {error.fix}".strip().replace("\n", " ")
        print(f"sluice: {line}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)  # BentoML has threads by now that an orderly end would wait for


def check(settings: Settings) -> None:
    """Raise UsageError naming the variable where what a setting names cannot be used, and Refused
    where the model takes more time or memory than a trial has.
    """
    missing = [name for name in _PARTS if not (settings.model_dir / name).is_file()]
    if missing:
        what = f"SLUICE_MODEL_DIR is {str(settings.model_dir)!r}: it holds no {missing[0]}"
        raise UsageError(what, "Name the folder of a model artifact, or leave it out")
    model_trial.require_loads(settings.model_dir)
    # The one in the Bento was loaded before it was released.
    if settings.model_dir != Settings.model_dir:
        load_served(settings.model_dir, "", "")
    read_keys(settings.api_keys)
    if settings.metrics_bind:
        _check_address(settings.metrics_bind)
    if "://" in settings.prediction_log:
        _check_url(settings.prediction_log)
    elif settings.prediction_log:
        _check_folder(Path(settings.prediction_log))


def address(bind: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The family, the host and the port of `host:port`."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, (host.strip("[]") or "127.0.0.1", int(port))


def _check_address(bind: str) -> None:
    family, host_and_port = address(bind)
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(host_and_port)
            probe.listen()
    except (OSError, OverflowError) as error:
        fix = "Write a host of this machine and a free port, like 0.0.0.0:3001"
        raise UsageError(f"SLUICE_METRICS_BIND is {bind!r}: {_cause(error)}", fix) from None


def _check_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        what = f"SLUICE_PREDICTION_LOG is {str(folder)!r}: {_cause(error)}"
        raise UsageError(what, "Name a folder that can be written to") from None


def _check_url(url: str) -> None:
    import fsspec

    try:
        fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        what = f"SLUICE_PREDICTION_LOG is {url!r}: {_cause(error)}"
        raise UsageError(
            what, "Name a folder, or a URL whose driver for fsspec is installed"
        ) from None


def _cause(error: Exception) -> str:
    """The cause alone, as the system words it, without number and name of the file."""
    return (getattr(error, "strerror", "") or str(error)).rstrip(".")
