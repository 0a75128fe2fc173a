"""Where the shards of a fleet are worked on: processes of this machine, or a Ray cluster.

Work takes bytes and gives bytes, so nothing but a name of a function and a parcel travels, and each
engine gives the same bytes in the same order. What is in flight is bounded: a shard is made when
there is room for it.
"""

import importlib.util
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sluice.errors import UsageError

LOCAL, RAY = "local", "ray"
Work = Callable[[bytes], bytes]
_AHEAD = 2  # shards in flight for each worker


def require_engine(engine: str) -> None:
    """Raise UsageError for an engine that is not known or not installed."""
    kind, _, address = engine.partition(":")
    if engine == LOCAL:
        return
    if kind != RAY or not address:
        raise UsageError(
            f"SLUICE_ENGINE is {engine!r}",
            f"Known: {LOCAL}; ray:HOST:PORT of a cluster that this machine is a node of;"
            " ray://HOST:PORT of one elsewhere.",
        )
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            f"SLUICE_ENGINE is {engine!r}, and Ray is not installed",
            "Add it: uv sync --inexact --group ray",
        )


def worked(engine: str, workers: int, work: Work, parcels: Iterable[bytes]) -> Iterator[bytes]:
    """What `work` makes of each parcel, in their order, `workers` at a time on this machine.

    Raises UsageError where the cluster does not answer, and what the work raises.
    """
    require_engine(engine)
    if engine == LOCAL:
        yield from _here(workers, work, parcels)
    else:
        yield from _on_ray(engine, work, parcels)


def _here(workers: int, work: Work, parcels: Iterable[bytes]) -> Iterator[bytes]:
    from joblib import Parallel, delayed

    if workers == 1:
        yield from map(work, parcels)
        return
    side_by_side = Parallel(
        n_jobs=workers, return_as="generator", pre_dispatch=_AHEAD * workers, batch_size=1
    )
    yield from side_by_side(delayed(work)(parcel) for parcel in parcels)


def _on_ray(engine: str, work: Work, parcels: Iterable[bytes]) -> Iterator[bytes]:
    ray = _joined(engine)
    try:
        remote = ray.remote(work)
        room = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting = iter(parcels)
        flying = deque(remote.remote(parcel) for parcel in itertools.islice(waiting, room))
        while flying:
            done = ray.get(flying.popleft())
            flying.extend(remote.remote(parcel) for parcel in itertools.islice(waiting, 1))
            yield done
    finally:
        ray.shutdown()


def _joined(engine: str) -> Any:
    """Ray, joined to the cluster; the rules travel with it to nodes that do not have them."""
    import ray

    import sluice

    address = engine if engine.startswith("ray://") else engine.removeprefix("ray:")
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={
                "py_modules": [sluice],
                "env_vars": {"RAY_USAGE_STATS_ENABLED": "0"},
            },
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise UsageError(
            f"SLUICE_ENGINE is {engine!r}, and no cluster answers there ({first[:200]})",
            "Start it, or leave SLUICE_ENGINE out: the fleet is then worked on here.",
        ) from None
    return ray
