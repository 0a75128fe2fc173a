"""How fast the service answers, side by side with other ways to serve the same model, on this machine.

    python -m benchmarks.serving [--seconds 5] [--rounds 5] [--json FILE]

wrk on loopback, one worker each, all servers warm, one loaded at a time, in turn; medians over the rounds. Beside the
requests a second stands the processor time a request takes of the server, which a busy machine moves less.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import model
from flows.adapters import bento, server
from flows.adapters.process import run
from flows.settings import ROOT

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A server of the comparison: its address for each case, and its processes."""

    name: str
    url: str
    paths: Mapping[str, str]
    port: int


@dataclass(frozen=True)
class Case:
    """What is sent: a body, and how many connections send it."""

    name: str
    body: str
    connections: int


@dataclass(frozen=True)
class Measured:
    """One run of wrk."""

    rate: float
    p50: float
    p99: float
    processor: float  # microseconds of the server a request
    errors: int


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where an answer was an error, or a baseline is too slow to be one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        model.write(folder / "model")
        targets = list(_targets(folder, stack))
        found = _measure(targets, _cases(folder), folder, given.seconds, given.rounds)
    medians = {key: _median(runs) for key, runs in found.items()}
    print(_table(medians))
    print(_verdicts(medians))
    if given.json:
        given.json.write_text(json.dumps({" / ".join(key): vars(value) for key, value in medians.items()}, indent=1))
    return int(any(value.errors for value in medians.values()))


def _targets(folder: Path, stack: contextlib.ExitStack) -> Iterator[Target]:
    env = {"SLUICE_MODEL_DIR": str(folder / "model"), "PYTHONPATH": str(ROOT)}
    plain = {name: path.partition("?")[0] for name, path in PATHS.items()}
    built = bento.build(ROOT, folder / "model", "0123456789abcdef", folder / "bentoml", name="attrition")
    port = server.free_port()
    yield Target("sluice", stack.enter_context(bento.serve(built, folder / "bentoml", port=port)), PATHS, port)
    apps = (("fastapi + onnx", "onnx_app", PATHS), ("tutorial", "tutorial", plain), ("echo", "echo", plain))
    for name, app, paths in apps:
        port = server.free_port()
        module = f"benchmarks.serving.{app}:app"
        words = [sys.executable, "-m", "uvicorn", module, "--port", str(port), "--no-access-log"]
        running = server.running(words, port, folder / f"{app}.log", env=env, deadline=120, path="/docs")
        yield Target(name, stack.enter_context(running), paths, port)
    yield _mlflow(folder, stack, env)


PATHS = {"one": "/predict?reasons=0", "one, reasons": "/predict?reasons=1", "1,000 rows": "/predict_batch?reasons=0"}


def _mlflow(folder: Path, stack: contextlib.ExitStack, env: Mapping[str, str]) -> Target:
    import mlflow
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    place, port = folder / "mlflow", server.free_port()
    pipeline = make_pipeline(FunctionTransformer(model.prepare), model.trained()[0])
    mlflow.sklearn.save_model(pipeline, place, pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(place), "--port", str(port), "--workers", "1",
             "--env-manager", "local"]  # fmt: skip
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it starts uvicorn by name
    running = server.running(
        words, port, folder / "mlflow.log", env={**env, "PATH": search}, deadline=120, path="/ping"
    )
    return Target("mlflow", stack.enter_context(running), dict.fromkeys(PATHS, "/invocations"), port)


def _cases(folder: Path) -> list[Case]:
    records = json.loads((folder / "model" / "golden.json").read_text())["records"]
    many = (records * 20)[:1000]
    bodies = {"one": records[0], "many": many, "one.mlflow": {"dataframe_records": records[:1]},
              "many.mlflow": {"dataframe_records": many}}  # fmt: skip
    for name, body in bodies.items():
        lua = (
            f'wrk.method="POST"\nwrk.headers["content-type"]="application/json"\nwrk.body=[==[{json.dumps(body)}]==]\n'
        )
        (folder / f"{name}.lua").write_text(lua)
    return [Case("one", "one", 16), Case("one, reasons", "one", 16), Case("1,000 rows", "many", 4)]


