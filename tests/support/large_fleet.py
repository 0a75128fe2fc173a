"""A release of the fleet of the shops in a process of its own: `python -m support.large_fleet`.

Its settings are its environment. It prints how the release ended and the most memory that it held.
"""

import json
import resource

from support import fleets


def main() -> None:
    """Release, and print it as JSON."""
    outcome = fleets.release()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "outcome": outcome.outcome,
                "sentence": outcome.sentence,
                "release": outcome.release,
                "tag": outcome.tag,
                "peak_mib": used.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
