"""The Open Inference Protocol, version 2: columns in the place of records, and the same answers.

A tensor is one column of the contract, by key or published name, of shape [rows] or [rows, 1]. A
column that may be missing is left out for all rows, or is null in some.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bento.http.answer import AnyAnswer
from bento.http.json_door import decoded
from bento.http.request_body import Refusal
from bento.http.wrong_body import RECORD_BYTES, names_once, not_json, parse_one, shown, too_long
from sluice.served.contract import Column, Contract

PREFIX = "/v2"
_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
DATATYPES = ("BOOL", "BYTES", *_INTEGERS, "FP16", "FP32", "FP64")
_KINDS = {"integer": "INT64", "number": "FP64", "boolean": "BOOL"}
# What an answer is told of a row, and of which type that is.
OUTPUTS = {
    "probability": "FP64",
    "prediction": "INT64",
    "label": "BYTES",
    "tier": "BYTES",
    "id": "BYTES",
}
# The same of several classes; `probabilities` has one for each class, in the order of the contract.
_ALL = "probabilities"
OUTPUTS_OF_CLASSES = {"probability": "FP64", "prediction": "BYTES", _ALL: "FP64", "id": "BYTES"}
OUTPUTS_OF_NUMBERS = {"value": "FP64", "outside": "BOOL", "bin": "INT64", "id": "BYTES"}
_REQUEST = "inputs, each with name, shape, datatype and data; id and outputs where wanted"
_MOST_NAMED = 80  # characters of a name that a refusal quotes


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """A column of a request: its values, row by row, flat or nested as its shape is."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request for answers."""

    inputs: list[_Tensor]
    id: str = ""
    outputs: list[_Wanted] = []
    parameters: dict[str, Any] | None = None


class Asked(msgspec.Struct, frozen=True):
    """What is asked for: the values of so many rows by the name of their column, the name of the
    request, empty for none, and the outputs that are wanted.
    """

    columns: dict[str, Sequence[object]]
    rows: int
    name: str
    outputs: tuple[str, ...]


_DECODER = msgspec.json.Decoder(_Request)


def asked(body: bytes, contract: Contract, most: int) -> Asked:
    """The columns of a body of at most `most` rows. Raise Refusal; whether their values are allowed
    is for the reader of records to say.
    """
    request = decoded(_DECODER, body)
    if request is None:
        raise _not_understood(body)
    names_once(body, _names(request))
    if not 1 <= len(request.inputs) <= len(contract.columns):
        what = f"{len(request.inputs)} inputs"
        raise _refused("the request has not the inputs of the model", what, "one for each column")
    columns: dict[str, Sequence[object]] = {}
    known: set[str] = set()
    for tensor in request.inputs:
        column = contract.find(tensor.name)
        key = column.key if column else tensor.name
        if key in known:
            raise _refused("an input stands twice", tensor.name, "each column once")
        known.add(key)
        columns[tensor.name] = _values(tensor, most)
    rows = {len(values) for values in columns.values()}
    if len(rows) > 1:
        counted = ", ".join(f"{name[:20]}: {len(values)}" for name, values in columns.items())
        raise _refused("the inputs have not the same number of rows", counted, "one number of rows")
    outputs = outputs_of(contract)
    wanted = tuple(dict.fromkeys(one.name for one in request.outputs)) or tuple(outputs)
    for name in wanted:
        if name not in outputs:
            raise _refused("an output is not known", name, ", ".join(outputs))
    return Asked(columns, rows.pop(), request.id, wanted)


def outputs_of(contract: Contract) -> Mapping[str, str]:
    """The outputs of a model by name, with the type of each."""
    if contract.target.quantity:
        return OUTPUTS_OF_NUMBERS
    return OUTPUTS_OF_CLASSES if contract.target.several else OUTPUTS


def answered(
    request: Asked, answers: Sequence[AnyAnswer], contract: Contract, model: str, version: str
) -> bytes:
    """The body of the reply; `model` and `version` are what is served."""
    outputs = [
        {
            "name": name,
            "datatype": outputs_of(contract)[name],
            "shape": [len(answers), *_more(name, contract)],
            "data": _data(name, answers),
        }
        for name in request.outputs
    ]
    reply: dict[str, object] = {"model_name": model, "model_version": version, "outputs": outputs}
    if request.name:
        reply["id"] = request.name
    return msgspec.json.encode(reply)


def _more(name: str, contract: Contract) -> list[int]:
    """How many numbers a row has of an output, where that is not one."""
    return [len(contract.target.classes)] if name == _ALL else []


def _data(name: str, answers: Sequence[AnyAnswer]) -> list[object]:
    """The values of an output, row by row."""
    values: list[object] = []
    for answer in answers:
        value = getattr(answer, name)
        values += value.values() if name == _ALL else [value]
    return values


def described(contract: Contract, model: str, version: str) -> bytes:
    """What the protocol tells of a model."""
    document = {
        "name": model,
        "versions": [version],
        "platform": "onnx",
        "inputs": [_input(column) for column in contract.features],
        "outputs": [
            {"name": name, "datatype": kind, "shape": [-1, *_more(name, contract)]}
            for name, kind in outputs_of(contract).items()
        ],
    }
    return msgspec.json.encode(document)


def server(version: str) -> bytes:
    """What the protocol tells of the server."""
    return msgspec.json.encode({"name": "sluice", "version": version, "extensions": []})


def _input(column: Column) -> Mapping[str, object]:
    datatype = _KINDS.get(column.kind, "BYTES")
    return {"name": column.key, "datatype": datatype, "shape": [-1]}


def _values(tensor: _Tensor, most: int) -> Sequence[object]:
    """The values of a tensor, one for each row. Raise Refusal."""
    shape = tensor.shape
    if tensor.datatype not in DATATYPES:
        what = f"{tensor.name}: {tensor.datatype}"
        raise _refused("the datatype of an input is not known", what, ", ".join(DATATYPES))
    if not 1 <= len(shape) <= 2 or shape[0] < 0 or shape[1:] not in ([], [1]):
        what = f"{tensor.name}: {shown(shape)}"
        raise _refused("the shape of an input is no column", what, "[rows] or [rows, 1]")
    if shape[0] > most:
        raise too_long(most)
    values = tensor.data
    if len(shape) == 2 and all(isinstance(row, list) and len(row) == 1 for row in values):
        values = [row[0] for row in values]
    if len(values) != shape[0]:
        what = f"{tensor.name}: {len(values)} values"
        raise _refused("an input has not as many values as its shape says", what, shown(shape))
    return values


def _names(request: _Request) -> int:
    """How many names a body has whose optional parts are what was read; parameters hold more."""
    tensors = 4 * len(request.inputs)
    return 1 + bool(request.id) + bool(request.outputs) + tensors + len(request.outputs)


def _not_understood(body: bytes) -> Refusal:
    """The refusal of a body that is no request of the protocol, or no JSON."""
    if len(body) <= RECORD_BYTES:
        _, fault = parse_one(body, "a request of the Open Inference Protocol, an object")
        if fault:
            return not_json(fault)
    return Refusal(
        400,
        "json",
        "the body is no request of the Open Inference Protocol, version 2",
        allowed=_REQUEST,
    )


def _refused(what: str, value: str, allowed: str) -> Refusal:
    text = value[:_MOST_NAMED].encode("utf-8", "replace").decode()
    return Refusal(400, "fields", what, value=text, allowed=allowed)
