"""wrk: requests over loopback from one thread, and what came of them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters.process import run

# Every connection takes the next moment of one timetable; what is more than a second late is not
# made up for.
_PACED = """
local ffi = require("ffi")
ffi.cdef[[typedef struct { long s; long ns; } moment; int clock_gettime(int, moment *);]]
local moment, due = ffi.new("moment"), nil
function delay()
  ffi.C.clock_gettime(1, moment)
  local now = tonumber(moment.s) * 1000 + tonumber(moment.ns) / 1e6
  due = math.max(due or now, now - 1000) + 1000 / RATE
  return math.max(0, due - now)
end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Seen:
    """One run: requests answered, a second, milliseconds, and how many were no answer or not a good
    one.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    longest: float
    errors: int


def write(script: Path, body: Any, rate: float = 0) -> Path:
    """A script that posts this body, as often as it is answered, or `rate` times a second over all
    connections.
    """
    lines = [
        'wrk.method="POST"',
        'wrk.headers["content-type"]="application/json"',
        f"wrk.body=[==[{json.dumps(body)}]==]",
    ]
    lines += [_PACED.replace("RATE", f"{rate:.1f}")] if rate else []
    script.write_text("\n".join(lines) + "\n")
    return script


def load(url: str, script: Path, connections: int, seconds: float) -> Seen:
    """Post to `url` for so long over so many connections."""
    words: list[str | Path] = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--timeout",
        "30s",
        "--latency",
        "-s",
        script,
        url,
    ]
    return read(run(words, timeout=seconds + 120).stdout)


def read(said: str) -> Seen:
    """What wrk printed."""
    counts = re.findall(
        r"Non-2xx or 3xx responses: (\d+)|(?:connect|read|write|timeout) (\d+)", said
    )
    return Seen(
        requests=int(re.findall(r"(\d+) requests in", said)[0]),
        rate=float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),
        p50=milliseconds(re.findall(r"(?m)^ +50% +(\S+)", said)[0]),
        p99=milliseconds(re.findall(r"(?m)^ +99% +(\S+)", said)[0]),
        longest=milliseconds(re.findall(r"Latency +\S+ +\S+ +(\S+)", said)[0]),
        errors=sum(int(number) for pair in counts for number in pair if number),
    )


def milliseconds(text: str) -> float:
    """`1.25ms` as 1.25; not a number where nothing was answered in time."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")
