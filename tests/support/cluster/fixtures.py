"""What tests on Kubernetes ask for. Imported by a `conftest.py`, as fixtures are."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cluster import api_server as servers
from support.cluster.api_server import ApiServer
from support.cluster.programs import Programs, ensure

__all__ = ["api_server", "programs"]
# Where a scene says what it measured: a name, and a value.
Figures = Callable[[str, object], None]


@pytest.fixture(scope="session")
def programs() -> Programs:
    """All programs of the test cluster; built now where this machine has none (25 minutes of a
    processor).
    """
    return ensure(lambda text: print(text, file=sys.__stderr__, flush=True))


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server without controllers or pods: `url`, `kubeconfig`, and `kube` to ask it."""
    built = ensure(
        lambda text: print(text, file=sys.__stderr__, flush=True), ["etcd", "kube-apiserver"]
    )
    with servers.running(built, Path(tmp_path_factory.mktemp("api-server"))) as server:
        yield server
