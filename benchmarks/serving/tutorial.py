"""The way of tutorials: FastAPI, a pandas frame a request, features engineered with pandas,
scikit-learn behind it.
"""

from typing import Any

import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

from benchmarks.serving.model import contract, prepare, trained

FIELDS: dict[str, Any] = {
    column.key: (int if column.numeric else str, ...) for column in contract().features
}
Record = create_model("Record", **FIELDS)
MODEL = trained()[0]
app = FastAPI()


@app.post("/predict")
def predict(record: Record) -> dict[str, Any]:  # type: ignore[valid-type]
    """One record."""
    return _answers([record])[0]


@app.post("/predict_batch")
def predict_batch(records: list[Record]) -> list[dict[str, Any]]:  # type: ignore[valid-type]
    """A list."""
    return _answers(records)


def _answers(records: list[Any]) -> list[dict[str, Any]]:
    frame = pd.DataFrame([record.model_dump() for record in records])
    return [
        {
            "prediction": int(share >= 0.5),
            "label": "Leave" if share >= 0.5 else "Stay",
            "probability": float(share),
        }
        for share in MODEL.predict_proba(prepare(frame))[:, 1]
    ]
