"""Whether the manifest repo under the state folder is gone: that is not "nothing is live"."""

from flows.engine.outcome import recorded
from flows.project.settings import Settings
from sluice.errors import UsageError


def require_repo(settings: Settings, model: str) -> None:
    """Raise UsageError where a release of the model was numbered, and the repo under the state
    folder that knew the number is not there. A repo elsewhere answers for itself.
    """
    if settings.manifests or (settings.home / "manifests.git").exists():
        return
    kept = [recorded(settings.home, model, name) for name in ("last", "refused")]
    numbers = [outcome.release for outcome in kept if outcome and outcome.release]
    if numbers:
        raise UsageError(
            f"the manifest repo that knew release {max(numbers)} of {model} is gone:"
            f" {settings.manifest_url}",
            "Put it back from a backup. To begin anew without it, name another folder in"
            " SLUICE_HOME.",
        )
