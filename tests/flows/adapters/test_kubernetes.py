"""Where a cluster is looked for, and what is said where it is not there. What it answers:
`tests/cluster/test_reconcile.py`, on a real API server.
"""

import json
import os
from pathlib import Path

import pytest

from flows.adapters import kubernetes
from flows.adapters.kubernetes import IN_CLUSTER, Place
from sluice.errors import Retryable, UsageError

NAME = "sluice.local/attrition"


def config(path: Path, context: str) -> Path:
    """A kubeconfig of a cluster at which nobody listens."""
    document = {
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
    }
    path.write_text(json.dumps(document))
    return path


def asked(context: str, *files: Path) -> None:
    os.environ["KUBECONFIG"] = os.pathsep.join(str(file) for file in files)
    kubernetes.seen(Place(context, "attrition"), NAME)


def test_a_cluster_that_is_away_is_one_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="the API of cluster here does not answer") as raised:
        asked("here", config(tmp_path / "config", "here"))
    assert "secret-token" not in str(raised.value)


def test_of_several_files_the_one_with_the_context_is_taken(tmp_path: Path) -> None:
    files = [tmp_path / "missing", config(tmp_path / "a", "other"), config(tmp_path / "b", "here")]
    with pytest.raises(Retryable, match="cluster here"):
        asked("here", *files)
    with pytest.raises(UsageError, match="no context of that name in"):
        asked("nowhere", *files)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"SLUICE_CLUSTER is 'here': .*missing not found"):
        asked("here", tmp_path / "missing")


@pytest.mark.parametrize(
    "text", ["contexts: 5\n", "a: [", "", "[]", "contexts: [{name: here}]\nclusters: []\n"]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "broken"
    broken.write_text(text)
    with pytest.raises(UsageError, match="broken cannot be read") as raised:
        asked("here", broken)
    assert len(raised.value.what.splitlines()) == 1


def test_a_context_of_a_cluster_that_no_file_has_is_named(tmp_path: Path) -> None:
    half = json.loads(config(tmp_path / "half", "here").read_text())
    half["clusters"] = []
    (tmp_path / "half").write_text(json.dumps(half))
    with pytest.raises(UsageError, match="half cannot be read"):
        asked("here", tmp_path / "half")


def test_outside_of_a_pod_there_is_no_cluster_around(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"SLUICE_CLUSTER is '{IN_CLUSTER}'"):
        asked(IN_CLUSTER, tmp_path / "missing")
