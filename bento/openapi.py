"""The description of the service, made from the contract: served at /docs.json, and complete."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from bento.answers import MOST_EXPLAINED, Served
from bento.http.answer import Answer, AnyAnswer, ClassAnswer, NumberAnswer
from bento.http.open_inference import DATATYPES
from bento.http.records import record_types
from bento.http.request_parameters import OLD_ROW_ID, ROW_ID
from bento.ops.settings import Settings
from bento.page import files
from sluice.served.contract import Column, Contract, Derived
from sluice.served.days import written
from sluice.served.encoding import SHOWN
from sluice.served.reasons import method_of
from sluice.served.statements import statements
from sluice.served.tiers import Tiers

Json = dict[str, Any]  # a part of an OpenAPI document, whose shapes its specification gives

_REFUSALS = {
    400: "Something is wrong with the body: it is said which field, its value, and what is allowed",
    408: "The body did not come in time",
    413: "The body, or a record in it, is too large",
    415: "Not application/json",
}
# Addresses of the page for people, and those that ask for a key where there are keys.
_OF_PAGE = (
    "/",
    "/rows",
    "/rows.csv",
    "/people",
    "/people.csv",
    "/quality",
    "/opinion",
    "/page/{name}",
)
_WITH_KEY = ("/predict", "/predict_batch", "/feedback", "/model", "/metrics", "/docs.json")
_REASONS = {
    "name": "reasons",
    "in": "query",
    "description": "0 leaves the reasons out",
    "schema": {"type": "string", "enum": ["0", "1"], "default": "1"},
}
_REASONS_OF_MANY = {
    **_REASONS,
    "description": f"1 gives the reasons too, of at most {MOST_EXPLAINED} records",
    "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
}
_ROW_ID = {
    "name": ROW_ID,
    "in": "header",
    "description": (
        "The id of the row; kept as a salted hash. A record that says it too must name the same"
    ),
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:@-]{1,200}$"},
}
_OLD_ROW_ID = {**_ROW_ID, "name": OLD_ROW_ID, "description": "The same", "deprecated": True}


def document(served: Served, settings: Settings) -> Json:
    """The OpenAPI 3.1 document of what the service answers."""
    contract = served.model.contract
    paths = {
        "/predict": {"post": _predict(contract)},
        "/predict_batch": {"post": _predict_batch(settings)},
        "/feedback": {"post": _feedback()},
        "/model": {
            "get": _get("model", "Lineage, metrics, intended use and limits of the model", "Model")
        },
        "/livez": {"get": _plain("livez", "The process lives")},
        "/healthz": {"get": _plain("healthz", "The same")},
        "/readyz": {
            "get": _plain("readyz", "Requests are answered; 503 while the service is stopping", 503)
        },
        "/metrics": {"get": _plain("metrics", "Metrics in the Prometheus text format")},
        "/docs.json": {"get": _get("docs", "This document", "Any")},
        "/schema.json": {
            "get": _get("schema", "BentoML's own description, without the routes above", "Any")
        },
        "/": {
            "get": _plain("page", "The page for one row", kind="text/html"),
            "post": _form("page_answer"),
        },
        **_many_rows("/rows", "rows"),
        **_many_rows("/people", "people", deprecated=True),
        "/quality": {"get": _quality()},
        "/opinion": {"get": _back(), "post": _form("page_opinion")},
        "/page/{name}": {"get": _file()},
    }
    name = served.name.partition(":")[0]
    paths |= _open_inference(name)
    if settings.metrics_bind:
        del paths["/metrics"], paths["/docs.json"]
    if not settings.page:
        for path in _OF_PAGE:
            del paths[path]
    if settings.api_keys:
        asked = (*_WITH_KEY, "/v2", f"/v2/models/{name}", f"/v2/models/{name}/infer")
        _ask_for_key([paths[path] for path in asked if path in paths])
    described = _described(served, settings, paths)
    if settings.api_keys:
        described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return described


def _described(served: Served, settings: Settings, paths: Json) -> Json:
    """The document around the addresses."""
    contract = served.model.contract
    return {
        "openapi": "3.1.0",
        "info": {"title": contract.title, "description": contract.text, "version": served.name},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": _schemas(contract, settings)},
    }


def _ask_for_key(addresses: Sequence[Json]) -> None:
    """Say of each method of these addresses that it takes a key, and what happens without one."""
    for address in addresses:
        for method in address.values():
            method["security"] = [{"key": []}]
            method["responses"]["401"] = {"description": "No key of this service came with it"}


def lineage(served: Served) -> Json:
    """What there is to know about the model, for who uses it."""
    contract = served.model.contract
    words = statements(contract)
    return {
        "model": served.name,
        "image": served.image,
        "digests": asdict(served.digests),
        "title": contract.title,
        "text": contract.text,
        "rows": contract.rows,
        **_outcomes(served),
        "reasons": method_of(contract),
        "metrics": dict(served.metrics),
        "intended_use": words["use"],
        "not_to_be_used_for": words["misuse"],
        "limits": words["limits"],
        "duties": words["duties"],
        "columns": [_column(column) for column in contract.features],
        "derived": [_derived(feature) for feature in contract.derived],
    }


def _outcomes(served: Served) -> Json:
    """What is answered, and from where on."""
    contract = served.model.contract
    target = contract.target
    if target.quantity:
        return {"quantity": asdict(target.quantity), "bins": list(served.model.bins)}
    if target.several:
        return {
            "classes": list(target.classes),
            "weights": dict(zip(target.classes, served.model.weights, strict=True)),
        }
    return {
        "labels": {"0": target.negative_label, "1": target.positive_label},
        "threshold": served.model.threshold,
        "tiers": _tiers(contract.tiers),
    }


def _tiers(tiers: Tiers) -> list[Json]:
    """The tiers of risk, each with the probability at which the next one begins."""
    limits = (*tiers.limits, None)  # the last one has no end
    pairs = zip(tiers.names, limits, strict=True)
    return [{"tier": tier, "below": limit} for tier, limit in pairs]


def _column(column: Column) -> Json:
    return {
        "name": column.name,
        "key": column.key,
        "allowed": column.allowed,
        "text": column.text,
    }


def _derived(feature: Derived) -> Json:
    return {
        "name": feature.name,
        "expression": feature.expression.source,
        "text": feature.text,
    }


def example(contract: Contract) -> Json:
    """A record by column key, made up."""
    return {column.key: _example(column) for column in contract.features}


def _example(column: Column) -> int | float | str:
    """The example of a column, or a value in the middle of what is allowed."""
    if column.example is not None:
        return column.example
    if not column.numeric:
        return column.values[len(column.values) // 2]
    middle = (float(column.minimum or 0) + float(column.maximum or 0)) / 2
    if column.kind == "date":
        return written(middle)
    return int(middle) if column.kind == "integer" else middle


def _predict(contract: Contract) -> Json:
    published = {column.name: _example(column) for column in contract.features}
    examples = {
        "keys": {"summary": "names in snake case", "value": example(contract)},
        "published": {"summary": "names as published", "value": published},
    }
    return {
        "operationId": "predict",
        "summary": "One record",
        "description": "Columns by their published names or in snake case. " + method_of(contract),
        "parameters": [_REASONS, _ROW_ID, _OLD_ROW_ID],
        "requestBody": _json("AnyRecord", True, examples=examples),
        "responses": _responses("Answer"),
    }


def _predict_batch(settings: Settings) -> Json:
    return {
        "operationId": "predict_batch",
        "summary": (
            f"A list of at most {settings.max_rows:,} records; one wrong field refuses it all"
        ),
        "parameters": [_REASONS_OF_MANY],
        "requestBody": _json("Records", True),
        "responses": _responses("Answers"),
    }


def _open_inference(name: str) -> Json:
    """The addresses of the Open Inference Protocol, version 2, for the model of this name."""
    infer = {
        "operationId": "v2_infer",
        "summary": "The answers of /predict_batch to columns, by the Open Inference Protocol",
        "requestBody": _json("InferenceRequest", True),
        "responses": _responses("InferenceReply"),
    }
    ready = "Requests are answered; 503 while the service is stopping"
    return {
        "/v2": {"get": _get("v2_server", "Name and version of the server", "Any")},
        "/v2/health/live": {"get": _get("v2_live", "The process lives", "Any")},
        "/v2/health/ready": {"get": _ready("v2_ready", ready)},
        f"/v2/models/{name}": {"get": _get("v2_model", "Inputs and outputs of the model", "Any")},
        f"/v2/models/{name}/ready": {"get": _ready("v2_model_ready", ready)},
        f"/v2/models/{name}/infer": {"post": infer},
    }


def _ready(name: str, text: str) -> Json:
    described = _get(name, text, "Any")
    described["responses"]["503"] = {"description": "Not now", **_json("Any")}
    return described


def _feedback() -> Json:
    more = {409: "No prediction log is kept here", 429: "Too much is waiting to be written"}
    return {
        "operationId": "feedback",
        "summary": "What a person thinks of an answer, kept with its id",
        "requestBody": _json("Opinion", True),
        "responses": _responses("Kept", more),
    }


def _get(name: str, text: str, schema: str) -> Json:
    return {
        "operationId": name,
        "summary": text,
        "responses": {"200": {"description": text, **_json(schema)}},
    }


def _plain(name: str, text: str, other: int = 0, kind: str = "text/plain") -> Json:
    responses = {"200": {"description": text, "content": {kind: {"schema": {"type": "string"}}}}}
    if other:
        responses[str(other)] = {
            "description": "Not now",
            "content": {kind: {"schema": {"type": "string"}}},
        }
    return {"operationId": name, "summary": text, "responses": responses}


def _many_rows(path: str, name: str, *, deprecated: bool = False) -> Json:
    """The page for a table at one of its two addresses, and the table to start from."""
    page = _plain(name, "The page for a table", kind="text/html")
    form = _form(f"{name}_answers", "multipart/form-data")
    example = _plain(f"{name}_example", "A table to start from", kind="text/csv")
    old = {"deprecated": True} if deprecated else {}
    return {path: {"get": page | old, "post": form | old}, f"{path}.csv": {"get": example | old}}


def _quality() -> Json:
    """The page that says how good the model is, for a number of 1,000 rows where one is given."""
    described = _plain("page_quality", "How good the model is", kind="text/html")
    page = described["responses"]["200"]["content"]
    described["responses"]["400"] = {"description": "No such number of rows", "content": page}
    number = {"name": "of_1000", "in": "query", "schema": {"type": "string"}}
    return {**described, "parameters": [number]}


def _form(name: str, kind: str = "application/x-www-form-urlencoded") -> Json:
    """A form of the page, as the page itself sends it; programs use the addresses above."""
    page = {"content": {"text/html": {"schema": {"type": "string"}}}}
    statuses = {
        200: "The page with the answer",
        400: "What is wrong, beside its field",
        403: "Another site sent it",
        408: "It did not come in time",
        409: "No prediction log is kept here",
        413: "Too large",
        415: "Another kind of body",
    }
    return {
        "operationId": name,
        "summary": "A form of the page",
        "requestBody": {"required": True, "content": {kind: {"schema": {"type": "object"}}}},
        "responses": {
            str(status): {"description": text, **page} for status, text in statuses.items()
        },
    }


def _back() -> Json:
    return {
        "operationId": "page_again",
        "summary": "Back to the page",
        "responses": {"303": {"description": "To /"}},
    }


def _file() -> Json:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(files.KINDS)},
    }
    plain = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    contents = {kind: {"schema": {"type": "string"}} for kind in files.KINDS.values()}
    responses = {
        "200": {"description": "It", "content": contents},
        "404": {"description": "There is none", **plain},
    }
    return {
        "operationId": "page_file",
        "summary": "A file of the page",
        "parameters": [name],
        "responses": responses,
    }


def _tensors(name: str, most: int) -> Json:
    """Columns of at most so many rows, as the Open Inference Protocol has them."""
    size = {"type": "integer", "minimum": 0, "maximum": most}
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": size, "minItems": 1, "maxItems": 2},
            "datatype": {"type": "string"},
            "data": {"type": "array", "items": {}},
        },
    }
    properties = {name: {"type": "array", "items": tensor}, "id": {"type": "string"}}
    return {"type": "object", "required": [name], "properties": properties}


def _inputs(contract: Contract, most: int) -> Json:
    """What is asked by column; no schema says that all columns have the same number of rows."""
    described = _tensors("inputs", most)
    inputs = described["properties"]["inputs"]
    inputs["minItems"] = 1
    columns = (*contract.features, contract.id)
    names = [name for column in columns for name in dict.fromkeys((column.key, column.name))]
    told = inputs["items"]["properties"]
    told["name"]["enum"] = list(dict.fromkeys(names))
    told["datatype"]["enum"] = list(DATATYPES)
    return described


def _responses(schema: str, more: dict[int, str] | None = None) -> Json:
    """The replies of an address: what it answers, and the refusals by status, `more` among them."""
    responses: Json = {"200": {"description": "Answered", **_json(schema)}}
    for status, text in {**_REFUSALS, **(more or {})}.items():
        responses[str(status)] = {"description": text, **_json("Refusal")}
    return responses


def _json(schema: str, required: bool = False, **more: object) -> Json:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, **more}}
    return {"required": True, "content": content} if required else {"content": content}


def _schemas(contract: Contract, settings: Settings) -> Json:
    record = {"$ref": "#/components/schemas/AnyRecord"}
    return {
        **_parsed(contract),
        "AnyRecord": {
            "anyOf": [{"$ref": f"#/components/schemas/{n}"} for n in ("Record", "PublishedRecord")]
        },
        "Records": {"type": "array", "items": record, "maxItems": settings.max_rows},
        "Answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
        "Opinion": _object(
            {
                "id": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,80}$"},
                "agrees": {"type": "boolean"},
                "why": {"type": "string", "maxLength": 2000},
            },
            ("why",),
        ),
        "InferenceRequest": _inputs(contract, settings.max_rows),
        "InferenceReply": _tensors("outputs", settings.max_rows),
        "Kept": _object({"kept": {"const": True}}),
        "Refusal": _refusal(),
        "Model": {"type": "object"},
        "Any": {"type": "object"},
    }


def _parsed(contract: Contract) -> Json:
    """The schemas of records and answers, with the words of the contract added.

    They are made from the types that records are parsed as and answers are made of.
    """
    target = contract.target
    kind = _answer_type(contract)
    types = (*record_types(contract), kind)
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    columns = (*contract.features, contract.id)
    for column in columns:
        for record, name in (("Record", column.key), ("PublishedRecord", column.name)):
            properties = schemas[record]["properties"]
            properties[name] = _in_words(column) | _in_order(column, properties[name])
    schemas["Reason"]["additionalProperties"] = False
    schemas["Answer"] = schemas.pop(kind.__name__)
    answer = schemas["Answer"]["properties"]
    if target.quantity:
        known = f"Plausible is {target.quantity.low:.12g} to {target.quantity.high:.12g}"
        answer["value"]["description"] += f". {known}"
        answer["unit"] = {"const": target.quantity.unit}
        return schemas
    if target.several:
        answer["prediction"]["enum"] = list(target.classes)
        return schemas
    answer["label"]["enum"] = [target.negative_label, target.positive_label]
    answer["tier"]["enum"] = list(contract.tiers.names)
    answer["tier"]["description"] = f"Limits: {', '.join(map(str, contract.tiers.limits))}"
    return schemas


def _answer_type(contract: Contract) -> type[AnyAnswer]:
    """What an answer is made of."""
    if contract.target.quantity:
        return NumberAnswer
    return ClassAnswer if contract.target.several else Answer


def _in_order(column: Column, schema: Json) -> Json:
    """A schema whose values stand as the contract has them; msgspec sorts them."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_in_order(column, part) for part in schema["anyOf"]]}
    return {**schema, "enum": list(column.values)} if "enum" in schema else schema


def _in_words(column: Column) -> Json:
    """What a person is told of a column."""
    about_id = ""
    if column.role == "id":
        about_id = " The id of the row: optional, kept as a salted hash."
    schema: Json = {
        "title": column.name,
        "description": f"{column.text}{about_id} {column.allowed.capitalize()}.".strip(),
    }
    return schema if column.example is None else {**schema, "examples": [column.example]}


def _refusal() -> Json:
    text = {"type": "string"}
    row = {"type": "integer", "minimum": 0, "description": "The record of a list, from 0"}
    value = {**text, "description": "As JSON has it, its beginning; `missing` where there is none"}
    field = {"field": text, "value": value, "allowed": text}
    properties = {
        "error": text,
        "value": {**text, "description": "What is wrong, where that is no field"},
        "allowed": text,
        "fields": {
            "type": "array",
            "maxItems": SHOWN,
            "items": _object({"row": row, **field}, ("row",)),
        },
        "more": {**text, "description": f"There with {SHOWN} fields: no others were looked for"},
        "request": {**text, "description": "There with status 500"},
    }
    return _object(properties, ("value", "allowed", "fields", "more", "request"))


def _object(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
