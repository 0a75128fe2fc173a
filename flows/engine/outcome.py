"""How a release ended: one word, its exit code, and what a person is told."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from flows.adapters.failpoints import boundary
from flows.adapters.files import write_atomic
from sluice.model.json_file import decode_json

# outcome -> exit code (0 done, nothing to do, the champion stays; 3 refused)
EXIT = {
    "promoted": 0,
    "nothing to do": 0,
    "hold": 0,
    "superseded": 0,
    "held": 0,
    "proposed": 0,
    "parked": 0,
    "waiting": 0,
    "held for approval": 0,
    "no builder": 0,
    "refused": 3,
    "quarantined": 3,
}


@dataclass(frozen=True)
class Outcome:
    """The end of a release, JSON-able; a text is empty where it did not come that far, `overlay`
    for production. `compared` says why the comparison with the champion says little, where it does.
    """

    outcome: str
    sentence: str
    model: str
    verdict: str = ""
    tag: str = ""
    digest: str = ""
    reference: str = ""
    commit: str = ""
    release: int = 0
    evidence: str = ""
    summary: str = ""
    branch: str = ""
    override: str = ""
    policy_changed: str = ""
    proposal: str = ""
    overlay: str = ""
    compared: str = ""

    @property
    def exit_code(self) -> int:
        """0 or 3."""
        return EXIT[self.outcome]


@boundary("outcome.record")
def record(home: Path, outcome: Outcome) -> None:
    """Keep the newest outcome of a model, and apart from it the newest refusal, for `sluice
    status`.
    """
    content = json.dumps(asdict(outcome), indent=1).encode()
    write_atomic(home / "outcomes" / outcome.model / "last.json", content)
    if EXIT[outcome.outcome] == 3:
        write_atomic(home / "outcomes" / outcome.model / "refused.json", content)


def forget(home: Path, model: str) -> None:
    """Take the newest outcome away: what is there after a run is then that of this run, whatever
    the clocks say.
    """
    (home / "outcomes" / model / "last.json").unlink(missing_ok=True)


def recorded(home: Path, model: str, name: str) -> Outcome | None:
    """The outcome kept under `last` or `refused`; None where there is none."""
    path = home / "outcomes" / model / f"{name}.json"
    try:
        return decode_json(path.read_bytes(), Outcome, str(path))
    except FileNotFoundError:
        return None
