"""What the step of the gate depends on."""

from dataclasses import replace

from support.holdouts import LIMITS

from flows.steps.gate import limits
from sluice.policy import GroupFloor


def test_every_limit_of_the_policy_is_in_the_key() -> None:
    """Floors of groups are no plain values, as all other limits are."""
    changed = [
        replace(LIMITS, recall_floor=0.73),
        replace(LIMITS, segments_required=("gender",)),
        replace(LIMITS, group_floors=(GroupFloor("gender = Female", 0.7),)),
        replace(LIMITS, group_floors=(GroupFloor("gender = Female", 0.71),)),
    ]
    keys = {limits(policy) for policy in (LIMITS, *changed)}
    assert len(keys) == 5
    assert limits(replace(LIMITS)) == limits(LIMITS)
