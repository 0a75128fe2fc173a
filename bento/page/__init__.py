"""The page for people, at `/`: one by a form, many by a CSV, room to disagree with an answer, and
how good the model is.

    routes(contract, quality, answers, keep) -> the routes to mount

Every page is whole without JavaScript and asks no other server. It knows nobody: a proxy with
authentication stands in front of it. Addresses are relative, so it may be mounted below any path
that ends in a slash.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bento.http.answer import Answer, AnyAnswer, ClassAnswer, NumberAnswer
from bento.http.request_parameters import Opinion
from bento.ops.settings import BODY_SECONDS, LONG_BODY_SECONDS
from bento.page import classes, files, form, numbers, quality, result, rows
from bento.page.classes import ClassQuality
from bento.page.numbers import NumberQuality
from sluice.errors import Refused
from sluice.served.contract import Contract
from sluice.served.encoding import Record
from sluice.served.model_quality import ModelQuality, model_quality
from sluice.served.reasons import method_of
from sluice.served.statements import statements
from sluice.served.uploaded_table import check_record, write_csv

Answers = Callable[[Sequence[Record], Sequence[str]], Awaitable[Sequence[AnyAnswer]]]
Keep = Callable[[Opinion], bool]
Quality = ModelQuality | ClassQuality | NumberQuality

EXPLAINED = rows.SHOWN  # rows of an answer whose reasons a page shows
_FORM_BYTES = 64 << 10
_FILE_BYTES = 5 << 20
_LONGEST_NUMBER = 20  # characters
_OF_1000 = "of_1000"  # the control in which a number of 1,000 rows is typed
# What is answered, as the templates know it, by how good it is.
_KINDS: Mapping[type[Quality], str] = {
    ModelQuality: "flag",
    ClassQuality: "class",
    NumberQuality: "number",
}
_GONE = 499  # the status that is counted where the client left; nobody receives it


@dataclass(frozen=True)
class Page:
    """What the pages are made from: the contract, how good its model is, and what answers and keeps
    opinions.
    """

    contract: Contract
    quality: Quality
    answers: Answers
    keep: Keep


@dataclass(frozen=True)
class _Upload:
    """An uploaded file with its name, and the number that was typed beside it."""

    name: str
    data: bytes
    number: str


class _Unreadable(Exception):
    """A body that the page did not send; holds the status and the sentence to show."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def quality_of(contract: Contract, metrics: Mapping[str, object]) -> Quality:
    """How good a model is, by its metrics.json. Raise KeyError where that lacks what every version
    has.
    """
    if contract.target.quantity:
        return numbers.quality_of(contract, metrics)
    if contract.target.several:
        return classes.quality_of(contract, metrics)
    return model_quality(metrics)


def routes(contract: Contract, good: Quality, answers: Answers, keep: Keep) -> list[Route]:
    """The routes of the page.

    `await answers(records, ids)` takes records that the contract allows, with the id of each
    one, empty for none, and returns for each what `POST /predict` answers; the EXPLAINED
    that are highest have their reasons.
    `keep(opinion)` keeps what a person thinks of an answer, and returns whether it did.
    """
    page = Page(contract, good, answers, keep)
    return [
        _route("/", GET=partial(_blank, page), POST=partial(_one, page)),
        _route("/rows", GET=partial(_upload, page), POST=partial(_many, page)),
        _route("/rows.csv", GET=partial(_example, page)),
        # What these two were called before:
        _route("/people", GET=partial(_upload, page), POST=partial(_many, page)),
        _route("/people.csv", GET=partial(_example, page)),
        _route("/quality", GET=partial(_quality, page)),
        _route("/opinion", GET=_back, POST=partial(_opinion, page)),
        _route("/page/{name}", GET=files.static),
    ]


