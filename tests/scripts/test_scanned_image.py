"""One image of a layout in a layout of its own."""

import io
import json
from pathlib import Path

import pytest

from scripts.scanned_image import main

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    folder = tmp_path / "registry" / "m"
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "blobs" / "sha256" / ("a" * 64)).write_text("manifest")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    kept = [{"digest": one, "size": 8, "mediaType": "x"} for one in (OTHER, DIGEST)]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": kept}))
    return folder


def told(monkeypatch: pytest.MonkeyPatch, *images: tuple[str, str]) -> None:
    listed = [{"digest": digest, "kept": [why]} for digest, why in images]
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(listed)))


def test_the_image_that_is_live_is_alone(
    layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "scanned"
    for _ in range(2):  # the second time it is there
        told(monkeypatch, (OTHER, "anchor"), (DIGEST, "live in production"))
        assert main([str(layout), str(target)]) == 0
    [found] = json.loads((target / "index.json").read_text())["manifests"]
    assert found["digest"] == DIGEST
    assert (target / "blobs" / "sha256" / ("a" * 64)).read_text() == "manifest"
    assert len(json.loads((layout / "index.json").read_text())["manifests"]) == 2


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([(DIGEST, "anchor")], "no image is live"),
        ([("sha256:" + "c" * 64, "live in production")], "has no image sha256:ccc"),
    ],
)
def test_what_is_not_there_is_said(
    images: list[tuple[str, str]],
    said: str,
    layout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(monkeypatch, *images)
    assert main([str(layout), str(tmp_path / "scanned")]) == 1
    assert said in capsys.readouterr().err
    assert main([]) == 2
