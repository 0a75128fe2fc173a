"""What a fleet is measured to do: `PYTHONPATH=tests:. python -m benchmarks.fleet
[equal|better|speed|whole|served]`.

`equal` and `better` say how often what is no better is promoted, and what is; `speed` how long
teaching and judging take; `whole` a release of 1,000 models with all that belongs to it; `served`
how fast a fleet answers by key, beside a single model.
"""

import sys

from benchmarks.fleet import by_key, judging, whole

_TRIALS = {
    "equal": lambda: judging.equal(200, 40),
    "better": lambda: judging.better(60, 400),
    "speed": lambda: judging.speed(100, 500),
    "whole": lambda: whole.measure(1000),
    "served": lambda: by_key.measure(models=1000, rounds=7, seconds=2.0),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(_TRIALS):
        _TRIALS[name]()
