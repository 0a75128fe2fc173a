"""`make cluster` and `make cluster-down`: python -m support.cluster up, or down."""

import sys
import time
from pathlib import Path

from support.cluster import whole
from support.cluster.programs import Programs, ensure

from flows.adapters.image import golang
from sluice.errors import SluiceError, UsageError

FOLDER = Path(__file__).parents[3] / ".sluice" / "cluster"


def main(words: list[str]) -> int:
    """`up` or `down`; the exit code."""
    if words not in (["up"], ["down"]):
        print("Error: say up or down.", file=sys.stderr)
        return 2
    try:
        with golang.alone(FOLDER):
            return _up() if words == ["up"] else _down()
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except SluiceError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _say(text: str) -> None:
    print(f"cluster: {text}", flush=True)


def _up() -> int:
    began = time.monotonic()
    programs = ensure(_say)
    there = whole.found(FOLDER)
    cluster = there or whole.up(programs, FOLDER, _say)
    since = "already" if there else f"after {time.monotonic() - began:.0f} seconds"
    _say(f"up {since}. To look at it:")
    _show(programs, cluster)
    return 0


def _show(programs: Programs, cluster: whole.Cluster) -> None:
    print(f"  export KUBECONFIG={cluster.kubeconfig}")
    print(f"  {programs.program('kubectl')} get nodes")
    print(f"The gateway is {cluster.gateway}, the registry {cluster.registry},")
    print(f"the logs are in {FOLDER / 'logs'}.")
    print("To stop it: make cluster-down")


def _down() -> int:
    was = FOLDER.exists()
    whole.down(FOLDER)
    _say("stopped; nothing of it is left." if was else "none is up here.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
