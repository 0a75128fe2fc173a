"""What ships: a model artefact behind two HTTP endpoints. One record in one answer out, or a list of each."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bentoml

from sluice.encoding import InvalidFields
from sluice.scoring import load_model

# Inside a Bento the artefact lies beside the packages; `bentoml serve` from a checkout names one.
_BESIDE = Path(__file__).resolve().parent.parent / "model"


@bentoml.service(name="sluice", workers=1, traffic={"timeout": 10})
class Service:
    """Serves one model artefact; holds no state beyond it."""

    def __init__(self) -> None:
        self.model = load_model(Path(os.environ.get("SLUICE_MODEL_DIR") or _BESIDE))
        context = bentoml.server_context
        self.name = f"{context.bento_name or 'local'}:{context.bento_version or 'local'}"

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    async def predict(self, record: dict[str, Any], /, ctx: bentoml.Context) -> dict[str, Any]:
        """One record: field names to values, as the contract publishes them."""
        try:
            return self._answers([record])[0]
        except InvalidFields as refused:
            return _refusal(refused, ctx)

    @bentoml.api(route="/predict_batch")  # type: ignore[untyped-decorator]
    async def predict_batch(self, records: list[dict[str, Any]], /, ctx: bentoml.Context) -> Any:
        """A list of records; the answers in the same order. One wrong field refuses the list."""
        try:
            return self._answers(records) if records else []
        except InvalidFields as refused:
            return _refusal(refused, ctx)

    def _answers(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        target, threshold = self.model.contract.target, self.model.threshold
        return [
            {
                "prediction": int(probability >= threshold),
                "label": target.positive_label if probability >= threshold else target.negative_label,
                "probability": float(probability),
                "threshold": threshold,
                "model": self.name,
            }
            for probability in self.model.score_records(records)
        ]


def _refusal(refused: InvalidFields, ctx: bentoml.Context) -> dict[str, Any]:
    """Status 400 and, for each wrong field, its value and what is allowed."""
    ctx.response.status_code = 400
    return {"error": "fields that the contract does not allow", "fields": [asdict(error) for error in refused.errors]}
