"""A cluster that scenes play on, as a file describes it: `make cluster` writes one, and whoever has
another cluster writes one by hand.
"""

from pathlib import Path

import msgspec
from support.cluster.kube import Kube

from flows.adapters.process import run
from sluice.errors import UsageError

# What a scene lets be away.
PARTS = (
    "prometheus",
    "argo-rollouts",
    "node",
    "argocd-application-controller",
    "argocd-repo-server",
)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part that can be away: the words that end it, and those that bring it back."""

    stop: list[str]
    start: list[str]


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it is reached from this machine, and this machine from it.

    `kubeconfig` is the file of an administrator. Requests for any host go to `gateway`, and queries
    to `prometheus`: URLs. Images are pushed to `registry`, a host and port, and nodes pull them
    under the name `sluice.local`. `host` is the address of this machine for pods and controllers.
    In the folder `disks`, which nodes have at the same path, lie the volumes of a scene. The
    gateway knows a weight, or another endpoint, after `late` seconds at most.
    """

    kubeconfig: str
    gateway: str
    registry: str
    prometheus: str
    host: str
    disks: str
    parts: dict[str, Part]
    late: float = 1.0

    def kube(self) -> Kube:
        """Its API server, asked as an administrator."""
        return Kube(Path(self.kubeconfig))

    def stop(self, part: str) -> None:
        """End a part, as if it were away; `start` brings it back."""
        run(self.parts[part].stop)

    def start(self, part: str) -> None:
        """Bring back a part that was ended."""
        run(self.parts[part].start)


def read(file: Path) -> Cluster:
    """The cluster that a file describes. Raises UsageError where it is none, or lacks a part."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Cluster)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{file} describes no cluster: {error}",
            "Its fields stand in tests/support/cluster/description.py.",
        ) from error
    if missing := [name for name in PARTS if name not in found.parts]:
        raise UsageError(
            f"{file} does not say how {', '.join(missing)} is stopped and started.",
            "Add it to `parts`.",
        )
    return found


def write(file: Path, cluster: Cluster) -> None:
    """Describe a cluster in a file."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(cluster), indent=2))
