"""The packages of an image: from which index they come, and what is told where it is not there."""

import socket
from pathlib import Path

import pytest

from flows.adapters.image import wheels
from sluice.errors import SluiceError

LOCKED = f"tiny==1.0 --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_an_index_that_is_not_reached_is_named_without_its_login(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}/simple"
    for other in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, f"http://robot:s3cret@{address}")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(SluiceError) as caught:
        wheels.install(LOCKED, "x86_64-manylinux_2_36", tmp_path / "site.tar")
    assert f"not had from http://{address} ({name})" in caught.value.what
    assert "HTTPS_PROXY" in caught.value.fix
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "site.tar").exists()
