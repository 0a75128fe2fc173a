"""MLflow's alias `champion`, where a tracking server is set: what git names after a canary."""

from flows.adapters import tracking
from flows.adapters.git import git
from flows.gitops import manifest_repo
from flows.project.settings import Settings
from sluice.gitops import trailers

_ALIAS = "champion"


def follow(settings: Settings, model: str) -> str:
    """Move the alias to the release that git names; a sentence where it could not be moved, else
    empty. It may be done again and again, so whoever was killed before it does it the next time.
    """
    if not settings.tracking_uri:
        return ""
    live = manifest_repo.live(settings, model)
    if live is None or live.champion is None:
        return ""
    wanted = live.champion.promotion
    for _, _, message in git.log(settings.remote, settings.branch):
        named = trailers.known(trailers.read_trailers(message))
        if wanted and named.promotion_id == wanted and named.mlflow_key:
            return tracking.move_alias(settings.tracking_uri, model, named.mlflow_key, _ALIAS)
    return "MLflow's alias was not moved: the commit of this release is too far back."
