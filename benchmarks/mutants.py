"""How many faults planted in gate, statistics, ledger, seals and signatures the tests find: at
least nine in ten, or exit code 1.

    python -m benchmarks.mutants                            all of it: some hours on two cores
    python -m benchmarks.mutants 'flows.decision.seals*'    those of one module
    python -m benchmarks.mutants --count                    the figures of the last run

A fault in a function that no test calls is not found.

What is changed, and which tests look for it, stands in pyproject.toml under [tool.mutmut].
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
KILLED = ("killed", "timeout", "segfault")
LEAST = 0.9


def main(arguments: list[str]) -> int:
    """Run mutmut, count what was killed by module."""
    if "--count" not in arguments:
        subprocess.run([sys.executable, "-m", "mutmut", "run", *arguments], cwd=ROOT, check=False)
    from mutmut.stats import status_by_exit_code

    killed: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for path in sorted((ROOT / "mutants").rglob("*.py.meta")):
        name = path.relative_to(ROOT / "mutants").as_posix().removesuffix(".meta")
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        looked = [code for code in codes if code is not None]
        whole[name] += len(looked)
        killed[name] += sum(status_by_exit_code[code] in KILLED for code in looked)
    for name, count in whole.items():
        print(f"{name:<28} {killed[name]:>5} of {count:>5}  {killed[name] / max(count, 1):.1%}")
    share = sum(killed.values()) / max(sum(whole.values()), 1)
    print(
        f"{sum(killed.values())} of {sum(whole.values())} mutants killed: {share:.1%}, at least"
        f" {LEAST:.0%} wanted"
    )
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