def _route(path: str, **ways: Callable[[Request], Awaitable[Response]]) -> Route:
    """One route for all methods of an address, so that a refusal of others lists all of them."""

    async def answer(request: Request) -> Response:
        return await ways["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(ways))


async def _blank(page: Page, _: Request) -> Response:
    return _form(page, {})


async def _one(page: Page, request: Request) -> Response:
    try:
        values = form.read(page.contract, await _pairs(request))
    except _Unreadable as error:
        return _form_anew(page, error.sentence, error.status)
    except form.Foreign as error:
        return _form_anew(page, str(error), 400)
    record = form.record(page.contract, values)
    mistakes = form.mistakes(page.contract, values, check_record(page.contract, record))
    if mistakes:
        return _form(page, values, mistakes, status=400)
    [answer] = await page.answers([record], [""])
    doubts = form.doubts(page.contract, record)
    return _form(page, values, answer=_view(page, answer), doubts=doubts)


def _view(page: Page, answer: AnyAnswer) -> result.View | classes.ClassView | numbers.NumberView:
    """An answer as it is shown."""
    if isinstance(answer, NumberAnswer) and isinstance(page.quality, NumberQuality):
        return numbers.view(page.contract, page.quality, answer)
    if isinstance(answer, ClassAnswer):
        return classes.view(page.contract, answer)
    assert isinstance(answer, Answer)
    return result.view(page.contract, answer)


def _form_anew(page: Page, sentence: str, status: int) -> Response:
    """The form as it begins, with what was wrong with the one that was sent."""
    return _form(page, {}, [form.Mistake("", sentence)], status)


def _form(
    page: Page,
    values: Mapping[str, str],
    mistakes: Sequence[form.Mistake] = (),
    status: int = 200,
    **more: object,
) -> Response:
    fields = form.fields(page.contract, values, mistakes)
    return _show(page, "one.html", status, fields=fields, mistakes=mistakes, **more)


async def _upload(page: Page, _: Request) -> Response:
    return _show(page, "rows.html", typed="")


async def _many(page: Page, request: Request) -> Response:
    try:
        sent = await _file(request)
    except _Unreadable as error:
        return _file_refused(page, error.sentence, error.status)
    number = quality.number("act_on", sent.number, rows.MOST)
    if isinstance(number, form.Mistake):
        return _show(page, "rows.html", 400, mistakes=[number], typed=sent.number)
    try:
        sheet = await run_in_threadpool(rows.read, sent.data, page.contract, sent.name)
    except Refused as refused:
        return _file_refused(page, f"{refused.what}. {refused.fix}", 400, sent.number)
    records = [row.record for row in sheet.rows]
    ids = [rows.row_id(page.contract, row) for row in sheet.rows]
    answers = await page.answers(records, ids) if records else []
    if isinstance(page.quality, ClassQuality):
        listed = [one for one in answers if isinstance(one, ClassAnswer)]
        of_classes = await run_in_threadpool(classes.table, page.contract, sent.name, sheet, listed)
        return _show(page, "rows.html", table=of_classes, typed="")
    if isinstance(page.quality, NumberQuality):
        counted = [one for one in answers if isinstance(one, NumberAnswer)]
        of_numbers = await run_in_threadpool(
            numbers.table, page.contract, page.quality, sent.name, sheet, counted
        )
        return _show(page, "rows.html", table=of_numbers, typed="")
    told = [one for one in answers if isinstance(one, Answer)]
    chosen = rows.chosen(page.quality, told, number) if number else None
    table = await run_in_threadpool(rows.table, page.contract, sent.name, sheet, told, chosen)
    return _show(page, "rows.html", table=table, typed=sent.number)


def _file_refused(page: Page, sentence: str, status: int, typed: str = "") -> Response:
    mistakes = [form.Mistake("file", sentence)]
    return _show(page, "rows.html", status, mistakes=mistakes, typed=typed)


async def _quality(page: Page, request: Request) -> Response:
    if isinstance(page.quality, ClassQuality):
        return _show(page, "class_quality.html")
    if isinstance(page.quality, NumberQuality):
        return _show(page, "number_quality.html")
    typed = request.query_params.get(_OF_1000, "")[:_LONGEST_NUMBER]
    number = quality.number(_OF_1000, typed, quality.OF)
    mistakes: list[form.Mistake] = []
    choice = None
    if isinstance(number, form.Mistake):
        mistakes.append(number)
    elif number is not None:
        choice = quality.choice(page.quality, number)
    return _show(
        page,
        "quality.html",
        400 if mistakes else 200,
        mistakes=mistakes,
        typed=typed,
        choice=choice,
        lines=quality.lines(page.quality, choice),
        behind=quality.behind(page.quality),
        protected=[column.name for column in page.contract.role("protected")],
        percent=quality.percent,
        name_of=quality.title,
    )


async def _example(page: Page, _: Request) -> Response:
    """A CSV to start from: the columns, and one row of examples."""
    columns = (page.contract.id, *page.contract.features)
    examples = form.examples(page.contract)
    row = ["1", *(examples[column.key] for column in page.contract.features)]
    text = "\ufeff" + write_csv([column.name for column in columns], [row])
    headers = {**files.HEADERS, "Content-Disposition": 'attachment; filename="rows.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


async def _back(_: Request) -> Response:
    return RedirectResponse("./", status_code=303, headers=files.HEADERS)


async def _opinion(page: Page, request: Request) -> Response:
    try:
        given = form.opinion(await _pairs(request))
    except _Unreadable as error:
        unreadable = form.Mistake("", error.sentence)
        return _show(
            page, "opinion.html", error.status, given=form.GivenOpinion(), mistakes=[unreadable]
        )
    mistakes = form.opinion_mistakes(given)
    if mistakes:
        return _show(page, "opinion.html", 400, given=given, mistakes=mistakes)
    if not page.keep(Opinion(given.id, given.agrees == "yes", given.why)):
        lost = form.Mistake(
            "", "Your view was not kept: this service keeps no log, or cannot write it now"
        )
        return _show(page, "opinion.html", 409, given=given, mistakes=[lost])
    return _show(page, "opinion.html", given=given, noted=True)


def _show(page: Page, template: str, status: int = 200, **more: object) -> Response:
    """A page from a template; `more` are the words that it needs beside those of every page."""
    words: dict[str, object] = {
        "contract": page.contract,
        "words": statements(page.contract),
        "quality": page.quality,
        "most": rows.MOST,
        "method": method_of(page.contract),
        "kind": _KINDS[type(page.quality)],
        "mistakes": [],
    }
    return files.html(template, status, {**words, **more})


async def _pairs(request: Request) -> list[tuple[str, str]]:
    kind = "application/x-www-form-urlencoded"
    body = await _body(request, kind, _FORM_BYTES, BODY_SECONDS)
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=500
        )
    except ValueError:
        raise _Unreadable(400, "The form came damaged. Load the page again") from None


async def _file(request: Request) -> _Upload:
    """What was uploaded; it is kept in memory, never on disk."""
    most = _FILE_BYTES + _FORM_BYTES
    body = await _body(request, "multipart/form-data", most, LONG_BODY_SECONDS)

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=5)
    parser.spool_max_size = _FILE_BYTES + _FORM_BYTES
    try:
        parts = await parser.parse()
    except (MultiPartException, LookupError):
        raise _Unreadable(400, "The file came damaged. Choose it again") from None
    upload = parts.get("file")
    try:
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise _Unreadable(400, "Choose a CSV file")
        number = parts.get("act_on", "")
        typed = number[:_LONGEST_NUMBER] if isinstance(number, str) else ""
        return _Upload(upload.filename[-80:], await upload.read(), typed)
    finally:
        await parts.close()


