"""`sluice predict`: one person by questions, or a file of them, answered by the newest model here
or by a service.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.cli import serve as serving
from flows.cli.predict_file import read_people
from flows.cli.predict_prompts import ask
from flows.engine.run import model_folder
from flows.engine.store import write_atomic
from flows.project import settings
from flows.views import terminal
from flows.views.escape import escape
from sluice.errors import Refused, Retryable, SluiceError, UsageError
from sluice.served.contract import Contract, load_contract
from sluice.served.predictions import person_id
from sluice.served.uploaded_table import Record, Row, Sheet, read_cell, write_csv

Json = dict[str, Any]
Answers = Callable[[Sequence[Row], bool], list[Json]]
_CHUNK = 1000
_NAMED = 20  # wrong rows that are named; the rest are counted


def run_predict(
    model: str,
    file: Path | None,
    out: Path | None,
    url: str,
    as_json: bool,
    skip_wrong: bool = False,
) -> int:
    """Ask, or read the file; print or write the answers."""
    if out and not file:
        raise UsageError(
            f"--out {out} is given without --file", "The answer to one person is printed."
        )
    if out:
        _check_out(out)
    contract, answers = _remote(model, url) if url else _local(model)
    if not file:
        _tell(answers([Row(1, "", ask(contract))], True)[0], as_json)
        return 0
    sheet = read_people(file, contract)
    _name_problems(sheet, skip_wrong)
    found = _score(sheet, answers)
    text = _json(sheet, found) if as_json else _csv(contract, sheet, found)
    if out:
        write_atomic(out, text.encode())
        print(
            f"{len(found):,} {'answer is' if len(found) == 1 else 'answers are'} in {out}",
            file=sys.stderr,
        )
    else:
        sys.stdout.write(text)
    return 0


def _check_out(out: Path) -> None:
    """Raise UsageError where no file can be written: said before anything is scored."""
    if not out.parent.is_dir():
        raise UsageError(
            f"--out {out}: there is no folder {out.parent}",
            "Create it, or name a file in one that is there.",
        )
    if out.exists() and not out.is_file():
        raise UsageError(
            f"--out {out} is no file", "Name a file; without --out the answers are printed."
        )


def _tell(answer: Json, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, indent=1, ensure_ascii=False))
        return
    shown = terminal.console(stderr=False)
    for reason in answer.get("reasons") or ():
        shown.print(f"[dim]{escape(reason['text'])}[/]")
    shown.print("[dim]Advice: a person decides.[/]")
    shown.print(f"[bold]{escape(line(answer))}[/]")


def line(answer: Json) -> str:
    """An answer in one line: `prediction 0, Stay, Risk: Very Low (0.1471)`."""
    risk = f"Risk: {answer['tier'].title()} ({answer['probability']:.4f})"
    return f"prediction {answer['prediction']}, {answer['label']}, {risk}"


def _name_problems(sheet: Sheet, skip_wrong: bool) -> None:
    """Say which rows are wrong, and stop unless they are to be left out."""
    if sheet.unused:
        print(f"Not used: {', '.join(sheet.unused)}", file=sys.stderr)
    for problem in sheet.problems[:_NAMED]:
        for error in problem.errors[:5]:
            print(
                f"line {problem.line}: {error.field} is {error.value}; allowed: {error.allowed}",
                file=sys.stderr,
            )
    wrong, rows = len(sheet.problems), len(sheet.problems) + len(sheet.rows)
    if wrong > _NAMED:
        print(
            f"and {wrong - _NAMED:,} more {'row' if wrong == _NAMED + 1 else 'rows'}",
            file=sys.stderr,
        )
    said = (
        f"{wrong:,} of {rows:,} {'row' if rows == 1 else 'rows'} {'is' if wrong == 1 else 'are'}"
        " wrong"
    )
    if wrong and not (skip_wrong and sheet.rows):
        raise Refused(
            f"{said}; nothing was scored", "Correct them, or score the others with --skip-wrong."
        )
    if wrong:
        print(f"{said} and left out", file=sys.stderr)


def _score(sheet: Sheet, answers: Answers) -> list[Json]:
    from rich.progress import track

    starts = range(0, len(sheet.rows), _CHUNK)
    watched = track(
        starts,
        "  scoring",
        console=terminal.console(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    return [
        answer for start in watched for answer in answers(sheet.rows[start : start + _CHUNK], False)
    ]


def _named(contract: Contract, row: Row) -> Record:
    """The record of a row with the id of its person, if it is one: a service keeps its hash, to
    forget by.
    """
    given = read_cell(contract.id, row.id)
    return (
        row.record
        if person_id(contract.id, given) is None
        else {**row.record, contract.id.key: given}
    )


def _csv(contract: Contract, sheet: Sheet, found: Sequence[Json]) -> str:
    head = (contract.id.name, "line", "prediction", "label", "probability", "tier")
    rows = [
        (
            row.id,
            row.line,
            said["prediction"],
            said["label"],
            f"{said['probability']:.8f}",
            said["tier"],
        )
        for row, said in zip(sheet.rows, found, strict=True)
    ]
    return write_csv(head, rows).replace("\r\n", "\n")


def _json(sheet: Sheet, found: Sequence[Json]) -> str:
    answers = [
        {**said, "line": row.line, "row": row.id}
        for row, said in zip(sheet.rows, found, strict=True)
    ]
    wrong = [
        {"line": p.line, "row": p.id, "fields": [asdict(e) for e in p.errors]}
        for p in sheet.problems
    ]
    return json.dumps({"answers": answers, "wrong": wrong}, indent=1, ensure_ascii=False) + "\n"


def _local(model: str) -> tuple[Contract, Answers]:
    """The newest Bento on this machine, asked without a server."""
    from bento.answers import answer_all, load_served, new_id

    folder = serving.newest(settings.load().home, model)
    served = load_served(folder / "src" / "model", f"{model}:{folder.name}", "")

    def answers(rows: Sequence[Row], why: bool) -> list[Json]:
        return answer_all(served, [row.record for row in rows], new_id(), why)[0]

    return served.model.contract, answers


def _remote(model: str, url: str) -> tuple[Contract, Answers]:
    """A running service; the questions come from the contract in models/."""
    path = model_folder(model, settings.load().project) / "contract.toml"
    contract = load_contract(path.read_text(encoding="utf-8"), f"models/{model}/contract.toml")
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--url is {url!r}", "Write it with its scheme, like http://127.0.0.1:3000."
        )
    address = f"{url.rstrip('/')}/predict_batch"

    def answers(rows: Sequence[Row], why: bool) -> list[Json]:
        return _post(f"{address}?reasons={int(why)}", [_named(contract, row) for row in rows])

    return contract, answers


def _post(address: str, records: Sequence[Record]) -> list[Json]:
    import httpx

    try:
        answer = httpx.post(address, json=list(records), timeout=60.0, trust_env=False)
    except httpx.HTTPError as error:
        what = f"{address} does not answer ({type(error).__name__})"
        raise Retryable(
            what, "Is it up? `sluice serve` starts one here; or leave out --url."
        ) from None
    if answer.status_code in (400, 422):
        raise Refused(
            f"{address} refuses the records: {answer.text[:500]}",
            "Its model may have another contract.",
        )
    if answer.status_code != 200:
        raise SluiceError(
            f"{address} answers {answer.status_code}: {answer.text[:200]}",
            "See the log of the service.",
        )
    return list(answer.json())
