"""Whether a candidate and its champion are both of generated rows, or both of somebody's data.

Where one is and the other is not, their comparison says little, and a person is told.
"""

from flows.adapters.registry import registry
from flows.engine.request import Request
from flows.project.data_source import generated, is_generated
from sluice.errors import SluiceError, UsageError
from sluice.gitops.evidence import NAME, read_evidence
from sluice.gitops.state import Champion

_ANEW = 'How to begin anew: "Begin anew" in docs/operations.md.'


def warning(request: Request) -> str:
    """What a person is told of a comparison between generated rows and data; empty where there is
    nothing to tell, or where the registry does not say what the champion was trained on.
    """
    champion = request.champion
    if champion is None or champion.data == request.data.sha256:
        return ""
    name = f"release {champion.release}, the champion, was trained on"
    candidate, other = _is_candidate(request), _is_champion(request, champion)
    if other and not candidate:
        return (
            f"{name} generated rows, so a comparison with it says little about your data. {_ANEW}"
        )
    if candidate and other is False:
        return f"these rows are generated, and {name} others, so a comparison says little. {_ANEW}"
    return ""


def _is_candidate(request: Request) -> bool:
    if generated(request.data.reference):
        return True
    try:
        return is_generated(request.settings, request.model, request.data.path)
    except UsageError:  # no pointer, or a wrong one: a file that was named needs none
        return False


def _is_champion(request: Request, champion: Champion) -> bool | None:
    """Whether it was trained on generated rows, by its evidence; None where that is not there."""
    try:
        files = registry.pull_files(request.place, champion.evidence)
        told = read_evidence(files[NAME]).data
    except (SluiceError, KeyError):
        return None
    return generated(told.source) if told else None
