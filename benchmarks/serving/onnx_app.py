"""FastAPI with the same ONNX model, written by hand for this one contract: the best that one writes
without Sluice.

The same validation (pydantic, strict, nothing extra) and the same answer; reasons are computed by
the same code.
"""

import os
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import ConfigDict, Field, TypeAdapter, create_model

from sluice.served.histograms import read_histograms
from sluice.served.reasons import in_words
from sluice.served.scoring import load_model, score_matrix
from sluice.served.shapley import background, contributions

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
FOLDER = Path(os.environ["SLUICE_MODEL_DIR"])
MODEL = load_model(FOLDER)
REFERENCE = msgspec.json.decode((FOLDER / "reference.json").read_bytes())
BACKGROUND = background(MODEL.contract, read_histograms(REFERENCE), MODEL.session, MODEL.layout)
FIELDS: dict[str, Any] = {}
for column in MODEL.contract.features:
    if column.numeric:
        bounds = Field(ge=int(column.minimum or 0), le=int(column.maximum or 0), strict=True)
        FIELDS[column.key] = (int, bounds)
    else:
        FIELDS[column.key] = (Literal[column.values], ...)
Record = create_model("Record", __config__=ConfigDict(extra="forbid"), **FIELDS)
ONE = TypeAdapter(Record)
MANY = TypeAdapter(list[Record])  # type: ignore[valid-type]
PLACES = [(c.key, {v: float(p) for p, v in enumerate(c.values)}) for c in MODEL.contract.features]
ROLES = MODEL.contract.find("job_role").values  # type: ignore[union-attr]
MID = 1.0
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """One record, validated from the bytes, which is quicker than a parameter of the model's
    type.
    """
    records = [ONE.validate_json(await request.body())]
    return Response(
        msgspec.json.encode(_answers(records, _reasons(request))[0]), media_type="application/json"
    )


@app.post("/predict_batch")
async def predict_batch(request: Request) -> Response:
    """A list."""
    records = MANY.validate_json(await request.body())
    return Response(
        msgspec.json.encode(_answers(records, _reasons(request))), media_type="application/json"
    )


def _reasons(request: Request) -> bool:
    return request.scope["query_string"] != b"reasons=0"


def _row(values: dict[str, Any], numbers: list[float]) -> list[float]:
    years, tenure = values["years_at_company"], values["company_tenure"]
    role = values["job_role"]
    row: list[float] = []
    for (key, _), number in zip(PLACES, numbers, strict=True):
        row += [float(role == name) for name in ROLES] if key == "job_role" else [number]
    level = numbers[LEVEL]
    return [
        *row,
        years / (tenure + 1),
        tenure - years,
        float(years <= 2),
        float(tenure > 5 and level <= MID),
    ]


LEVEL = [key for key, _ in PLACES].index("job_level")


def _answers(records: list[Any], why: bool) -> list[dict[str, Any]]:
    values = [record.__dict__ for record in records]
    numbers = [[places[v[key]] if places else v[key] for key, places in PLACES] for v in values]
    rows = [_row(*pair) for pair in zip(values, numbers, strict=True)]
    scores = score_matrix(MODEL.session, np.array(rows, dtype=np.float32))
    said = [
        {
            "id": os.urandom(8).hex(),
            "prediction": int(share >= MODEL.threshold),
            "label": "Leave" if share >= MODEL.threshold else "Stay",
            "probability": share,
            "tier": MODEL.contract.tiers.of(share),
            "threshold": MODEL.threshold,
            "model": "attrition:0123456789abcdef",
            "image": None,
        }
        for share in scores.tolist()
    ]
    if why:
        given = np.array(numbers)
        found = contributions(MODEL.session, MODEL.layout, BACKGROUND, given, scores)
        words = in_words(MODEL.contract, given, found, BACKGROUND.baseline)
        for answer, explained in zip(said, words, strict=True):
            answer["baseline"] = explained.baseline
            answer["reasons"] = explained.reasons
            answer["others"] = explained.others
    return said
