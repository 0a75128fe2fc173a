"""When a rollout began, from when its canary was seen."""

from collections.abc import Set as AbstractSet

LEAST = 5  # minutes in which stable is seen and the canary is not: it was another rollout before


def beginning(canary: AbstractSet[int], stable: AbstractSet[int]) -> int | None:
    """The first minute of the newest rollout of a canary, None where it was never seen.

    `canary` and `stable` are the minutes in which each was scraped, as whole minutes of the epoch.
    A version that was a canary before, and comes back, begins anew: minutes without it lie between,
    in which stable was there. Minutes without either are an outage of Prometheus, and end nothing.
    """
    if not canary:
        return None
    first, missed = max(canary), 0
    for minute in range(max(canary), min(canary) - 1, -1):
        if minute in canary:
            first, missed = minute, 0
        elif minute in stable:
            missed += 1
            if missed >= LEAST:
                break
    return first
