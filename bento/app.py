"""The addresses of the service: who answers what, and what goes round every request (id, time, errors, log)."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette

from bento import openapi, page
from bento.answers import Answer, Json, Served, Together, answer, answer_many, new_id
from bento.bodies import Call, Gone, Receive, Refusal, parse, read_body
from bento.measures import Measures
from bento.prediction_log import PredictionLog
from bento.records import Read, other
from bento.settings import BODY_SECONDS, LONG, LONG_BODY_SECONDS, Settings
from sluice.encoding import InvalidFields

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]
_LOG = logging.getLogger("sluice.requests")
_ID = re.compile(rb"[A-Za-z0-9._:-]{1,80}")
_PERSON = re.compile(rb"[A-Za-z0-9._:@-]{1,200}")
_WHY = 2000  # characters of an opinion
_JSON = b"application/json"


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: int
    body: bytes
    kind: bytes = _JSON
    more: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Call], Awaitable[Reply]]


class App:
    """The ASGI application that BentoML mounts; holds what the requests share."""

    def __init__(self, served: Served, settings: Settings, log: PredictionLog, measures: Measures) -> None:
        self.served, self.log, self.measures = served, log, measures
        self.draining = False
        self._settings, self._together = settings, Together(served)
        self._columns = {c.name for c in served.model.contract.columns} | {c.key for c in served.model.contract.columns}
        described = msgspec.json.encode(openapi.document(served, settings))
        lineage = msgspec.json.encode(openapi.lineage(served))
        self.private: dict[str, Handler] = {"/metrics": self._metrics, "/docs.json": _constant(described)}
        self._handlers: dict[str, dict[str, Handler]] = {
            "/predict": {"POST": self._predict},
            "/predict_batch": {"POST": self._predict_batch},
            "/feedback": {"POST": self._feedback},
            "/model": {"GET": _constant(lineage)},
        }
        # BentoML answers these before they come here, unless the method is another one.
        self._handlers |= {path: {"GET": _unknown} for path in ("/livez", "/readyz", "/healthz", "/schema.json")}
        if not settings.metrics_bind:
            self._handlers |= {path: {"GET": handler} for path, handler in self.private.items()}
        self._page = Starlette(routes=page.routes(served.model.contract, self._answers, self._opinion))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; count it, and log it where it went wrong."""
        if scope["type"] != "http":
            return
        started, headers = time.perf_counter(), dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        name = given.decode() if given and _ID.fullmatch(given) else new_id()
        path, call = scope["path"], Call(name, headers, scope["query_string"], receive)
        self.measures.in_progress += 1
        status = 499  # the client went away, or BentoML's timer ended it
        try:
            handlers = self._handlers.get(path)
            if path in LONG and scope["method"] == "POST":
                await _end_timer(send)
            if handlers is None:
                status = await self._show(scope, receive, send, name)
            else:
                reply = await self._reply(handlers, scope["method"], call)
                status = reply.status
                await self._send(send, reply, call, scope["method"] == "HEAD")
        except Gone:
            pass
        finally:
            self.measures.in_progress -= 1
            seconds = time.perf_counter() - started
            self.measures.request(path if handlers is not None else "page", status, seconds)
            if status >= 400 or self._settings.log_requests:
                facts = {"request": name, "method": scope["method"], "path": path[:200], "status": status}
                _LOG.info("request", extra={"facts": {**facts, "milliseconds": round(seconds * 1000, 3)}})

    async def _reply(self, handlers: Mapping[str, Handler], method: str, call: Call) -> Reply:
        try:
            handler = handlers.get("GET" if method == "HEAD" else method)
            if handler is None:
                allow = ", ".join(handlers)
                said = {"error": f"{method[:20]} is not known here", "allowed": allow}
                return Reply(405, msgspec.json.encode(said), more=((b"allow", allow.encode()),))
            return await handler(call)
        except Refusal as refused:
            self.measures.count("refused", refused.kind)
            return Reply(refused.status, msgspec.json.encode(refused.said))
        except InvalidFields as refused:
            return self._wrong_fields(refused)
        except Exception:  # noqa: BLE001 - said in the log, with the request
            _LOG.exception("failed", extra={"facts": {"request": call.id}})
            self.measures.count("refused", "failure")
            return Reply(
                500, msgspec.json.encode({"error": "the service failed; its log says why", "request": call.id})
            )

    def _wrong_fields(self, refused: InvalidFields) -> Reply:
        self.measures.count("refused", "fields")
        for error in refused.errors:
            self.measures.count("field", error.field if error.field in self._columns else "(unknown)")
        fields = [asdict(error) for error in refused.errors]
        return Reply(400, msgspec.json.encode({"error": "fields that the contract does not allow", "fields": fields}))

    async def _send(self, send: Send, reply: Reply, call: Call, bare: bool) -> None:
        headers = [
            (b"content-type", reply.kind),
            (b"content-length", str(len(reply.body)).encode()),
            (b"x-request-id", call.id.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *reply.more,
        ]
        if self.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if bare else reply.body})

    async def _show(self, scope: Scope, receive: Receive, send: Send, name: str) -> int:
        """The pages, and every address that nobody knows."""
        status = 0

        async def marked(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                closing = [(b"connection", b"close")] if self.draining else []
                message = {**message, "headers": [*message["headers"], (b"x-request-id", name.encode()), *closing]}
            await send(message)

        try:
            await self._page(scope, receive, marked)
        except Exception:  # noqa: BLE001 - said in the log, with the request
            _LOG.exception("failed", extra={"facts": {"request": name}})
            if not status:
                await self._send(marked, Reply(500, _failed(name)), Call(name, {}, b"", receive), False)
        return status

    async def _predict(self, call: Call) -> Reply:
        numbers, values, named = self.served.reader.one(await self._body(call))
        why, person = _wants_reasons(call), _person(call)
        probability, words = await self._together.ask(numbers, why)
        said = answer(self.served, new_id(), probability, words)
        self.measures.row(numbers, probability)
        self.log.answer(said, values, call.id, named or person)
        return Reply(200, msgspec.json.encode(said))

    async def _predict_batch(self, call: Call) -> Reply:
        read = self.served.reader.many(await self._body(call, LONG_BODY_SECONDS))
        why = _wants_reasons(call)
        if len(read.values) > self._settings.max_rows:
            raise Refusal(
                400,
                "too_large",
                "the list is too long",
                value=f"{len(read.values)} records",
                allowed=f"at most {self._settings.max_rows}",
            )
        return Reply(200, msgspec.json.encode(await self._many(read, why, call.id)))

    async def _feedback(self, call: Call) -> Reply:
        given = parse(await self._body(call))
        if type(given) is not dict:
            raise other(given, "an object with id, agrees and why")
        opinion = _opinion(given)
        if not self.log.on:
            raise Refusal(409, "no_log", "no prediction log is kept here", allowed="ask who runs the service")
        if not self.log.feedback(opinion, call.id):
            raise Refusal(429, "busy", "too much is waiting to be written; send it again later")
        self.measures.count("feedback", str(opinion["agrees"]).lower())
        return Reply(200, b'{"kept":true}')

    async def _metrics(self, _: Call) -> Reply:
        await asyncio.to_thread(self.measures.save, self.log.counts)
        return Reply(200, await asyncio.to_thread(self.measures.text), b"text/plain; version=0.0.4; charset=utf-8")

    async def _body(self, call: Call, seconds: float = BODY_SECONDS) -> bytes:
        return await read_body(call, self._settings.max_body_bytes, seconds)

    async def _many(self, read: Read, why: bool, request: str) -> list[Answer]:
        answers = await answer_many(self.served, read.numbers, new_id(), why)
        if answers:
            self.measures.rows(read.numbers, np.array([said.probability for said in answers]))
        if self.log.on:
            for said, values, person in zip(answers, read.values, read.persons, strict=True):
                self.log.answer(said, values, request, person)
        return answers

    async def _answers(self, records: Sequence[Mapping[str, Any]], persons: Sequence[str]) -> list[Json]:
        """For the page: the answers to records, and whom each is about, empty where that is not known."""
        read = replace(self.served.reader.records(records), persons=persons)
        answers = await self._many(read, True, new_id())
        return [msgspec.to_builtins(said) for said in answers]

    def _opinion(self, opinion: Mapping[str, Any]) -> bool:
        """For the page: keep what a person thinks of an answer; whether it is kept."""
        kept = bool(self.log.on and self.log.feedback(_opinion(dict(opinion)), new_id()))
        if kept:
            self.measures.count("feedback", str(opinion["agrees"]).lower())
        return kept


async def _end_timer(send: Send) -> None:
    """BentoML's timer ends with the first message of any kind. This one goes no further: the server refuses it."""
    with suppress(RuntimeError):
        await send({"type": "sluice.working"})


def _constant(body: bytes) -> Handler:
    async def handler(_: Call) -> Reply:
        return Reply(200, body)

    return handler


async def _unknown(_: Call) -> Reply:
    return Reply(404, b'{"error":"nothing is here"}')


def _failed(request: str) -> bytes:
    return msgspec.json.encode({"error": "the service failed; its log says why", "request": request})


def _wants_reasons(call: Call) -> bool:
    query = call.query
    if query in (b"", b"reasons=1", b"reasons=0"):
        return query != b"reasons=0"
    raise Refusal(400, "query", "the query is not understood", value=query.decode("latin-1")[:80],
                  allowed="reasons=0, or nothing")  # fmt: skip


def _person(call: Call) -> str:
    given = call.headers.get(b"x-person-id")
    if given is None:
        return ""
    if not _PERSON.fullmatch(given):
        raise Refusal(400, "header", "x-person-id is not understood", value=given.decode("latin-1")[:80],
                      allowed="letters, digits and . _ : @ - (at most 200)")  # fmt: skip
    return given.decode()


def _opinion(given: Json) -> Json:
    """An opinion on an answer, checked. Raises Refusal."""
    name, agrees, why = given.get("id"), given.get("agrees"), given.get("why", "")
    wrong = [
        (not isinstance(name, str) or not _ID.fullmatch(name.encode()), "id", "the id of an answer"),
        (not isinstance(agrees, bool), "agrees", "true or false"),
        (not isinstance(why, str) or len(why) > _WHY, "why", f"a text of at most {_WHY} characters"),
        *[(True, key, "only: id, agrees, why") for key in given if key not in ("id", "agrees", "why")],
    ]
    fields = [
        {"field": key[:80], "value": repr(given.get(key))[:80], "allowed": allowed}
        for bad, key, allowed in wrong
        if bad
    ]
    if fields:
        raise Refusal(400, "fields", "fields that are not understood", fields=fields)
    return {"id": name, "agrees": agrees, "why": why}
