"""What a release with something left to do would end with, looked at before it does anything.

A plan and a release ask the same questions here, so they refuse with the same sentence.
"""

import functools

from flows.adapters.git import git
from flows.adapters.git.access import Access
from flows.decision import baselines, override
from flows.engine.phases import Candidate
from flows.engine.request import Request
from flows.gitops import deploy_files, ledger, statement_key
from flows.orchestration.registered import require_registry
from flows.project.free_space import require_space

# What a release says that ends without an image, and a plan before it.
UNBUILT = (
    "image and commit are left out: no podman, buildah or docker works here (install podman, run"
    " again)"
)


def require_possible(request: Request, candidate: Candidate | None) -> None:
    """Raise what a release of this request would be refused for; nothing is written.

    That includes a login that may read and not write: it would be found at the end, after hours
    perhaps. `candidate` is known where it was trained before: then its override is looked at too.
    """
    settings = request.settings
    require_space(settings.home)
    git.require_author(settings.signature)
    statement_key.require(settings)
    ledger.require_whole(settings, request.model, request.live.release if request.live else 0)
    require_registry(request.place)
    if request.live:
        _require_push(settings.remote, settings.branch)
    deploy_files.require(settings, request.model, request.live)
    baselines.require_kept(request, candidate)
    if candidate:
        override.find(request, candidate.tag, request.tools.today())


@functools.lru_cache
def _require_push(remote: Access, branch: str) -> None:
    """Raise what a push would be refused with before its server looks at what is pushed.

    Of one process one look is enough: a release is planned when it is asked for, and as a flow.
    """
    with git.clone(remote, branch) as repo:
        git.require_push(repo)
