"""How good a model is, from the metrics.json that travels with it: how often it errs, what other
thresholds would flag, and how it does by group.

Measured on the validation rows, which the threshold was chosen on: new rows may do worse. A file of
an older version has neither thresholds nor groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sluice.served.error_rates import ErrorRates, Rate, alike_of, error_rates, rate

Json = Mapping[str, object]


@dataclass(frozen=True)
class Cut:
    """What is flagged from a threshold on.

    `flagged` is of all rows, `precision` of the flagged rows, `recall` of the positive ones; the
    last two are None where there is no such row.
    """

    threshold: float
    flagged: Rate | None
    precision: Rate | None
    recall: Rate | None

    @property
    def share(self) -> float:
        """The share of the rows that is flagged."""
        return self.flagged.share if self.flagged else 0.0


@dataclass(frozen=True)
class Group:
    """A group; its numbers are None where it is too small, precision also where none is flagged."""

    name: str
    rows: int | None
    flagged: Rate | None
    precision: Rate | None
    recall: Rate | None


@dataclass(frozen=True)
class Segment:
    """The groups of a segment, in the order in which people list them."""

    name: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class ModelQuality:
    """How good a model is on `rows` validation rows.

    `cuts` go from the highest threshold down, `shipped` is the one that the model ships with. A
    group with fewer than `least` rows of either outcome is too small.
    """

    rows: int
    errors: ErrorRates
    shipped: Cut
    cuts: tuple[Cut, ...]
    segments: tuple[Segment, ...]
    least: int

    def flagging(self, share: float) -> Cut | None:
        """The threshold that flags the share of rows nearest to this one; None without any."""
        return min(self.cuts, key=lambda cut: abs(cut.share - share), default=None)

    def from_score(self, score: float) -> Cut | None:
        """The highest threshold that flags a row of this score; None where none is known."""
        flagging = (cut for cut in self.cuts if cut.threshold <= score)
        return max(flagging, key=lambda cut: cut.threshold, default=None)


def model_quality(metrics: Json) -> ModelQuality:
    """What a metrics.json says. Raise KeyError where it lacks what every version has."""
    counts = cast("Mapping[str, int]", metrics["rows"])
    shares = cast("Mapping[str, float]", metrics["validation"])
    rows, positives = counts["validation"], counts["validation_positives"]
    flagged, found = round(shares["share_flagged"] * rows), round(shares["recall"] * positives)
    groups = cast("Json", metrics.get("groups") or {})
    alike = alike_of(metrics)
    return ModelQuality(
        rows=rows,
        errors=error_rates(metrics),
        shipped=_cut(cast("float", metrics["threshold"]), flagged, found, (rows, positives), alike),
        cuts=_cuts(cast("Json", metrics.get("curve") or {}), (rows, positives), alike),
        segments=_segments(cast("Sequence[Json]", groups.get("segments", ())), alike),
        least=cast("int", groups.get("least", 0)),
    )


def _cuts(curve: Json, of: tuple[int, int], alike: float) -> tuple[Cut, ...]:
    """The thresholds of a curve; `of` are the rows, and the positive ones among them. So many rows
    count as one in an interval as are `alike`.
    """
    thresholds = cast("Sequence[float]", curve.get("thresholds", ()))
    flagged = cast("Sequence[int]", curve.get("flagged", ()))
    found = cast("Sequence[int]", curve.get("found", ()))
    return tuple(_cut(*point, of, alike) for point in zip(thresholds, flagged, found, strict=True))


def _cut(threshold: float, flagged: int, found: int, of: tuple[int, int], alike: float) -> Cut:
    rows, positives = of
    return Cut(
        threshold,
        rate(flagged, rows, alike),
        rate(found, flagged, alike),
        rate(found, positives, alike),
    )


def _segments(segments: Sequence[Json], alike: float) -> tuple[Segment, ...]:
    found = []
    for segment in segments:
        groups = tuple(_group(group, alike) for group in cast("Sequence[Json]", segment["groups"]))
        found.append(Segment(str(segment["name"]), groups))
    return tuple(found)


def _group(group: Json, alike: float) -> Group:
    """A group; the counts are worked out from its shares, which are exact."""
    name = str(group["name"])
    if group["measured"] is None:
        return Group(name, None, None, None, None)
    counts = cast("Mapping[str, int]", group["measured"])
    shares = cast("Mapping[str, float]", group["measured"])
    rows, positives = counts["rows"], counts["positives"]
    flagged, found = round(shares["share_flagged"] * rows), round(shares["recall"] * positives)
    return Group(
        name,
        rows,
        rate(flagged, rows, alike),
        rate(found, flagged, alike),
        rate(found, positives, alike),
    )
