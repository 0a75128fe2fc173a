"""Honest models and weak ones where few rows are positives: what the gate calls them.

    python -m benchmarks.prevalence            1,000 draws a line: about half an hour on one core
    python -m benchmarks.prevalence --quick    100 draws a line: its figures say little

The world is that of `benchmarks.honest`: calibrated scores, a threshold chosen on a fifth of the
rows, the real gate on another fifth. Its policy is the shipped one with floors and ceilings in
units that travel: lift, Brier skill, and calibration error over prevalence. An honest model truly
has a recall 3.5 points above its floor at the lift that the threshold is chosen for; a weak one
lies ten points below, which is seen from 100 positives in the holdout on. Beside each line stands
what the floors of the shipped policy say of the same models. Exit code 1: a target is missed.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace

from benchmarks.honest import ROOT, Draw, Source, judged, source
from sluice.policy import Policy, load_policy

SLACK = 0.04
SEEN = 100  # positives of the holdout from which ten points of recall are seen
SIZES = (1_500, 5_000, 20_000)


@dataclass(frozen=True)
class Place:
    """A prevalence, and the floors that a policy might state there."""

    prevalence: float
    recall: float
    lift: float
    skill: float

    def policy(self, shipped: Policy) -> Policy:
        """The shipped policy with these floors in the place of its own."""
        gate = replace(
            shipped.gate,
            recall_floor=self.recall,
            precision_floor=0.0,
            calibration_ceiling=0.0,
            lift_floor=self.lift,
            brier_skill_floor=self.skill,
            calibration_share_ceiling=0.15,
        )
        point = replace(shipped.operating_point, precision_slack=0.0, slack_share=SLACK)
        return replace(shipped, gate=gate, operating_point=point)

    def source(self, recall: float) -> Source:
        """Rows on which a perfect model has this recall at the lift that a threshold aims at."""
        return source(recall, self.prevalence, self.prevalence * self.lift * (1 + SLACK))


PLACES = (
    Place(0.02, 0.50, 10.0, 0.10),
    Place(0.10, 0.60, 4.0, 0.15),
    Place(0.50, 0.72, 1.4, 0.15),
)


def reached(draws: list[Draw], word: str) -> float:
    """The share of the draws that the gate gave this word."""
    return sum(draw.word == word for draw in draws) / len(draws)


def line(place: Place, name: str, rows: int, draws: list[Draw], plain: list[Draw]) -> str:
    """The shares of each verdict, and what broke."""
    causes = Counter(rule for draw in draws for rule in draw.broken)
    told = ", ".join(f"{rule} {count / len(draws):.1%}" for rule, count in sorted(causes.items()))
    words = ("PROMOTE", "INSUFFICIENT", "REJECT", "NO THRESHOLD")
    now = "  ".join(f"{word} {reached(draws, word):>6.1%}" for word in words)
    refused = reached(plain, "REJECT") + reached(plain, "NO THRESHOLD")
    shipped = f"(shipped floors: {refused:.1%} refused)"
    return f"{place.prevalence:>5.0%}  {name:<7} {rows:>7,}  {now}  {shipped}  {told}"


def main(arguments: list[str] | None = None) -> int:
    """Draw, judge, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prevalence", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--quick", action="store_true", help="100 draws a line")
    parser.add_argument("--draws", type=int, default=1_000)
    chosen = parser.parse_args(arguments)
    count = 100 if chosen.quick else chosen.draws
    text = (ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8")
    shipped, missed = load_policy(text), 0
    for place in PLACES:
        policy = place.policy(shipped)
        plan = [("honest", rows, place.recall + 0.035) for rows in SIZES]
        plan.append(("weak", 5_000, place.recall - 0.1))
        for name, rows, recall in plan:
            of = place.source(recall)
            draws = [judged(rows, of, policy, seed, known=False) for seed in range(count)]
            plain = [judged(rows, of, shipped, seed, known=False) for seed in range(count)]
            print(line(place, name, rows, draws, plain), flush=True)
            if name == "honest":
                missed += reached(draws, "REJECT") > 0.05
            elif place.prevalence * rows / 5 >= SEEN:
                missed += reached(draws, "REJECT") + reached(draws, "NO THRESHOLD") < 0.9
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
