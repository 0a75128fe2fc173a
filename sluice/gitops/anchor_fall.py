"""How far a release would fall behind the anchor that it replaces, measure by measure.

Both are taken as they were measured when they were released, each on the holdout of its time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from sluice.gitops.evidence import Evidence
from sluice.model.quality.diagnostics_file import CalibrationCell
from sluice.model.quality.metrics_file import Group
from sluice.policy import AnchorPolicy

_ROUNDING = 1e-9  # a fall of exactly what may be is none too many, whatever its last bit


@dataclass(frozen=True)
class Measured:
    """What is known of a release; None, or no groups, where it is not.

    `calibration` is the mean distance of probability and outcome, `groups` are by `segment: group`.
    Of a number `skill` is known and nothing else but groups, whose recall is their skill.
    """

    recall: float | None
    precision: float | None
    calibration: float | None
    groups: Mapping[str, "Group | OfClasses"]
    skill: float | None = None


@dataclass(frozen=True)
class OfClasses:
    """A group where the target has several classes: its mean recall over them, and its rows, which
    are what a positive is there. Of a number it is the skill in the place of the recall.
    """

    recall: float
    positives: int


@dataclass(frozen=True)
class Fall:
    """A measure of both, and how far it may fall; `low_is_good` where less is better.

    `few` says that a group has too few positives to be judged.
    """

    measure: str
    before: float | None
    after: float | None
    limit: float
    low_is_good: bool = False
    few: bool = False

    @property
    def by(self) -> float | None:
        """How far it falls, less than 0 where it rises; None where one of both is unknown."""
        if self.before is None or self.after is None:
            return None
        rise = self.after - self.before
        return rise if self.low_is_good else -rise

    @property
    def too_far(self) -> bool:
        """Whether it falls further than it may."""
        return not self.few and self.by is not None and self.by > self.limit + _ROUNDING

    def __str__(self) -> str:
        if self.by is None:
            return f"{self.measure} is unknown: {self._known()}"
        what = f"{self.measure} {self.before:.4f} to {self.after:.4f}"
        if self.few:
            return f"{what}, too few positives to judge"
        if self.by <= 0:
            return f"{what}, no worse"
        return f"{what}, {self.by:.4f} worse; at most {self.limit:g} may be"

    def _known(self) -> str:
        if self.before is not None:
            return f"it was {self.before:.4f}, and the release that becomes the anchor has none"
        if self.after is not None:
            return f"it is {self.after:.4f}, and the anchor before has none"
        return "neither release has it"


def measured(
    recall: float | UnsetType, precision: float | UnsetType, evidence: Evidence | None
) -> Measured:
    """What the record of a release and its evidence say; a recall or precision of 0 is none."""
    groups: dict[str, Group | OfClasses] = {}
    if evidence and evidence.class_metrics:
        for segment, classes in evidence.class_metrics.segments.items():
            groups |= {
                f"{segment}: {name}": OfClasses(group.recall, group.rows)
                for name, group in classes.items()
            }
    if evidence and evidence.metrics:
        for segment, found in evidence.metrics.segments.items():
            groups |= {f"{segment}: {name}": group for name, group in found.items()}
    skill = None
    if evidence and evidence.number_metrics:
        found_number = evidence.number_metrics
        skill = found_number.holdout.skill
        for segment, numbers in found_number.segments.items():
            groups |= {
                f"{segment}: {name}": OfClasses(
                    1 - one.mae / max(found_number.holdout.naive_mae, 1e-300), one.rows
                )
                for name, one in numbers.items()
            }
    calibration = None
    if evidence and evidence.diagnostics:
        calibration = _gap(evidence.diagnostics.candidate.calibration)
    return Measured(_known(recall), _known(precision), calibration, groups, skill)


def _known(share: float | UnsetType) -> float | None:
    return None if share is UNSET else share or None


def _gap(cells: Sequence[CalibrationCell]) -> float | None:
    rows = sum(cell.rows for cell in cells)
    if not rows:
        return None
    return sum(cell.rows * abs(cell.score - cell.share) for cell in cells) / rows


def falls(before: Measured, after: Measured, policy: AnchorPolicy, least: int) -> list[Fall]:
    """Every measure of the anchor before and of the release that becomes it.

    `least` is how many positives a group needs in both to be judged. Of a number it is the skill
    that may fall as far as a recall.
    """
    if before.skill is not None or after.skill is not None:
        return [
            Fall("skill", before.skill, after.skill, policy.recall_fall),
            *_group_falls(before, after, policy.group_fall, least, "skill"),
        ]
    return [
        Fall("recall", before.recall, after.recall, policy.recall_fall),
        Fall("precision", before.precision, after.precision, policy.precision_fall),
        Fall(
            "calibration gap",
            before.calibration,
            after.calibration,
            policy.calibration_fall,
            low_is_good=True,
        ),
        *_group_falls(before, after, policy.group_fall, least, "recall"),
    ]


def _group_falls(
    before: Measured, after: Measured, limit: float, least: int, what: str
) -> Iterator[Fall]:
    if not before.groups and not after.groups:
        yield Fall(f"{what} of groups", None, None, limit)
    for name in dict.fromkeys([*before.groups, *after.groups]):
        old, new = before.groups.get(name), after.groups.get(name)
        known = [group for group in (old, new) if group is not None]
        yield Fall(
            f"{what} of {name}",
            old.recall if old else None,
            new.recall if new else None,
            limit,
            few=any(group.positives < least for group in known),
        )
