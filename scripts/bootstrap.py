"""Set-up: whether this Python will do, then `scripts/environment.py`.

Any Python reads this file, from 2.7 on: one that is too old is told so, and does not fail at words
that it does not know.
"""

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def refusal(version):
    # type: (tuple[int, ...]) -> str
    """What a person is told of a Python of this version; empty where it will do."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    have = ".".join(str(number) for number in version[:3])
    what = "Python is " + have + "; 3.11 to 3.13 is required."
    return what + "\n  Install one of them, then: make PYTHON=python3.11 setup"


if __name__ == "__main__":
    refused = refusal(sys.version_info[:3])
    if refused:
        sys.stderr.write("Error: " + refused + "\n")
        sys.exit(1)
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    from scripts.environment import main

    sys.exit(main(sys.argv[1:]))
