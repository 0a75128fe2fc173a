"""The page over a model artefact, without the service around it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from bento import page
from bento.answers import answer_all, load_served


def app(
    artefact: Path, opinions: list[Mapping[str, Any]], asked: list[Mapping[str, Any]], kept: bool = True
) -> Starlette:
    """The page alone: opinions and the records that were asked about end in these lists."""
    served = load_served(artefact, "attrition:0123456789abcdef", "")

    async def answers(records: Sequence[Mapping[str, Any]], explain: bool) -> list[dict[str, Any]]:
        asked.extend(records)
        return answer_all(served, records, "answer", explain)[0]

    def opinion(given: Mapping[str, Any]) -> bool:
        opinions.append(given)
        return kept

    return Starlette(routes=page.routes(served.model.contract, answers, opinion))
