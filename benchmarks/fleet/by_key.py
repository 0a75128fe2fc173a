"""How fast a fleet answers by key, beside a single model: two real servers of one
worker each, loaded by wrk in turn.
"""

import contextlib
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from support import fleets, model_artifacts  # type: ignore[import-not-found]  # below tests/

from benchmarks.serving import targets, wrk
from flows.adapters import server
from flows.adapters.image import bento
from flows.adapters.image.image_tools import REAL
from flows.project.root import ROOT
from sluice.fleet.graph import Weights, graph_of
from sluice.model.artifact import model_artifact
from sluice.model.artifact.reference import histogram
from sluice.model.data.table import read_table, typed
from sluice.model.fit.coding import coding_of
from sluice.model.fit.conversion import convert
from sluice.model.fit.training import fit
from sluice.served.contract import KEY, load_contract
from sluice.served.encoding import encode, feature_names, numeric_features

LEAST = 0.9  # of what the single model answers
_TAG = "0123456789abcdef"
_ROWS = 4000
_PARAMETERS = {"bins": 24, "inverse_penalty": 0.1}
_CASES = {"one": ("/predict?reasons=0", 16), "1,000 rows": ("/predict_batch?reasons=0", 4)}


def single(folder: Path) -> list[dict[str, Any]]:
    """Write the artifact of a single model of the columns of a shop; records that it answers."""
    document = fleets.contract(["S0000"])
    document["columns"][fleets.COLUMN] = {"role": "ignored"}
    return _write(folder, document, 1, _fitted)


def fleet(folder: Path, models: int) -> list[dict[str, Any]]:
    """Write the artifact of a fleet of so many models; records of all of its keys."""
    keys = [f"S{at:04d}" for at in range(models)]
    document = fleets.contract(keys)
    document["columns"][fleets.COLUMN]["encoding"] = KEY  # as `contract_of` writes it
    return _write(folder, document, models, _drawn)


def _fitted(contract: Any, columns: dict[str, np.ndarray], models: int) -> bytes:
    del models
    features, labels = encode(contract, columns), columns[contract.target.column]
    numeric, coding = numeric_features(contract), coding_of(contract)
    estimator = fit("logistic_regression", _PARAMETERS, features, labels, numeric, coding)
    return convert(estimator, features.shape[1])


def _drawn(contract: Any, columns: dict[str, np.ndarray], models: int) -> bytes:
    """Weights by chance: what they are moves no time."""
    del columns
    names = feature_names(contract)
    chance = np.random.default_rng(1)
    weights = Weights(chance.normal(size=(models, len(names))), chance.normal(size=models))
    key = next(one.key for one in contract.features if one.name == fleets.COLUMN)
    return graph_of(weights, names.index(key), missing=True)


def _write(
    folder: Path, document: dict[str, Any], models: int, model_of: Any
) -> list[dict[str, Any]]:
    text = tomli_w.dumps(document)
    contract = load_contract(text)
    rows = {f"S{at:04d}": max(1, _ROWS // models) for at in range(models)}
    columns = typed(read_table(fleets.table(rows), contract, "orders"), contract)
    folder.mkdir(parents=True)
    parts = model_artifact.Parts(
        model=model_of(contract, columns, models),
        contract=text,
        policy=(ROOT / "models" / "attrition" / "policy.toml").read_text(encoding="utf-8"),
        threshold=0.5,
        reference=histogram(contract, columns),
        metrics=model_artifacts.trained_metrics(),
        card="# Of the comparison\n",
    )
    model_artifact.write(folder, parts)
    record = {f"F{at}": 0.3 for at in range(fleets.FEATURES)} | {"Way": "van"}
    if models == 1:
        return [record]
    return [{fleets.COLUMN: key, **record} for key in rows]


def measure(models: int, rounds: int, seconds: float) -> None:
    """Print what both answer a second, medians over the rounds, and the fleet's share of it."""
    with tempfile.TemporaryDirectory(prefix="by-key-") as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        records = {
            "single": single(folder / "single"),
            "fleet": fleet(folder / "fleet", models),
        }
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        ports = {name: server.free_port() for name in records}
        for name, port in ports.items():
            home = folder / f"bentoml-{name}"
            built = bento.build(ROOT, folder / name, _TAG, home, name=fleets.NAME, tools=REAL)
            stack.enter_context(bento.serve(built, home, port=port))
        for turn in range(rounds + 1):  # the first warms up
            for case, (path, connections) in _CASES.items():
                for name, port in ports.items():
                    given = records[name]
                    body = given[0] if case == "one" else (given * 1000)[:1000]
                    script = wrk.write(folder / f"{name}.lua", body)
                    before = targets.processor(port)
                    url = f"http://127.0.0.1:{port}{path}"
                    seen = wrk.load(url, script, connections, seconds if turn else 1.0)
                    if seen.errors:
                        raise SystemExit(f"{name}: {seen.errors} requests had no good answer")
                    used = (targets.processor(port) - before) / max(seen.requests, 1)
                    if turn:
                        found.setdefault((case, name), []).append((seen.rate, used))
    for case in _CASES:
        tell(case, found[case, "single"], found[case, "fleet"], models)


def tell(
    case: str, alone: list[tuple[float, float]], keyed: list[tuple[float, float]], models: int
) -> None:
    """Print medians of requests a second and of processor seconds a request, given by round: what
    a busy machine moves little is the processor time.
    """
    (rate, work), (fleet_rate, fleet_work) = (
        tuple(statistics.median(values) for values in zip(*runs, strict=True))
        for runs in (alone, keyed)
    )
    print(
        f"{case}: {fleet_rate:,.1f} requests a second by key among {models:,} models, {rate:,.1f}"
        f" of a single model. By processor time ({1e6 * fleet_work:,.0f} and {1e6 * work:,.0f} µs a"
        f" request) {work / fleet_work:.2f} of the throughput, at least {LEAST} is required"
    )
