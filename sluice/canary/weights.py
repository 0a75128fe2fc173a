"""Can the pods of a Rollout be divided as its steps say?"""

from sluice.canary.rollout import Rollout
from sluice.percent import percent


def thin(rollout: Rollout) -> str:
    """Why a step cannot have its weight, in a sentence; empty where each can.

    Without a router a version has the share of the traffic that it has of the pods, and a step
    with less than one pod is given one.
    """
    canary = rollout.spec.strategy.canary
    if canary.traffic_routing:
        return ""
    weights = [step.set_weight for step in canary.steps if step.set_weight]
    least = min(weights, default=100)
    pods = rollout.spec.replicas * least / 100
    if pods >= 1:
        return ""
    needed, there = -(-100 // least), rollout.spec.replicas
    return (
        f"A step of {least} % of {there} pods is {pods:.2g} pods; 1 is required, and the canary"
        f" gets {percent(1 / (there or 1), 0)} or more. Give it {needed} pods, or a router."
    )
