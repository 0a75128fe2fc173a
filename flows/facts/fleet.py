"""What the steps of a fleet found out."""

from msgspec import Struct


class ShardTaught(Struct, frozen=True):
    """How many models of a shard were taught."""

    models: int


class ShardJudged(Struct, frozen=True):
    """How many models of a shard were judged, and how many of these pass by themselves."""

    models: int
    passing: int


class FleetWritten(Struct, frozen=True):
    """How many models are in the artifact."""

    models: int
