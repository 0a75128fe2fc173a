"""A client of the running service, over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import numpy as np

from sluice.errors import SluiceError


def ask(url: str, records: Sequence[Mapping[str, Any]], timeout: float = 30.0) -> np.ndarray:
    """The probabilities that a service gives for these records, float64, shape (rows,)."""
    with httpx2.Client(base_url=url, timeout=timeout, trust_env=False) as client:
        single = client.post("/predict", json=records[0])
        many = client.post("/predict_batch", json=list(records))
    for answer in (single, many):
        if answer.status_code != httpx2.codes.OK:
            raise SluiceError(
                f"{answer.url.path} answered {answer.status_code}: {answer.text[:300]}",
                "See its log.",
            )
    scores = np.array([answer["probability"] for answer in many.json()], dtype=np.float64)
    if abs(scores[0] - single.json()["probability"]) > 1e-6:
        raise SluiceError(
            "/predict and /predict_batch give different scores for one record",
            "See the service's log.",
        )
    return scores
