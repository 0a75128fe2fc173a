"""`sluice promote`: what is healthy in one overlay, live in another."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, EvidenceHash, Model
from flows.project.reason import check_reason

if TYPE_CHECKING:
    from flows.decision.carried_over import Places


def promote(
    model: Model = "",
    source: Annotated[str, typer.Option("--from", help="overlay in which it is live")] = "staging",
    target: Annotated[str, typer.Option("--to", help="overlay that it goes to")] = "production",
    evidence: EvidenceHash = "",
    vouch: Annotated[
        str,
        typer.Option("--vouch", help="sign that it is healthy there, and what you looked at"),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write the digest that is healthy in staging to production.

    It goes there on the same evidence. It is refused where neither a canary that passed nor the
    signature of a person says that it is healthy, where a hash is wrong, and where other evidence
    is meant than --evidence.

    Example: sluice promote MODEL --from staging --to production
    """
    from flows.decision.carried_over import places
    from flows.project.homes import load_for_releases

    both = places(load_for_releases(), source, target)
    raise typer.Exit(run_promote(both, model, evidence, vouch, as_json=as_json))


def run_promote(places: "Places", model: str, evidence: str, vouch: str, *, as_json: bool) -> int:
    """Promote from one overlay to another; 0, or 3 where it is refused."""
    from flows.adapters.job_files import summarize
    from flows.decision import carried_over
    from flows.decision.approved import author
    from flows.orchestration.real_tools import today
    from flows.project.models import model_folder
    from flows.views.progress import working
    from flows.views.releases import promote as view
    from sluice.errors import SluiceError

    model_folder(model, places.source.project)
    if vouch:
        check_reason(vouch)
        with working("Sign that it is healthy"):
            carried_over.vouch(places, model, author(places.source), vouch, today())
    try:
        with working("Check every hash"):
            carried = carried_over.carry_over(places, model, evidence, today())
    except SluiceError as error:
        summarize(view.refusal(error))
        raise
    if as_json:
        print(json.dumps(view.document(carried), indent=1))
    else:
        view.show(places, model, carried)
    summarize(view.markdown(places, model, carried))
    return carried.exit_code
