"""The one table of what a worker can run, held against the flows that it names."""

import importlib
import inspect
import json

import jsonschema
import pytest

from flows.orchestration import automations
from flows.orchestration.deployments import KINDS, Deployed, Kind, in_words, pool, schema
from flows.project import settings
from sluice.schedule import SCHEDULED, When

each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@each
def test_an_entry_point_is_a_flow_by_the_path_of_its_module(kind: Kind) -> None:
    module, _, name = kind.entrypoint.rpartition(".")
    assert getattr(importlib.import_module(module), name).name == kind.name


@each
def test_the_form_has_what_the_flow_takes_with_its_defaults(kind: Kind) -> None:
    module, _, name = kind.entrypoint.rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    model, *others = inspect.signature(flow.fn).parameters.values()
    assert model.name == "model"
    assert [other.name for other in others] == [given.name for given in kind.parameters]
    for other, given in zip(others, kind.parameters, strict=True):
        assert (other.default is inspect.Parameter.empty) == given.required
        assert given.required or other.default == given.default
        assert given.title
        assert given.description.endswith(".")


@each
def test_the_form_takes_one_model_and_no_other(kind: Kind) -> None:
    form = schema(kind, "churn")
    jsonschema.Draft202012Validator.check_schema(form)
    least = {given.name: "x" for given in kind.parameters if given.required}
    jsonschema.validate({"model": "churn", **least}, form)
    with pytest.raises(jsonschema.ValidationError, match="is not one of"):
        jsonschema.validate({"model": "other", **least}, form)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(least, form)


def test_what_a_policy_may_schedule_can_be_run() -> None:
    assert set(SCHEDULED) <= {kind.name for kind in KINDS}


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (None, "by hand"),
        (When("Europe/Berlin", cron="0 3 * * 1-5"), "cron 0 3 * * 1-5 (Europe/Berlin)"),
        (When("UTC", seconds=60), "every 1 minute (UTC)"),
        (When("UTC", seconds=90 * 60), "every 90 minutes (UTC)"),
        (When("UTC", seconds=36 * 3600), "every 36 hours (UTC)"),
        (When("UTC", seconds=86_400), "every 1 day (UTC)"),
    ],
)
def test_when_it_runs_in_words(when: When | None, words: str) -> None:
    assert in_words(when) == words


def test_each_overlay_has_workers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pool(settings.load()) == "sluice"
    monkeypatch.setenv("SLUICE_OVERLAY", "staging")
    assert pool(settings.load()) == "sluice-staging"


def test_what_a_webhook_is_sent_is_json_whatever_a_message_holds() -> None:
    """Rendered as the server does, with a message that would break out of its text."""
    from prefect.server.utilities.user_templates import render_user_template_sync

    message = 'say "no"\n</script> {{ flow }} \\ é'
    context = {
        "flow": {"name": "release"},
        "flow_run": {
            "id": 7,
            "parameters": {"model": "churn"},
            "state": {"name": "Refused", "message": message},
        },
    }
    template = automations.payload("refused").replace(" | ui_url", "").replace("|ui_url", ".id")
    sent = json.loads(render_user_template_sync(template, context))
    assert (sent["what"], sent["flow"], sent["model"], sent["state"]) == (
        "refused",
        "release",
        "churn",
        "Refused",
    )
    assert sent["message"] == message
    assert sent["text"].startswith("release churn: Refused. say ")


def test_a_silent_run_of_ours_is_shown_as_crashed_within_a_minute() -> None:
    deployed = [Deployed("release/churn-release", "00000000-0000-0000-0000-000000000001", "")]
    wanted = automations.closing("sluice", deployed)
    trigger = wanted.trigger.model_dump(mode="json")
    ids = ["prefect.deployment.00000000-0000-0000-0000-000000000001"]
    assert trigger["match_related"] == {"prefect.resource.id": ids}
    assert trigger["for_each"] == ["prefect.resource.id"]
    assert trigger["within"] < 60
    assert "prefect.flow-run.Hold" in trigger["expect"]


def test_an_address_without_a_scheme_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUICE_NOTIFY_URL", "hooks.example.com/s3cret")
    with pytest.raises(Exception, match="SLUICE_NOTIFY_URL begins with neither") as raised:
        settings.load()
    assert "s3cret" not in str(raised.value)
