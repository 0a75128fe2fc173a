"""Each model beside the one of the README, in the clone of the demo: a release of its generated
rows, the service that answers, and a prediction from a file.
"""

import json
import re
from pathlib import Path

import pytest
from support.clones import Clone, Demo, done, run, serving

from flows.adapters.server import free_port
from flows.project.models import model_folder, models
from flows.project.root import ROOT
from sluice.served.contract import load_contract

README = "attrition"


def record(model: str) -> dict[str, object]:
    """The one that the contract shows as an example."""
    contract = load_contract((model_folder(model, ROOT) / "contract.toml").read_text("utf-8"))
    return {column.key: column.example for column in contract.features}


def measured(model: str) -> str:
    """What the verdict is about; of several classes the mean over them."""
    contract = load_contract((model_folder(model, ROOT) / "contract.toml").read_text("utf-8"))
    classes = contract.target.classes
    return f"mean recall over {len(classes)} classes" if classes else "recall"


def asked(place: Clone, url: str, body: str) -> dict[str, object]:
    """What the service answers."""
    words = ["curl", "-s", f"{url}/predict", "-H", "content-type: application/json", "-d", body]
    answer: dict[str, object] = json.loads(done(place, words).stdout)
    return answer


@pytest.mark.parametrize("model", [model for model in models(ROOT) if model != README])
def test_it_is_released_served_and_asked(
    model: str, demo: Demo, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, home = demo.clone, str(scratch / f"home of {model}")
    given = {"SLUICE_HOME": home, "SLUICE_MODEL": ""}
    ended = done(place, f"make demo MODEL={model}", **given)
    assert ended.last == f"Promoted: release 1 of {model} is committed, Argo CD can sync it."
    assert ended.shown("Verdict").startswith(f"PROMOTE: {measured(model)} ")
    assert "Warning" not in ended.stderr
    body = json.dumps(record(model))
    file = scratch / f"{model}.jsonl"
    file.write_text(body + "\n")
    predict = [".venv/bin/sluice", "predict", model, "--file", file, "--json"]
    predicted = done(place, predict, **given)
    [answer] = json.loads(predicted.stdout)["answers"]
    port = free_port()
    command = f".venv/bin/sluice serve {model} --port {port}"
    with serving(place, command, port, "/readyz", **given) as url:
        served = asked(place, url, body)
    assert served["probability"] == pytest.approx(answer["probability"], abs=1e-6)
    assert served["prediction"] == answer["prediction"]
    assert str(served["model"]).startswith(f"{model}:")
    status = done(place, ".venv/bin/sluice status", **given | {"SLUICE_MODEL": model})
    assert status.last.startswith(f"Live: release 1 of {model}, since ")
    tried = done(place, f".venv/bin/sluice drill gate --model {model}", **given)
    [caught] = re.findall(r"^(\d+) of \1 faults caught in ", tried.last)
    assert int(caught) > 100
    with capsys.disabled():
        print(f"\nmake demo MODEL={model}: {ended.seconds:.0f} s ({ended.computing:.0f} computing)")


@pytest.mark.parametrize("command", ["make demo", "make serve"])
def test_where_none_is_named_make_says_what_to_type_before_it_sets_anything_up(
    command: str, demo: Demo
) -> None:
    ended = run(demo.clone, command, SLUICE_MODEL="")
    assert ended.code == 2
    known = models(ROOT)
    assert f"{len(known)} models are there and none is named: {' '.join(known)}." in ended.stderr
    assert f"Type {command} MODEL={known[0]}" in ended.stderr
    assert ended.seconds < 5