async def _body(request: Request, kind: str, most: int, seconds: float) -> bytes:
    """The body of a form of this page.

    Raise _Unreadable for another kind, a form of another site, more than `most` bytes, and one that
    does not arrive within `seconds`.
    """
    if _is_foreign(request):
        raise _Unreadable(403, "Another site sent this form. Fill it in here")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise _Unreadable(415, f"This page takes a form of kind {kind}")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except ClientDisconnect:
        raise _Unreadable(_GONE, "The form was not sent to its end") from None
    except TimeoutError:
        raise _Unreadable(408, "The form did not arrive in time. Send it again") from None
    return bytes(body)


def _is_foreign(request: Request) -> bool:
    """Whether a page of another site made the browser send this.

    A browser says so itself where the page came by https or from this machine. Elsewhere it names
    the site that the form is from, which is to be the one that it is sent to: in `Origin`, or, as
    old ones do, in `Referer` alone. The scheme is not compared: a proxy may have taken https off.
    A program that is no browser names none, and an empty `Referer` is one that somebody left out.
    """
    told = request.headers.get("sec-fetch-site")
    if told is not None:
        return told not in ("same-origin", "none")
    host = request.headers.get("host", "").lower()
    pages = [page for page in request.headers.getlist("referer") if page]
    sites = [_site(named) for named in request.headers.getlist("origin") or pages]
    return any(not site or site != host for site in sites)


def _site(address: str) -> str:
    """Host and port of an address, as `Host` has them; empty where it names none."""
    rest = address.lower().partition("://")[2]
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def _too_large(most: int) -> _Unreadable:
    megabytes = max(1, most >> 20)
    return _Unreadable(413, f"That is more than {megabytes} MB. Split it into smaller files")
