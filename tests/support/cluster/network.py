"""The network of the pods: a bridge on this machine, and for each pod a namespace with an address
on it. The API server refuses loopback for endpoints, and nothing routes from here to anywhere.
"""

import contextlib
import os
from pathlib import Path

from flows.adapters.process import CommandFailed, run
from sluice.errors import UsageError

BRIDGE = "sluice0"
NAMESPACES = "sluice-"  # how the names of ours begin
HOST = "10.244.77.1"  # this machine, as the pods see it
# Services by whose names controllers and pods ask; each of them listens on this machine.
NAMES = ("prometheus.monitoring.svc", "sluice-judge.sluice.svc")
_NET = "10.244.77"
_MASK = "/24"


def require_possible() -> None:
    """Raises UsageError where there is a bridge already, or this user may not make one."""
    if os.geteuid():
        raise UsageError(
            "the test cluster is started by a user without root; root is required, for network"
            " namespaces and a bridge",
            "Run it as root, in a container or a machine of its own.",
        )
    if bridge_exists():
        raise UsageError(
            f"the network bridge {BRIDGE} exists; one test cluster at a time is possible",
            "Stop the other one with `make cluster-down` in its checkout, or remove what is left of"
            f" it with `ip link del {BRIDGE}`.",
        )


def make_bridge() -> None:
    """Make it, with an address for this machine."""
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "addr", "add", f"{HOST}{_MASK}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def bridge_exists() -> bool:
    """Whether a cluster is up, or something is left of one."""
    return Path("/sys/class/net", BRIDGE).exists()


def remove() -> None:
    """Take away the bridge and all namespaces on it; none is no error."""
    for name in namespaces():
        leave(name)
    with contextlib.suppress(CommandFailed):
        run(["ip", "link", "del", BRIDGE])


def namespaces() -> list[str]:
    """The names of ours."""
    names = [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line]
    return [name for name in names if name.startswith(NAMESPACES)]


def join(name: str, number: int) -> str:
    """Make a namespace with an address of its own, by a number from 2 to 254; its address."""
    address = f"{_NET}.{number}"
    outer = f"slv{number}"
    leave(name)
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name])
    run(["ip", "link", "set", outer, "master", BRIDGE, "up"])
    inside = ["ip", "-n", name]
    run([*inside, "addr", "add", f"{address}{_MASK}", "dev", "eth0"])
    run([*inside, "link", "set", "eth0", "up"])
    run([*inside, "link", "set", "lo", "up"])
    return address


def leave(name: str) -> None:
    """Take a namespace and its link away; none is no error."""
    with contextlib.suppress(CommandFailed):
        run(["ip", "netns", "del", name])
