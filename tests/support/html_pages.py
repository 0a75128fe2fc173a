"""The page over a model artifact, without the service around it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette

from bento import page
from bento.answers import answer_many, load_served
from bento.http.answer import Answer
from bento.http.request_parameters import Opinion
from sluice.served.model_quality import model_quality
from sluice.served.records import read_all


def app(
    artifact: Path,
    opinions: list[Mapping[str, Any]],
    asked: list[Mapping[str, Any]],
    kept: bool = True,
    persons: list[str] | None = None,
) -> Starlette:
    """The page alone: opinions, the records that were asked about and their persons end in these
    lists.
    """
    served = load_served(artifact, "attrition:0123456789abcdef", "")

    async def answers(records: Sequence[Mapping[str, Any]], whom: Sequence[str]) -> list[Answer]:
        asked.extend(records)
        if persons is not None:
            persons.extend(whom)
        numbers = read_all(served.model.contract, records)
        return await answer_many(served, numbers, "answer", page.EXPLAINED)

    def keep(given: Opinion) -> bool:
        opinions.append(msgspec.structs.asdict(given))
        return kept

    quality = model_quality(served.metrics)
    return Starlette(routes=page.routes(served.model.contract, quality, answers, keep))
