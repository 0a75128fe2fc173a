"""Who answers `sluice predict`: the newest Bento on this machine, or a running service."""

import sys
from collections.abc import Callable, Sequence

from flows.adapters.image import bento
from flows.project.models import model_folder
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.predictions import Json
from sluice.errors import Refused, Retryable, SluiceError, UsageError
from sluice.served.cells import read_cell
from sluice.served.contract import Contract, load_contract
from sluice.served.predictions import person_id
from sluice.served.uploaded_table import Record, Row, Sheet

Answers = Callable[[Sequence[Row], bool], list[Json]]
_CHUNK = 1000  # rows in one request


def score(sheet: Sheet, answers: Answers) -> list[Json]:
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


def local(settings: Settings, model: str) -> tuple[Contract, Answers]:
    """The newest Bento on this machine, asked without a server."""
    from bento.answers import answer_all, load_served, new_id

    folder = bento.newest(settings.home / "bentoml", model)
    served = load_served(folder / "src" / "model", f"{model}:{folder.name}", "")

    def answers(rows: Sequence[Row], why: bool) -> list[Json]:
        return answer_all(served, [row.record for row in rows], new_id(), why)[0]

    return served.model.contract, answers


def remote(settings: Settings, model: str, url: str) -> tuple[Contract, Answers]:
    """A running service; the questions come from the contract in models/."""
    path = model_folder(model, settings.project) / "contract.toml"
    contract = load_contract(path.read_text(encoding="utf-8"), f"models/{model}/contract.toml")
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--url is {url!r}", "Write it with its scheme, like http://127.0.0.1:3000."
        )
    address = f"{url.rstrip('/')}/predict_batch"

    def answers(rows: Sequence[Row], why: bool) -> list[Json]:
        return _post(f"{address}?reasons={int(why)}", [_named(contract, row) for row in rows])

    return contract, answers


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


def _post(address: str, records: Sequence[Record]) -> list[Json]:
    import httpx2

    try:
        answer = httpx2.post(address, json=list(records), timeout=60.0, trust_env=False)
    except httpx2.HTTPError as error:
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
