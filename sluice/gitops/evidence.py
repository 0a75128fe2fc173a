"""evidence.json as it is read again later: the parts that lineage, verify and reproduce use.

Everything else in the file is left alone. A part that the file does not have is empty.
"""

import json
from collections.abc import Mapping

import msgspec
from msgspec import Struct


class Data(Struct, frozen=True):
    """The table: SHA-256 of the file, its rows, and where it came from."""

    sha256: str = ""
    rows: int = 0
    source: str = ""


class Metrics(Struct, frozen=True):
    """What was measured: rows by part of the split; metrics of the holdout by name, and their
    intervals, beside whose names stands `level`.
    """

    rows: dict[str, int] = {}
    holdout: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float] | float | None] = {}


class Provenance(Struct, frozen=True):
    """What predictions may depend on besides the data; `inputs` are hashes by step and name."""

    lock: str = ""
    interpreter: str = ""
    platform: str = ""
    system: str = ""
    hardware: str = ""
    blas: list[str] = []
    versions: dict[str, str] = {}
    seeds: dict[str, int | str] = {}
    inputs: dict[str, dict[str, str]] = {}

    def input(self, step: str, name: str) -> str:
        """The hash of an input of a step; empty where it is not on record."""
        return self.inputs.get(step, {}).get(name, "")


class Rule(Struct, frozen=True):
    """A rule of the gate in a verdict; `passed` is None where it was not decided."""

    passed: bool | None = None
    sentence: str = ""


class Verdict(Struct, frozen=True):
    """The verdict: its word, why, and the rules."""

    verdict: str = ""
    sentence: str = ""
    rules: list[Rule] = []


class Evidence(Struct, frozen=True):
    """The parts of evidence.json that are read. `verdict` has all that the gate said, as it said
    it; `seals` and `lineage` are hashes by name.
    """

    model: str = ""
    data: Data | None = None
    metrics: Metrics | None = None
    verdict: dict[str, object] | None = None
    seals: dict[str, str] | None = None
    lineage: dict[str, str] | None = None
    provenance: Provenance | None = None
    override: str | None = None
    policy_changed: str | None = None

    @property
    def judged(self) -> Verdict:
        """What is shown of the verdict; empty where there is none. Raises ValueError."""
        return read_verdict(self.verdict or {})

    @property
    def model_hash(self) -> str:
        """The hash of the model artifact; evidence of version 0.1.0 spelled its label
        differently.
        """
        lineage = self.lineage or {}
        return lineage.get("model artifact") or lineage.get("model artefact", "")


def read_evidence(content: bytes) -> Evidence:
    """Read evidence.json. Raises ValueError for what is no JSON or has other types."""
    return msgspec.convert(json.loads(content), Evidence)


def read_provenance(content: bytes) -> Provenance:
    """Read provenance.json. Raises ValueError for what is no JSON or has other types."""
    return msgspec.convert(json.loads(content), Provenance)


def read_verdict(verdict: Mapping[str, object]) -> Verdict:
    """What is shown of a verdict. Raises ValueError for other types."""
    return msgspec.convert(verdict, Verdict)
