"""A release of the fleet of the shops in a process of its own: `python -m support.large_fleet`.

Its settings are its environment. It prints how the release ended and the most memory that it held.
"""

import json
from pathlib import Path

from support import fleets


def main() -> None:
    """Release, and print it as JSON."""
    outcome = fleets.release()
    print(
        json.dumps(
            {
                "outcome": outcome.outcome,
                "sentence": outcome.sentence,
                "release": outcome.release,
                "tag": outcome.tag,
                "peak_mib": peak_mib(),
            }
        )
    )


def peak_mib() -> float:
    """The most memory that this process held. `getrusage` would tell that of whoever started it,
    where that was more: it is handed on.
    """
    [line] = [
        line
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM:")
    ]
    return float(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
