"""What a run of the comparison says: its table, what was promised and is so, and whether the run
counts at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BUSY = 0.1  # of all processors, by other programs, before a round
SPREAD = 0.25  # of the baseline's rate, from the slowest round to the fastest
STRAWMAN = 3000  # requests a second; a FastAPI with ONNX that does less is none


@dataclass(frozen=True)
class Measured:
    """One server with one case: medians over the rounds; `processor` is microseconds of the server
    a request.
    """

    rate: float
    p50: float
    p99: float
    processor: float
    errors: int
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class Check:
    """Something promised (or aimed at): the value, its bound, and whether it is met."""

    name: str
    value: float
    bound: str
    met: bool
    aim: bool = False


Found = Mapping[tuple[str, str], Measured]


def checks(found: Found, ready: float, memory: float) -> list[Check]:
    """What was promised, measured."""
    rate = {key: measured.rate for key, measured in found.items()}
    ours, onnx = found["one", "sluice"], "fastapi + onnx"
    tutorial = rate["one", "sluice"] / rate["one", "tutorial"]
    even = rate["one", "sluice"] / rate["one", onnx]
    reasons = rate["one, reasons", "sluice"] / rate["one, reasons", onnx]
    rows = rate["1,000 rows", "sluice"] / rate["1,000 rows", "tutorial"]
    return [
        Check("one record: times the tutorial", tutorial, "at least 30", tutorial >= 30),
        Check("one record: times FastAPI + ONNX", even, "at least 0.95", even >= 0.95),
        Check(
            "one record with reasons: times FastAPI + ONNX",
            reasons,
            "at least 0.95",
            reasons >= 0.95,
        ),
        Check("1,000 rows: times the tutorial", rows, "at least 8", rows >= 8),
        Check("one record: p99, ms", ours.p99, "under 80", ours.p99 < 80),
        Check(
            "one record: p99 over p50",
            ours.p99 / ours.p50,
            "under 3",
            ours.p99 < 3 * ours.p50,
            aim=True,
        ),
        Check("ready after, s", ready, "under 3", ready < 3),
        Check("memory after 200,000 requests, MiB", memory, "under 300", memory < 300),
    ]


def doubts(found: Found, busy: float) -> list[str]:
    """Why the run does not count; nothing where it does."""
    baseline = found["one", "fastapi + onnx"]
    spread = (max(baseline.rates) - min(baseline.rates)) / baseline.rate
    errors = sum(measured.errors for measured in found.values())
    said = {
        f"FastAPI + ONNX answers {baseline.rate:,.0f} requests/s, a strawman under {STRAWMAN:,}": (
            baseline.rate < STRAWMAN
        ),
        f"other programs took {busy:.0%} of the processors, more than {BUSY:.0%}": busy > BUSY,
        f"the rounds of FastAPI + ONNX differ by {spread:.0%}, more than {SPREAD:.0%}": (
            spread > SPREAD
        ),
        f"{errors} answers were errors": errors > 0,
    }
    return [why for why, wrong in said.items() if wrong]


def table(found: Found, checked: list[Check]) -> str:
    """Both as Markdown, ready for benchmarks/README.md."""
    lines = [
        "| case | server | requests a second | p50 | p99 | processor a request |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {case} | {name} | {m.rate:,.1f} | {m.p50:.2f} ms | {m.p99:.2f} ms | {m.processor:,.0f}"
        " µs |"
        for (case, name), m in found.items()
    ]
    lines += ["", "| | measured | bound | |", "|---|---|---|---|"]
    words = {
        (True, True): "met",
        (True, False): "met",
        (False, True): "an aim, missed",
        (False, False): "**missed**",
    }
    lines += [f"| {c.name} | {c.value:,.2f} | {c.bound} | {words[c.met, c.aim]} |" for c in checked]
    return "\n".join(lines)


def last_line(checked: list[Check], why: list[str]) -> str:
    """The verdict on the run, in one line."""
    missed = [check.name for check in checked if not check.met and not check.aim]
    if why:
        return f"INVALID, measure again on a quiet machine: {'; '.join(why)}"
    return f"VALID, and missed: {'; '.join(missed)}" if missed else "VALID, every bound is met"
