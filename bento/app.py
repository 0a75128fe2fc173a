"""The addresses of the service: who answers what, and what goes round every request (id, time,
errors, log).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette

from bento import openapi, page
from bento.answers import (
    Answer,
    Json,
    Served,
    Together,
    answer,
    answer_many,
    as_objects,
    encoded,
    new_id,
)
from bento.http.records import Read
from bento.http.replies import (
    Handler,
    Reply,
    constant,
    failed,
    lost,
    not_allowed,
    unknown,
    wrong_fields,
)
from bento.http.request_body import Call, Gone, Receive, Refusal, read_body
from bento.http.request_parameters import ID, opinion, opinion_of, person, wants_reasons
from bento.ops.metrics import Measures
from bento.ops.prediction_log import PredictionLog
from bento.settings import BODY_SECONDS, LONG, LONG_BODY_SECONDS, Settings
from sluice.served.encoding import InvalidFields

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]
_LOG = logging.getLogger("sluice.requests")
_CHUNK = 500  # answers noted down between two looks at what else is to be done


class App:
    """The ASGI application that BentoML mounts; holds what the requests share."""

    def __init__(
        self, served: Served, settings: Settings, log: PredictionLog, measures: Measures
    ) -> None:
        self.served, self.log, self.measures = served, log, measures
        self.draining = False
        self._settings, self._together = settings, Together(served)
        self._columns = {c.name for c in served.model.contract.columns} | {
            c.key for c in served.model.contract.columns
        }
        described = msgspec.json.encode(openapi.document(served, settings))
        lineage = msgspec.json.encode(openapi.lineage(served))
        self.private: dict[str, Handler] = {
            "/metrics": self._metrics,
            "/docs.json": constant(described),
        }
        self._handlers: dict[str, dict[str, Handler]] = {
            "/predict": {"POST": self._predict},
            "/predict_batch": {"POST": self._predict_batch},
            "/feedback": {"POST": self._feedback},
            "/model": {"GET": constant(lineage)},
        }
        # BentoML answers these before they come here, unless the method is another one.
        self._handlers |= {
            path: {"GET": unknown} for path in ("/livez", "/readyz", "/healthz", "/schema.json")
        }
        if not settings.metrics_bind:
            self._handlers |= {path: {"GET": handler} for path, handler in self.private.items()}
        routes = page.routes(served.model.contract, self._answers, self._opinion)
        self._page = Starlette(routes=routes, exception_handlers={404: lost, 405: lost})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; count it, and log it where it went wrong."""
        if scope["type"] != "http":
            return
        started, headers = time.perf_counter(), dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        name = given.decode() if given and ID.fullmatch(given) else new_id()
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
                facts = {
                    "request": name,
                    "method": scope["method"],
                    "path": path[:200],
                    "status": status,
                }
                _LOG.info(
                    "request", extra={"facts": {**facts, "milliseconds": round(seconds * 1000, 3)}}
                )

    async def _reply(self, handlers: Mapping[str, Handler], method: str, call: Call) -> Reply:
        try:
            handler = handlers.get("GET" if method == "HEAD" else method)
            if handler is None:
                return not_allowed(method, ", ".join(handlers))
            return await handler(call)
        except Refusal as refused:
            self.measures.count("refused", refused.kind)
            return Reply(refused.status, msgspec.json.encode(refused.said))
        except InvalidFields as refused:
            return self._wrong_fields(refused)
        except Exception:  # noqa: BLE001 - said in the log, with the request
            _LOG.exception("failed", extra={"facts": {"request": call.id}})
            self.measures.count("refused", "failure")
            return failed(call.id)

    def _wrong_fields(self, refused: InvalidFields) -> Reply:
        self.measures.count("refused", "fields")
        for error in refused.errors:
            self.measures.count(
                "field", error.field if error.field in self._columns else "(unknown)"
            )
        return wrong_fields(refused)

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
                message = {
                    **message,
                    "headers": [*message["headers"], (b"x-request-id", name.encode()), *closing],
                }
            await send(message)

        try:
            await self._page(scope, receive, marked)
        except Exception:  # noqa: BLE001 - said in the log, with the request
            _LOG.exception("failed", extra={"facts": {"request": name}})
            if not status:
                await self._send(marked, failed(name), Call(name, {}, b"", receive), False)
        return status

    async def _predict(self, call: Call) -> Reply:
        numbers, values, named = self.served.reader.one(await self._body(call))
        why, whom = wants_reasons(call), person(call, self.served.model.contract.id, named)
        probability, words = await self._together.ask(numbers, why)
        said = answer(self.served, new_id(), probability, words)
        self.measures.row(numbers, probability)
        self.log.answer(said, values, call.id, whom)
        return Reply(200, msgspec.json.encode(said))

    async def _predict_batch(self, call: Call) -> Reply:
        why, body = wants_reasons(call), await self._body(call, LONG_BODY_SECONDS)
        read = await self.served.reader.many(body, self._settings.max_rows)
        return Reply(200, await encoded(await self._many(read, why, call.id)))

    async def _feedback(self, call: Call) -> Reply:
        given = opinion_of(await self._body(call))
        if not self.log.on:
            raise Refusal(
                409, "no_log", "no prediction log is kept here", allowed="ask who runs the service"
            )
        if not self.log.feedback(given, call.id):
            raise Refusal(429, "busy", "too much is waiting to be written; send it again later")
        self.measures.count("feedback", str(given["agrees"]).lower())
        return Reply(200, b'{"kept":true}')

    async def _metrics(self, _: Call) -> Reply:
        await asyncio.to_thread(self.measures.save, self.log.counts)
        return Reply(
            200,
            await asyncio.to_thread(self.measures.text),
            b"text/plain; version=0.0.4; charset=utf-8",
        )

    async def _body(self, call: Call, seconds: float = BODY_SECONDS) -> bytes:
        return await read_body(call, self._settings.max_body_bytes, seconds)

    async def _many(self, read: Read, why: bool, request: str) -> list[Answer]:
        answers = await answer_many(self.served, read.numbers, new_id(), why)
        for start in range(0, len(answers), _CHUNK):
            part = slice(start, start + _CHUNK)
            self.measures.rows(
                read.numbers[part], np.array([said.probability for said in answers[part]])
            )
            for said, values, whom in zip(
                answers[part], read.values[part], read.persons[part], strict=True
            ):
                self.log.answer(said, values, request, whom)
            await asyncio.sleep(0)
        return answers

    async def _answers(
        self, records: Sequence[Mapping[str, Any]], persons: Sequence[str]
    ) -> list[Json]:
        """For the page: the answers to records, and whom each is about, empty where that is not
        known.
        """
        read = replace(await self.served.reader.checked(records), persons=persons)
        return await as_objects(await self._many(read, True, new_id()))

    def _opinion(self, given: Mapping[str, Any]) -> bool:
        """For the page: keep what a person thinks of an answer; whether it is kept."""
        kept = bool(self.log.on and self.log.feedback(opinion(dict(given)), new_id()))
        if kept:
            self.measures.count("feedback", str(given["agrees"]).lower())
        return kept


async def _end_timer(send: Send) -> None:
    """BentoML's timer ends with the first message of any kind. This one goes no further: the server
    refuses it.
    """
    with suppress(RuntimeError):
        await send({"type": "sluice.working"})
