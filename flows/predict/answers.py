"""Who answers `sluice predict`: the newest Bento on this machine, or a running service."""

import ipaddress
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.adapters.image import bento
from flows.project.models import model_folder
from flows.project.settings import Settings
from flows.views import terminal
from flows.views.serving.predictions import Json
from sluice.errors import Refused, Retryable, SluiceError, UsageError, cause
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

    Raises UsageError where there is none, and what a trial of its model raises.
    """
    from bento import model_trial
    from bento.answers import answer_all, load_served, new_id

    folder = bento.newest(settings.home / "bentoml", model)
    artifact = folder / "src" / "model"
    model_trial.require_loads(artifact)
    served = load_served(artifact, f"{model}:{folder.name}", "")

    def answer(rows: Sequence[Row], reasons: bool) -> list[Json]:
        return answer_all(served, [row.record for row in rows], new_id(), reasons)[0]

    return Service(served.model.contract, answer)


def remote(settings: Settings, model: str, url: str) -> Service:
    """A running service; the questions come from the contract in models/.

    Raises UsageError for what is no URL, where there is no such model, and where the key to the
    service cannot be read or would be sent for everybody to read.
    """
    path = model_folder(model, settings.project) / "contract.toml"
    contract = load_contract(path.read_text(encoding="utf-8"), f"models/{model}/contract.toml")
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"--url is {url!r}", "Write it with its scheme, like http://127.0.0.1:3000."
        )
    address = f"{url.rstrip('/')}/predict_batch"
    key = read_key(settings)
    if key:
        _require_private(url)

    def answer(rows: Sequence[Row], reasons: bool) -> list[Json]:
        records = [_with_id(contract, row) for row in rows]
        return _post(f"{address}?reasons={int(reasons)}", records, key)

    return Service(contract, answer)


def read_key(settings: Settings) -> str:
    """The key to a service, from the environment or a file; empty where neither is set.

    It is never an argument, which every user of a machine can read. Raises UsageError, without the
    key in it, where both are set, the file cannot be read, or what it holds is no key.
    """
    key = settings.api_key.get_secret_value().strip()
    file = settings.api_key_file
    if key and file:
        raise UsageError(
            "SLUICE_API_KEY and SLUICE_API_KEY_FILE are both set; one is required",
            "Leave one of them out.",
        )
    source = "SLUICE_API_KEY"
    if file:
        source = f"SLUICE_API_KEY_FILE ({file})"
        key = _key_in(file)
    if not _is_key(key) and (key or file):
        raise UsageError(
            f"{source} holds {len(key)} characters that are no key; one line of visible ASCII"
            " characters is required",
            "Ask who runs the service for a key.",
        )
    return key


def _key_in(file: str) -> str:
    """The text of the file of a key, without blanks and line ends around it."""
    try:
        return Path(file).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "not ASCII text"
        raise UsageError(
            f"SLUICE_API_KEY_FILE is {file!r}: {why}", "Name a file that holds the key alone."
        ) from None


def _is_key(key: str) -> bool:
    """Whether a text can stand in a header as a key."""
    return bool(key) and all("!" <= letter <= "~" for letter in key)


def _require_private(url: str) -> None:
    """Raise UsageError where a key would cross a network as plain text."""
    import httpx2

    try:
        host = httpx2.URL(url).host
    except httpx2.InvalidURL:
        raise UsageError(f"--url is {url!r}", "Write it like https://risk.example.") from None
    if url.startswith("https://") or _is_here(host):
        return
    raise UsageError(
        f"--url is {url!r}: the key would be sent as plain text; https is required",
        "Write https://, or leave the key out.",
    )


def _is_here(host: str) -> bool:
    """Whether an address is of this machine, which no network lies between."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _with_id(contract: Contract, row: Row) -> Record:
    """The record of a row with the id of its person, if it is one.

    A service keeps its hash, so that the person can be forgotten.
    """
    value = read_cell(contract.id, row.id)
    if person_id(contract.id, value) is None:
        return row.record
    return {**row.record, contract.id.key: value}


def _post(address: str, records: Sequence[Record], key: str) -> list[Json]:
    """The answers to some records, in their order; `key` is empty where none is sent.

    Raises UsageError where the service wants another key, Retryable where nothing answers, Refused
    where the service does not take the records, SluiceError for any other status.
    """
    import httpx2

    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx2.post(
            address, json=list(records), headers=headers, timeout=60.0, trust_env=False
        )
    except httpx2.HTTPError as error:
        raise Retryable(
            f"{address} does not answer ({cause(error)})",
            "Start it with `sluice serve`, or leave out --url.",
        ) from None
    if answer.status_code == 401:
        sent = "does not know the key that was sent" if key else "asks for a key; none was sent"
        raise UsageError(
            f"{address} {sent}",
            "Set SLUICE_API_KEY, or SLUICE_API_KEY_FILE to a file that holds it.",
        )
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
