"""Engines: the same bytes in the same order here and on a Ray cluster of two nodes."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from flows.adapters.engine import LOCAL, require_engine, worked
from sluice.errors import UsageError
from sluice.fleet.parcels import packed
from sluice.fleet.teaching import teach


def parcel(seed: int) -> bytes:
    """What three models are taught from."""
    chance = np.random.default_rng(seed)
    return packed(
        {
            "features": chance.normal(size=(90, 4)).astype(np.float32),
            "labels": np.tile([0, 1, 0], 30),
            "hashes": chance.integers(0, 2**63, 90).astype(np.uint64),
            "starts": np.array([0, 30, 60, 90]),
            "strength": np.array(3.0),
            "folds": np.array(3),
        }
    )


PARCELS = [parcel(seed) for seed in range(9)]


def test_one_worker_and_several_give_the_same_bytes_in_order() -> None:
    expected = [teach(one) for one in PARCELS]
    assert list(worked(LOCAL, 1, teach, PARCELS)) == expected
    assert list(worked(LOCAL, 2, teach, PARCELS)) == expected


def test_parcels_are_made_as_there_is_room_for_them() -> None:
    made = itertools.count()

    def parcels() -> Iterator[bytes]:
        for one in PARCELS * 4:
            next(made)
            yield one

    results = worked(LOCAL, 2, teach, parcels())
    next(results)
    assert next(made) < len(PARCELS) * 2
    assert len(list(results)) == 4 * len(PARCELS) - 1


@pytest.mark.parametrize("engine", ["dask", "ray", "ray:", "Local"])
def test_an_unknown_engine_is_a_sentence(engine: str) -> None:
    with pytest.raises(UsageError, match="SLUICE_ENGINE is"):
        require_engine(engine)


# Ray's processes outlive what is undone in this one, so it has a process of its own.
_ON_TWO_NODES = """
import sys
from ray.cluster_utils import Cluster
from flows.adapters.engine import worked
from sluice.errors import UsageError
from sluice.fleet.teaching import teach
from test_engine import PARCELS

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
try:
    import ray
    given = list(worked(f"ray:{cluster.address}", 1, teach, PARCELS))
    assert given == [teach(one) for one in PARCELS], "other bytes"
    ray.init(address=cluster.address, logging_level=40)
    nodes = [one for one in ray.nodes() if one["Alive"]]
    print("nodes", len(nodes))
    ray.shutdown()
finally:
    cluster.shutdown()
try:
    list(worked(f"ray:{cluster.address}", 1, teach, PARCELS))
except UsageError as error:
    print(error)
"""


def test_a_cluster_of_two_nodes_gives_the_same_bytes() -> None:
    folder = str(Path(__file__).parent)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", _ON_TWO_NODES],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "nodes 2" in done.stdout
    assert "no cluster answers there" in done.stdout
