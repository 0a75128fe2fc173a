"""Logins to a registry as `podman login` leaves them, in a folder of the test and nowhere else."""

import base64
import json
from pathlib import Path

import pytest

from flows.adapters.registry.remote import Remote


def nobody_is_logged_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login of the person who runs the tests is used."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(folder / "auth.json"))
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def log_in(folder: Path, place: Remote, password: str) -> None:
    auth = base64.b64encode(f"sluice:{password}".encode()).decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {place.host: {"auth": auth}}}))
