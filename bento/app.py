"""The addresses of the service, and what surrounds each request: id, time, errors, log."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from bento import openapi, page
from bento.answers import (
    MOST_EXPLAINED,
    Served,
    Together,
    answer,
    answer_many,
    encoded,
    new_id,
    scores_of,
)
from bento.http import open_inference
from bento.http.answer import AnyAnswer
from bento.http.records import Read
from bento.http.replies import (
    Handler,
    Reply,
    constant,
    failed,
    lost,
    not_allowed,
    refusal,
    unknown,
    wrong_fields,
)
from bento.http.request_body import Call, Gone, Message, Receive, Refusal, Send, read_body
from bento.http.request_parameters import (
    ID,
    Opinion,
    opinion,
    opinion_of,
    row_id,
    wants_reasons,
)
from bento.ops.api_keys import Keys, read_keys, require_key
from bento.ops.metrics import Measures
from bento.ops.prediction_log import PredictionLog
from bento.ops.settings import BODY_SECONDS, LONG, LONG_BODY_SECONDS, Settings
from sluice.served.encoding import InvalidFields, Record

Scope = Message  # of ASGI too
_LOG = logging.getLogger("sluice.requests")
_CHUNK = 500  # answers that are counted and logged before other requests have their turn
_GONE = 499  # the status that is counted where the client left
_POLICY = 1008  # the code that closes a WebSocket for what it is; the server answers 403
_UNKNOWN = "(unknown)"  # stands for a field that the contract does not know
_LATE = 504  # the same where BentoML's timer ended it, because the service took too long


class App:
    """The ASGI application that BentoML mounts; holds what requests share."""

    def __init__(
        self, served: Served, settings: Settings, log: PredictionLog, measures: Measures
    ) -> None:
        self.served = served
        self.log = log
        self.measures = measures
        self.draining = False
        self._settings = settings
        self._keys = read_keys(settings.api_keys)
        self._together = Together(served)
        # The published name of each column, by whichever name a client may send.
        self._columns: dict[str, str] = {}
        for column in served.model.contract.columns:
            self._columns |= {column.name: column.name, column.key: column.name}
        described = msgspec.json.encode(openapi.document(served, settings))
        self.private: dict[str, Handler] = {
            "/metrics": self._metrics,
            "/docs.json": constant(described),
        }
        self._name, _, self._version = served.name.partition(":")
        self._infer = f"{open_inference.PREFIX}/models/{self._name}/infer"
        self._long = frozenset((*LONG, self._infer))
        self._open = self._health()
        self._handlers = self._public() | self._open
        routes: list[Route] = []
        if settings.page:
            quality = page.quality_of(served.model.contract, served.metrics)
            routes = page.routes(served.model.contract, quality, self._answers, self._opinion)
        self._page = Starlette(routes=routes, exception_handlers={404: lost, 405: lost})

    def _public(self) -> dict[str, dict[str, Handler]]:
        """What answers each address of the public listener, by method; the page has the others."""
        lineage = msgspec.json.encode(openapi.lineage(self.served))
        handlers: dict[str, dict[str, Handler]] = {
            "/predict": {"POST": self._predict},
            "/predict_batch": {"POST": self._predict_batch},
            "/feedback": {"POST": self._feedback},
            "/model": {"GET": constant(lineage)},
        }
        model = self._infer.removesuffix("/infer")
        about = open_inference.described(self.served.model.contract, self._name, self._version)
        handlers |= {
            self._infer: {"POST": self._infer_many},
            model: {"GET": constant(about)},
            open_inference.PREFIX: {"GET": constant(open_inference.server(self._version))},
        }
        # BentoML answers these before they come here, unless the method is another one.
        for path in ("/livez", "/readyz", "/healthz", "/schema.json"):
            handlers[path] = {"GET": unknown}
        if not self._settings.metrics_bind:
            for path, handler in self.private.items():
                handlers[path] = {"GET": handler}
        return handlers

    def _health(self) -> dict[str, dict[str, Handler]]:
        """What says how the service is in the Open Inference Protocol; it takes no key."""
        prefix, model = open_inference.PREFIX, self._infer.removesuffix("/infer")
        return {
            f"{prefix}/health/live": {"GET": constant(b'{"live":true}')},
            f"{prefix}/health/ready": {"GET": self._ready},
            f"{model}/ready": {"GET": self._ready},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; count it, and log it where it failed."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY})
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        body = _Timed(receive)
        call = _call(scope, body)
        path: str = scope["path"]
        method: str = scope["method"]
        handlers = self._handlers.get(path)
        self.measures.in_progress += 1
        status = _GONE
        try:
            if path in self._long and method == "POST":
                await _end_timer(send)
            if handlers is None:
                status = await self._show(scope, body, send, call.id)
            else:
                keys: Keys = () if path in self._open else self._keys
                reply = await self._reply(handlers, method, call, keys)
                status = reply.status
                await self._send(send, reply, call, bare=method == "HEAD")
        except Gone:
            pass
        except asyncio.CancelledError:
            status = _LATE
            raise
        finally:
            self.measures.in_progress -= 1
            # What a slow client takes to send its body is not what the canary is judged by.
            seconds = time.perf_counter() - started - body.waited
            self.measures.request("page" if handlers is None else path, status, seconds)
            if status >= 400 or self._settings.log_requests:
                self._log_request(scope, call, status, seconds)

    def _log_request(self, scope: Scope, call: Call, status: int, seconds: float) -> None:
        facts = {
            "request": call.id,
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        _LOG.info("request", extra={"facts": facts})

    async def _reply(
        self, handlers: Mapping[str, Handler], method: str, call: Call, keys: Keys
    ) -> Reply:
        """The reply of the handler of a method, or the one that refuses the request, also for
        lacking one of the keys, where there are some.
        """
        try:
            require_key(keys, call.headers)
            handler = handlers.get("GET" if method == "HEAD" else method)
            if handler is None:
                return not_allowed(method, ", ".join(handlers))
            return await handler(call)
        except Refusal as refused:
            self.measures.count("refused", refused.kind)
            return refusal(refused)
        except InvalidFields as refused:
            return self._wrong_fields(refused, call.id)
        except Gone:
            raise
        except Exception:  # noqa: BLE001 - the log has it, with the id of the request
            _LOG.exception("failed", extra={"facts": {"request": call.id}})
            self.measures.count("refused", "failure")
            return failed(call.id)

    def _wrong_fields(self, refused: InvalidFields, request: str) -> Reply:
        """The reply that names wrong fields, each of them counted, and kept in the log."""
        self.measures.count("refused", "fields")
        # A name that a client made up must not become a label.
        named = [self._columns.get(error.field, _UNKNOWN) for error in refused.errors]
        for name in named:
            self.measures.count("field", name)
        self.log.refused(list(dict.fromkeys(named)), request)
        return wrong_fields(refused)

    async def _send(self, send: Send, reply: Reply, call: Call, *, bare: bool = False) -> None:
        """Send a reply, without its body where `bare`."""
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
        """Answer by the page, which also answers unknown addresses; return the status."""
        status = 0
        headers = [(b"x-request-id", name.encode())]
        if self.draining:
            headers.append((b"connection", b"close"))

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        try:
            await self._page(scope, receive, marked)
        except Exception:  # noqa: BLE001 - the log has it, with the id of the request
            _LOG.exception("failed", extra={"facts": {"request": name}})
            if not status:
                await self._send(marked, failed(name), Call(name, {}, b"", receive))
        return status

    async def _predict(self, call: Call) -> Reply:
        numbers, values, named = self.served.reader.one(await self._body(call))
        why = wants_reasons(call, unsaid=True)
        whom = row_id(call, self.served.model.contract.id, named)
        score, words = await self._together.ask(numbers, why)
        result = answer(self.served, new_id(), score, words)
        self.measures.row(numbers, score)
        self.measures.judged(score)
        self.log.answer(result, values, call.id, whom)
        return Reply(200, msgspec.json.encode(result))

    async def _predict_batch(self, call: Call) -> Reply:
        explained = MOST_EXPLAINED if wants_reasons(call, unsaid=False) else 0
        body = await self._body(call, LONG_BODY_SECONDS)
        read = await self.served.reader.many(body, self._settings.max_rows)
        if explained and len(read.numbers) > explained:
            raise _too_many_explained(len(read.numbers))
        answers = await self._many(read, explained, call.id)
        # Not of the page: its people are led to the stable version alone.
        if answers:
            [judged] = scores_of([answers[drawn(call.id, len(answers))]]).tolist()
            self.measures.judged(judged)
        return Reply(200, await encoded(answers))

    async def _infer_many(self, call: Call) -> Reply:
        body = await self._body(call, LONG_BODY_SECONDS)
        contract = self.served.model.contract
        given = open_inference.asked(body, contract, self._settings.max_rows)
        read = await self.served.reader.in_columns(given.columns, given.rows)
        answers = await self._many(read, 0, call.id)
        if answers:
            [judged] = scores_of([answers[drawn(call.id, len(answers))]]).tolist()
            self.measures.judged(judged)
        body = open_inference.answered(given, answers, contract, self._name, self._version)
        return Reply(200, body)

    async def _ready(self, _: Call) -> Reply:
        ready = not self.draining
        return Reply(200 if ready else 503, msgspec.json.encode({"ready": ready}))

    async def _feedback(self, call: Call) -> Reply:
        given = opinion_of(await self._body(call))
        if not self.log.on:
            raise Refusal(
                409, "no_log", "no prediction log is kept here", allowed="ask who runs the service"
            )
        if not self.log.feedback(given, call.id):
            raise Refusal(429, "busy", "too much is waiting to be written; send it again later")
        self._count_opinion(given)
        return Reply(200, b'{"kept":true}')

    async def _metrics(self, _: Call) -> Reply:
        # In a thread: reading the files of the other workers must not hold up predictions.
        await asyncio.to_thread(self.measures.save, self.log.counts)
        text = await asyncio.to_thread(self.measures.text)
        return Reply(200, text, b"text/plain; version=0.0.4; charset=utf-8")

    async def _body(self, call: Call, seconds: float = BODY_SECONDS) -> bytes:
        return await read_body(call, self._settings.max_body_bytes, seconds)

    async def _many(self, read: Read, explained: int, request: str) -> list[AnyAnswer]:
        """Answers to records, counted and logged; other requests have their turn in between.

        So many of the highest have their reasons.
        """
        answers = await answer_many(self.served, read.numbers, new_id(), explained)
        for start in range(0, len(answers), _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = answers[part]
            self.measures.rows(read.numbers[part], scores_of(chunk))
            for one, values, whom in zip(chunk, read.values[part], read.ids[part], strict=True):
                self.log.answer(one, values, request, whom)
            await asyncio.sleep(0)
        return answers

    async def _answers(self, records: Sequence[Record], ids: Sequence[str]) -> list[AnyAnswer]:
        """For the page: answers to records; `ids` are of their rows, empty where not known."""
        read = replace(await self.served.reader.checked(records), ids=ids)
        return await self._many(read, page.EXPLAINED, new_id())

    def _opinion(self, given: Opinion) -> bool:
        """For the page: keep what a person thinks of an answer; return whether it is kept."""
        checked = opinion(msgspec.structs.asdict(given))
        if not self.log.on or not self.log.feedback(checked, new_id()):
            return False
        self._count_opinion(checked)
        return True

    def _count_opinion(self, given: Opinion) -> None:
        self.measures.count("feedback", "true" if given.agrees else "false")


class _Timed:
    """What hands over the body of a request, and how many seconds were waited for it."""

    def __init__(self, receive: Receive) -> None:
        self.waited = 0.0
        self._receive = receive

    async def __call__(self) -> Message:
        """The next message of the server."""
        asked = time.perf_counter()
        try:
            return await self._receive()
        finally:
            self.waited += time.perf_counter() - asked


def drawn(request: str, rows: int) -> int:
    """Which of so many rows a request is judged by: one that its id chooses, and nobody else."""
    return int.from_bytes(hashlib.sha256(request.encode()).digest()[:8]) % rows


def _too_many_explained(rows: int) -> Refusal:
    return Refusal(
        400,
        "too_large",
        "the list is too long for reasons",
        value=f"{rows} records",
        allowed=f"at most {MOST_EXPLAINED}, or reasons=0",
    )


def _call(scope: Scope, receive: Receive) -> Call:
    """The request, under the id that the client gave it, or a new one."""
    headers = dict(scope["headers"])
    client_id = headers.get(b"x-request-id", b"")
    name = client_id.decode() if client_id and ID.fullmatch(client_id) else new_id()
    return Call(name, headers, scope["query_string"], receive)


async def _end_timer(send: Send) -> None:
    """End BentoML's timer, which the first message of any kind does.

    The message goes no further: the server refuses it.
    """
    with suppress(RuntimeError):
        await send({"type": "sluice.working"})