def _measure(
    targets: list[Target], cases: list[Case], folder: Path, seconds: int, rounds: int
) -> dict[tuple[str, str], list[Measured]]:
    found: dict[tuple[str, str], list[Measured]] = {}
    for turn in range(rounds + 1):  # the first warms up
        for case in cases:
            for target in targets:
                if case.name == "one, reasons" and target.name not in ("sluice", "fastapi + onnx"):
                    continue
                measured = _wrk(target, case, folder, seconds if turn else 2)
                if turn:
                    found.setdefault((case.name, target.name), []).append(measured)
        print(f"round {turn} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return found


def _wrk(target: Target, case: Case, folder: Path, seconds: int) -> Measured:
    script = folder / f"{case.body}{'.mlflow' if target.name == 'mlflow' else ''}.lua"
    before = _processor(target.port)
    words = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", script]
    said = run([*words, f"{target.url}{target.paths[case.name]}"]).stdout
    used = _processor(target.port) - before
    count = int(re.findall(r"(\d+) requests in", said)[0])
    errors = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", said))
    return Measured(
        rate=float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),
        p50=_milliseconds(re.findall(r"(?m)^ +50% +(\S+)", said)[0]),
        p99=_milliseconds(re.findall(r"(?m)^ +99% +(\S+)", said)[0]),
        processor=used * 1e6 / max(count, 1),
        errors=errors,
    )


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if not found:  # nothing was answered in time
        return float("nan")
    number, unit = found.groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]


def _processor(port: int) -> float:
    """Processor seconds of the processes that listen on a port."""
    shown = run(["ss", "-ltnp", f"sport = :{port}"]).stdout
    total = 0
    for pid in set(re.findall(r"pid=(\d+)", shown)):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def _median(runs: list[Measured]) -> Measured:
    values = {name: statistics.median(getattr(run, name) for run in runs) for name in Measured.__dataclass_fields__}
    return Measured(**{**values, "errors": sum(run.errors for run in runs)})  # type: ignore[arg-type]


def _table(medians: Mapping[tuple[str, str], Measured]) -> str:
    lines = [f"{'case':14}{'server':18}{'req/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'CPU us':>10}{'errors':>8}"]
    for (case, name), m in medians.items():
        lines.append(f"{case:14}{name:18}{m.rate:10.1f}{m.p50:10.2f}{m.p99:10.2f}{m.processor:10.0f}{m.errors:8d}")
    return "\n".join(lines)


def _verdicts(medians: Mapping[tuple[str, str], Measured]) -> str:
    rate = {key: m.rate for key, m in medians.items()}
    ours = medians["one", "sluice"]
    checks: list[tuple[str, Any, bool]] = [
        ("one: times the tutorial", x := rate["one", "sluice"] / rate["one", "tutorial"], x >= 30),
        ("one: times FastAPI + ONNX", x := rate["one", "sluice"] / rate["one", "fastapi + onnx"], x >= 0.95),
        ("one, reasons: times FastAPI + ONNX",
         x := rate["one, reasons", "sluice"] / rate["one, reasons", "fastapi + onnx"], x >= 0.95),
        ("one: p99 under 80 ms", ours.p99, ours.p99 < 80),
        ("one: p99 over p50 (aim: under 3)", x := ours.p99 / ours.p50, x < 3),
        ("1,000 rows: times the tutorial", x := rate["1,000 rows", "sluice"] / rate["1,000 rows", "tutorial"], x >= 8),
        ("FastAPI + ONNX is no strawman (3,000 req/s)", x := rate["one", "fastapi + onnx"], x >= 3000),
    ]  # fmt: skip
    return "\n".join(f"{'yes' if good else 'NO ':4}{text}: {value:.2f}" for text, value, good in checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
