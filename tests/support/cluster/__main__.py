"""`make cluster` and `make cluster-down`: python -m support.cluster up, or down.

With `stop NAME` a part of it is away, as in an outage, until `start NAME`.
"""

import sys
import time
from pathlib import Path

from support.cluster import services, whole
from support.cluster.description import Cluster
from support.cluster.programs import Programs, ensure

from flows.adapters.image import golang
from sluice.errors import SluiceError, UsageError

FOLDER = Path(__file__).parents[3] / ".sluice" / "cluster"


def main(words: list[str]) -> int:
    """`up`, `down`, `stop NAME` or `start NAME`; the exit code."""
    try:
        with golang.alone(FOLDER):
            return _done(words)
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except SluiceError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _done(words: list[str]) -> int:
    match words:
        case ["up"]:
            return _up()
        case ["down"]:
            return _down()
        case ["stop", name]:
            services.stop(FOLDER, name)
        case ["start", name]:
            services.again(FOLDER, name)
        case _:
            raise UsageError("up, down, stop NAME or start NAME is required")
    return 0


def _say(text: str) -> None:
    print(f"cluster: {text}", flush=True)


def _up() -> int:
    """Bring it up, unless it is; what is left of one that broke is taken down first."""
    began = time.monotonic()
    if there := whole.found(FOLDER):
        _say("up already. To look at it:")
        _show(ensure(_say), there)
        return 0
    whole.down(FOLDER)
    whole.require_possible()
    programs = ensure(_say)
    cluster = whole.up(programs, FOLDER, _say)
    _say(f"up after {time.monotonic() - began:.0f} seconds. To look at it:")
    _show(programs, cluster)
    return 0


def _show(programs: Programs, cluster: Cluster) -> None:
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
