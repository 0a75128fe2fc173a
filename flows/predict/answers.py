"""Who answers `sluice predict`: the newest Bento on this machine, or a running service."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flows.adapters.image import bento
from flows.project.models import model_folder
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.predictions import Json
from sluice.errors import Refused, Retryable, SluiceError, UsageError
from sluice.served.cells import read_cell
from sluice.served.contract import Contract, load_contract
from sluice.served.encoding import Record
from sluice.served.predictions import person_id
from sluice.served.uploaded_table import Row, Sheet

_CHUNK = 1000  # rows in one request


@dataclass(frozen=True)
class Service:
    """Who answers, and the contract of the rows that it takes.

    `answer` gives the answers to rows in their order, with their reasons or without.
    """

    contract: Contract
    answer: Callable[[Sequence[Row], bool], list[Json]]


def score(sheet: Sheet, service: Service) -> list[Json]:
    """The answers to the rows of a sheet, in their order; with a bar where a person watches."""
    from rich.progress import track

    starts = track(
        range(0, len(sheet.rows), _CHUNK),
        "  scoring",
        console=terminal.console(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    answers: list[Json] = []
    for start in starts:
        answers += service.answer(sheet.rows[start : start + _CHUNK], False)
    return answers


def local(settings: Settings, model: str) -> Service:
    """The newest Bento on this machine, asked without a server.

    Raises UsageError where there is none.
    """
    from bento.answers import answer_all, load_served, new_id

    folder = bento.newest(settings.home / "bentoml", model)
    served = load_served(folder / "src" / "model", f"{model}:{folder.name}", "")

    def answer(rows: Sequence[Row], reasons: bool) -> list[Json]:
        return answer_all(served, [row.record for row in rows], new_id(), reasons)[0]

    return Service(served.model.contract, answer)


def remote(settings: Settings, model: str, url: str) -> Service:
    """A running service; the questions come from the contract in models/.

    Raises UsageError for what is no URL, and where there is no such model.
    """
    path = model_folder(model, settings.project) / "contract.toml"
    contract = load_contract(path.read_text(encoding="utf-8"), f"models/{model}/contract.toml")
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--url is {url!r}", "Write it with its scheme, like http://127.0.0.1:3000."
        )
    address = f"{url.rstrip('/')}/predict_batch"

    def answer(rows: Sequence[Row], reasons: bool) -> list[Json]:
        records = [_with_id(contract, row) for row in rows]
        return _post(f"{address}?reasons={int(reasons)}", records)

    return Service(contract, answer)


def _with_id(contract: Contract, row: Row) -> Record:
    """The record of a row with the id of its person, if it is one.

    A service keeps its hash, so that the person can be forgotten.
    """
    value = read_cell(contract.id, row.id)
    if person_id(contract.id, value) is None:
        return row.record
    return {**row.record, contract.id.key: value}


def _post(address: str, records: Sequence[Record]) -> list[Json]:
    """The answers to some records, in their order.

    Raises Retryable where nothing answers, Refused where the service does not take the records,
    SluiceError for any other status.
    """
    import httpx2

    try:
        answer = httpx2.post(address, json=list(records), timeout=60.0, trust_env=False)
    except httpx2.HTTPError as error:
        raise Retryable(
            f"{address} does not answer ({type(error).__name__})",
            "Start it with `sluice serve`, or leave out --url.",
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
