"""`sluice predict`: asked question by question, on a terminal and by a pipe, and over files of
every kind.
"""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.model_artifacts import PROJECT, small_artifact

from bento.answers import answer_all, load_served
from flows.cli import main as cli
from flows.views.serving.predictions import line
from sluice.served.contract import load_contract

Run = Callable[..., tuple[int, str, str]]
CONTRACT = load_contract(
    (PROJECT / "models" / "attrition" / "contract.toml").read_text(encoding="utf-8")
)
GOOD = {column.key: column.example for column in CONTRACT.features}
ENTERS = "\n" * len(CONTRACT.features)
TAG = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of a command that names none."""
    monkeypatch.setenv("SLUICE_MODEL", "attrition")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that holds a Bento's artifact, and nothing else."""
    home = tmp_path_factory.mktemp("home")
    bentos = home / "bentoml" / "bentos" / "attrition"
    small_artifact(bentos / TAG / "src" / "model")
    (bentos / "latest").write_text(TAG)
    return home


@pytest.fixture
def artifact(home: Path) -> Path:
    return home / "bentoml" / "bentos" / "attrition" / TAG / "src" / "model"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`sluice predict` with these words and this standard input: exit code, output, errors."""

    def command(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setenv("SLUICE_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["sluice", "predict", *words])
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")
        )
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, errors = capsys.readouterr()
        return int(end.value.code or 0), out, errors

    return command


def people(*changed: dict[str, Any]) -> pd.DataFrame:
    """A table with published names, protected columns and the target; one row for each change."""
    rows = [
        GOOD | {"employee_id": n, "gender": "Male", "attrition": "Left"} | c
        for n, c in enumerate(changed, 1)
    ]
    names = {column.key: column.name for column in CONTRACT.columns}
    return pd.DataFrame(rows).rename(columns=names)


ROWS = ({}, {"age": 60, "monthly_income": 48_000}, {"distance_from_home": None, "overtime": "Yes"})


def written(path: Path, kind: str, frame: pd.DataFrame) -> Path:
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    elif kind == "keys":
        frame.rename(columns={c.name: c.key for c in CONTRACT.columns}).to_json(
            path, orient="records", lines=True
        )
    else:
        frame.to_csv(path, index=False, sep=";" if kind == "semicolons" else ",")
    return path


def scored(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_line_is_prediction_label_tier_and_probability() -> None:
    answer = {"prediction": 0, "label": "Stay", "tier": "very low", "probability": 0.14708}
    assert line(answer) == "prediction 0, Stay, Risk: Very Low (0.1471)"


def test_enter_takes_what_is_shown(run: Run, artifact: Path) -> None:
    code, out, errors = run(typed=ENTERS)
    [wanted], _ = answer_all(load_served(artifact, "x", ""), [GOOD], "x", True)
    assert code == 0
    assert out.splitlines()[-1] == line(wanted)
    assert "Advice: a person decides." in out
    assert "Age: a whole number from 18 to 65 years [38]" in errors
    assert "Job Level [Mid]\n  1 Entry\n  2 Mid\n  3 Senior" in errors
    assert "or ? if not known [50]" in errors


def test_a_mistake_is_said_and_asked_again(run: Run) -> None:
    code, out, errors = run("--json", typed="17\nabc\n18\n" + ENTERS)
    assert code == 0
    assert errors.count("Age must be a whole number from 18 to 65 years. Once more:") == 2
    assert set(json.loads(out)) >= {
        "prediction",
        "label",
        "probability",
        "tier",
        "threshold",
        "reasons",
        "model",
    }


def test_an_input_that_ends_is_a_usage_error(run: Run) -> None:
    code, out, errors = run(typed="40\n")
    assert (code, out) == (2, "")
    assert "the input ended before Years at Company was answered" in errors


@pytest.mark.parametrize(
    ("keys", "code"), [(["\r"] * len(CONTRACT.features), 0), (["40\r", "\x03"], 130)]
)
def test_a_real_terminal_is_asked_and_control_c_ends_it(
    keys: list[str], code: int, home: Path
) -> None:
    """The command in a pseudo-terminal, each key pressed once its question is there; the answer is
    standard output.
    """
    keyboard, terminal = pty.openpty()
    words = [sys.executable, "-c", "from flows.cli.main import main; main()", "predict", "--json"]
    given = {"SLUICE_HOME": str(home), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    streams = {"stdin": terminal, "stdout": subprocess.PIPE, "stderr": terminal}
    asked = subprocess.Popen(words, cwd=PROJECT, env=os.environ | given, **streams)
    os.close(terminal)
    presser = threading.Thread(target=_press, args=(keyboard, keys), daemon=True)
    presser.start()
    out, _ = asked.communicate(timeout=60)
    presser.join(10)
    os.close(keyboard)
    assert asked.returncode == code
    said = json.loads(out)  # with --json an error is JSON too
    assert said["exit_code"] == code if code else said["tier"]


def _press(terminal: int, keys: list[str]) -> None:
    """Answer each question of the contract as it is shown."""
    seen, waiting = "", list(zip((column.name for column in CONTRACT.features), keys, strict=False))
    try:
        while True:
            seen += os.read(terminal, 4096).decode(errors="replace")
            if waiting and f"{waiting[0][0]} " in seen:
                seen = ""
                os.write(terminal, waiting.pop(0)[1].encode())
    except OSError:  # how a pseudo-terminal says that the other end is closed
        return


@pytest.mark.parametrize("kind", ["csv", "semicolons", "parquet", "jsonl", "keys"])
def test_every_kind_of_file_gives_the_same_scores(
    kind: str, run: Run, artifact: Path, tmp_path: Path
) -> None:
    path, out = written(tmp_path / f"people.{kind}", kind, people(*ROWS)), tmp_path / "risk.csv"
    code, printed, errors = run("--file", str(path), "--out", str(out))
    wanted, _ = answer_all(load_served(artifact, "x", ""), [GOOD | row for row in ROWS], "x", False)
    found = scored(out.read_text())
    assert (code, printed) == (0, "")
    assert [float(row["probability"]) for row in found] == pytest.approx(
        [a["probability"] for a in wanted], abs=1e-6
    )
    assert [row["tier"] for row in found] == [answer["tier"] for answer in wanted]
    assert [row["Employee ID"] for row in found] == ["1", "2", "3"]
    assert [row["line"] for row in found] == (
        ["2", "3", "4"] if kind in ("csv", "semicolons") else ["1", "2", "3"]
    )
    assert (
        "Not used: gender, attrition" if kind == "keys" else "Not used: Gender, Attrition"
    ) in errors


def test_texts_and_truths_of_a_parquet_file_are_read(run: Run, tmp_path: Path) -> None:
    frame = people(*ROWS).astype({"Age": "str", "Job Level": "category"})
    frame["Overtime"] = frame["Overtime"] == "Yes"
    code, out, _ = run("--file", str(written(tmp_path / "x.parquet", "parquet", frame)))
    plain = run("--file", str(written(tmp_path / "x.csv", "csv", people(*ROWS))))[1]
    assert code == 0
    assert [row["probability"] for row in scored(out)] == [
        row["probability"] for row in scored(plain)
    ]


def test_a_table_may_come_by_standard_input(run: Run) -> None:
    code, out, _ = run("--file", "-", typed=people(*ROWS).to_csv(index=False))
    assert code == 0
    assert len(scored(out)) == 3


def test_wrong_rows_are_named_and_nothing_is_scored(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "csv", people({}, {"age": 3, "job_role": "Astronaut"}))
    code, out, errors = run("--file", str(path), "--out", str(tmp_path / "out.csv"))
    assert (code, out) == (3, "")
    assert "line 3: Age is 3; allowed: a whole number from 18 to 65 years" in errors
    assert "line 3: Job Role is 'Astronaut'; allowed: one of Education" in errors
    assert "1 of 2 rows is wrong; nothing was scored" in errors
    assert not (tmp_path / "out.csv").exists()


def test_the_others_are_scored_where_that_is_asked(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "csv", people({}, {"age": 3}, {}))
    code, out, errors = run("--file", str(path), "--skip-wrong", "--json")
    found = json.loads(out)
    assert code == 0
    assert [(a["line"], a["row"]) for a in found["answers"]] == [(2, "1"), (4, "3")]
    assert found["wrong"][0]["fields"][0]["field"] == "Age"
    assert "1 of 3 rows is wrong and left out" in errors
    assert (
        run("--file", str(written(tmp_path / "y.csv", "csv", people({"age": 3}))), "--skip-wrong")[
            0
        ]
        == 3
    )


def test_a_broken_line_of_json_is_a_wrong_row(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        json.dumps(GOOD) + "\n\n{broken\n[1]\n" + json.dumps(GOOD | {"shoe_size": 43}) + "\n"
    )
    code, _, errors = run("--file", str(path))
    assert code == 3
    assert "line 3: the line is '{broken'; allowed: one JSON object" in errors
    assert "line 4: the line is [1]" in errors
    assert "line 5: shoe_size is 43; allowed: only: age" in errors


def test_no_cell_is_run_by_a_spreadsheet(run: Run, tmp_path: Path) -> None:
    _, out, _ = run(
        "--file", str(written(tmp_path / "x.csv", "csv", people({"employee_id": "=1+1"})))
    )
    assert scored(out)[0]["Employee ID"] == "'=1+1"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 2, "cannot be read"),
        (b"", 3, "is empty"),
        (b"PAR1 and no more", 3, "damaged Parquet file"),
        (b"a,b\n1,2\n", 3, "names no column of the model"),
        (b'{"a": "\xff"}', 3, "is not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_said(
    content: bytes | None, code: int, said: str, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "x.data"
    if content is not None:
        path.write_bytes(content)
    ended, out, errors = run("--file", str(path))
    assert (ended, out) == (code, "")
    assert said in errors
    assert "Traceback" not in errors


def test_an_answer_is_counted_in_words_that_fit(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "risk.csv"
    one, three = (str(written(tmp_path / f"{n}.csv", "csv", people(*ROWS[:n]))) for n in (1, 3))
    assert run("--file", one, "--out", str(out))[2].endswith(f"1 answer is in {out}\n")
    assert run("--file", three, "--out", str(out))[2].endswith(f"3 answers are in {out}\n")


def test_a_place_to_write_to_is_there_before_anything_is_scored(run: Run, tmp_path: Path) -> None:
    path = str(written(tmp_path / "x.csv", "csv", people({})))
    away = tmp_path / "away"
    code, out, errors = run("--file", path, "--out", str(away / "x.csv"))
    assert (code, out) == (2, "")
    assert f"--out {away / 'x.csv'}: there is no folder {away}" in errors
    assert "Create it, or name a file in one that is there." in errors
    assert not away.exists()
    for place in (str(tmp_path), "/dev/null"):
        code, _, errors = run("--file", path, "--out", place)
        assert code == 2
        assert f"--out {place} is no file" in errors
    assert not Path("/dev/null").is_file()


def test_usage_is_exit_code_2(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--out", "x.csv")[0] == 2
    assert run("--url", "127.0.0.1:3000")[0] == 2
    assert run("nobody")[0] == 2
    empty = tmp_path / "empty"
    monkeypatch.setattr("flows.project.settings.load", lambda: _at(empty))
    assert run()[0] == 2


def _at(home: Path) -> Any:
    from flows.project.settings import Settings

    return Settings(home=home)


@pytest.fixture
def persons() -> list[Any]:
    """Whom the records that came to the service were about."""
    return []


@pytest.fixture
def service(artifact: Path, persons: list[Any]) -> Iterator[str]:
    """A server that answers as the service does, from the same rules; it refuses a monthly income
    of 1000.
    """
    served = load_served(artifact, "attrition:served", "")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            records = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            persons.extend(record.pop("employee_id", None) for record in records)
            refused = any(record["monthly_income"] == 1000 for record in records)
            answers = (
                {"error": "no"}
                if refused
                else answer_all(served, records, "a", self.path.endswith("=1"))[0]
            )
            body = json.dumps(answers).encode()
            self.send_response(
                400 if refused else 200 if self.path.startswith("/predict_batch?") else 500
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_service_is_asked_by_its_address(
    service: str, run: Run, tmp_path: Path, persons: list[Any]
) -> None:
    code, out, _ = run("--url", service, typed=ENTERS)
    assert code == 0
    assert out == run(typed=ENTERS)[1]
    many = written(
        tmp_path / "x.csv", "csv", people(*ROWS, *({"age": 18 + n % 40} for n in range(1500)))
    )
    assert persons == [None]
    out = run("--url", service, "--file", str(many))[1]
    assert out == run("--file", str(many))[1]
    assert [str(person) for person in persons[1:]] == [
        line.split(",")[0] for line in out.splitlines()[1:]
    ]


def test_a_service_that_refuses_fails_or_is_away_is_said(
    service: str, run: Run, tmp_path: Path
) -> None:
    refused = written(tmp_path / "x.csv", "csv", people({"monthly_income": 1000}))
    assert run("--url", service, "--file", str(refused))[0] == 3
    assert (
        run(
            "--url",
            f"{service}elsewhere",
            "--file",
            str(written(tmp_path / "y.csv", "csv", people({}))),
        )[0]
        == 1
    )
    code, _, errors = run("--url", "http://127.0.0.1:9", typed=ENTERS)
    assert code == 1
    assert "does not answer" in errors
