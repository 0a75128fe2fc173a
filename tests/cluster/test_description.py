"""A cluster that somebody describes: what is wrong with its file is said, and nothing of theirs is
taken away.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster import description, kubelet
from support.cluster.api_server import ApiServer
from support.cluster.description import PARTS, Cluster, Part
from support.cluster.kube import Kube
from support.cluster.stage import SPACE, clear

from sluice.errors import UsageError


def described(**other: Any) -> Cluster:
    """A cluster whose parts are files that are there or not."""
    values = {
        "kubeconfig": "/nowhere",
        "gateway": "http://127.0.0.1:1",
        "registry": "127.0.0.1:2",
        "prometheus": "http://127.0.0.1:3",
        "host": "127.0.0.1",
        "disks": "/nowhere",
        "parts": {name: Part(["rm", name], ["touch", name]) for name in PARTS},
    }
    return Cluster(**values | other)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    description.write(file, described(late=2.5))
    assert description.read(file) == described(late=2.5)


def test_a_part_is_ended_and_brought_back_by_its_words(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    words = {"node": Part(["rm", str(file)], ["touch", str(file)])}
    cluster = described(parts=words)
    cluster.start("node")
    assert file.exists()
    cluster.stop("node")
    assert not file.exists()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_nobody_can_stop_is_named(part: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    parts = {name: how for name, how in described().parts.items() if name != part}
    description.write(file, described(parts=parts))
    with pytest.raises(UsageError, match=f"does not say how {part} is stopped"):
        description.read(file)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hots": "1"}, "hots"),
        ({"gateway": 7}, "gateway"),
        ({"registry": None}, "registry"),
    ],
)
def test_a_file_that_describes_no_cluster_is_said_to_be_none(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps(msgspec.to_builtins(described()) | changed))
    with pytest.raises(UsageError, match=said):
        description.read(file)
    with pytest.raises(UsageError, match="describes no cluster"):
        description.read(tmp_path / "nowhere")


def test_a_kubeconfig_without_a_certificate_or_token_is_refused(
    api_server: ApiServer, tmp_path: Path
) -> None:
    file = api_server.kube.beside(tmp_path / "config", {"exec": "a program"})
    with pytest.raises(UsageError, match="neither a token nor a client certificate"):
        Kube(file).get("/version")


def test_a_namespace_that_no_scene_made_is_left_alone(api_server: ApiServer) -> None:
    kube, path = api_server.kube, f"/api/v1/namespaces/{SPACE}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    with pytest.raises(UsageError, match=f"namespace {SPACE} of this cluster was not made by"):
        clear(kube)
    assert "deletionTimestamp" not in kube.get(path)["metadata"]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"))), st.data())
def test_a_log_is_what_was_printed(texts: list[str], data: st.DataObject) -> None:
    written = []
    for text in texts:
        cut = data.draw(st.integers(0, len(text)))
        if data.draw(st.booleans()):
            written.append(f"2026-12-01T00:00:00Z stdout P {text[:cut]}\n")
            text = text[cut:]
        written.append(f"2026-12-01T00:00:01Z stderr F {text}\n")
    assert kubelet.printed(written) == "".join(f"{text}\n" for text in texts)
