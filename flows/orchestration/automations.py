"""Who is told what of runs, as automations of Prefect's server: it tells also where the run, the
worker or their machine cannot.

Only runs of our deployments are watched: who began one in a terminal sees how it ended. What is
told has the sentence of that end, which holds no value of a row. An automation that a person has
switched off stays off.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.engine.outcome import EXIT
from flows.orchestration.deployments import Deployed, pool
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument
    from prefect.events.actions import ActionTypesOrUnknown, CallWebhook, SendNotification
    from prefect.events.schemas.automations import AutomationCore, EventTrigger

SILENT = datetime.timedelta(seconds=50)  # without a sign of life: two of them, with some delay
STUCK = datetime.timedelta(hours=6)
_EVENT = "prefect.flow-run."
_BEGINNINGS = ("Running", "Late")
# The names of all states that a run of ours ends in.
ENDS = (
    *("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Refused"),
    *(outcome.capitalize() for outcome in EXIT),
    *("Fine", "Watch", "Act"),
    *("Rolled back", "Already there", "Dry run"),
    *("Recorded", "Taken back", "Waits", "Rejected"),
)
_WEBHOOK = "webhook"
_SUBJECT = "{{ flow.name }} {{ flow_run.parameters.model }}: {{ flow_run.state.name }}"
_TEXT = _SUBJECT + ". {{ flow_run.state.message or '' }} {{ flow_run|ui_url }}"


@dataclass(frozen=True)
class Told:
    """What people are told of: its word, what it is in words, and the states that it is told by;
    none where it is told by an end that does not come.
    """

    word: str
    words: str
    states: tuple[str, ...] = ()


TOLD = (
    Told("refused", "tell of a release that was refused", ("Refused", "Quarantined")),
    Told("act", "tell of a monitor that says act", ("Act",)),
    Told("aborted", "tell of a canary that was taken back", ("Taken back",)),
    Told("failed", "tell of a run that failed", ("Failed", "TimedOut")),
    Told("crashed", "tell of a run that was killed", ("Crashed",)),
    Told("stuck", "tell of a run that does not begin or end"),
)


def register(
    client: "SyncPrefectClient",
    settings: Settings,
    deployed: Sequence[Deployed],
    stuck: datetime.timedelta = STUCK,
) -> list[str]:
    """Make the automations what they should be; who is told, by the names of their blocks.

    Where nobody is to be told, the automations that told somebody are removed. A run is stuck when
    it has not ended `stuck` after it began, or should have. Raises UsageError for a block that is
    not there.
    """
    if not deployed:
        return []
    blocks = list(_blocks(client, settings))
    ours = pool(settings)
    _put(client, closing(ours, deployed))
    for told in TOLD:
        if blocks:
            _put(client, _telling(ours, told, deployed, stuck, [block for _, block in blocks]))
        else:
            _remove(client, f"{ours}: {told.words}")
    return [name for name, _ in blocks]


def _blocks(
    client: "SyncPrefectClient", settings: Settings
) -> "Iterator[tuple[str, BlockDocument]]":
    """The blocks by which people are told: that of SLUICE_NOTIFY_URL, which is kept up to date, and
    those that SLUICE_NOTIFY names.
    """
    from prefect.exceptions import ObjectNotFound

    url = settings.notify_url.get_secret_value()
    if url:
        yield f"{_WEBHOOK}/{pool(settings)}", _webhook(client, pool(settings), url)
    for name in settings.notify.replace(",", " ").split():
        kind, _, block = name.partition("/")
        try:
            yield name, client.read_block_document_by_name(block, kind)
        except ObjectNotFound:
            what = f"SLUICE_NOTIFY names {name!r}, and the Prefect server has no such block"
            fix = "Make it there, under Blocks; it is named type/name, such as slack-webhook/team."
            raise UsageError(what, fix) from None


def _webhook(client: "SyncPrefectClient", name: str, url: str) -> "BlockDocument":
    """The block that keeps the address, which is a secret, on the server."""
    from prefect.client.schemas.actions import BlockDocumentCreate, BlockDocumentUpdate
    from prefect.exceptions import ObjectNotFound

    data: dict[str, Any] = {"url": url, "headers": {"Content-Type": "application/json"}}
    try:
        known = client.read_block_document_by_name(name, _WEBHOOK)
    except ObjectNotFound:
        kind = client.read_block_type_by_slug(_WEBHOOK)
        schema = client.get_most_recent_block_schema_for_block_type(kind.id)
        if schema is None:
            raise SluiceError("the Prefect server calls no webhooks", "Update it.") from None
        made = BlockDocumentCreate(
            name=name, data=data, block_type_id=kind.id, block_schema_id=schema.id
        )
        return client.create_block_document(made)
    client.update_block_document(known.id, BlockDocumentUpdate(data=data))
    return known


def _telling(
    ours: str,
    told: Told,
    deployed: Sequence[Deployed],
    stuck: datetime.timedelta,
    blocks: "Sequence[BlockDocument]",
) -> "AutomationCore":
    from prefect.events.schemas.automations import AutomationCore

    trigger = _reactive(told, deployed) if told.states else _proactive(_BEGINNINGS, stuck, deployed)
    actions: list[ActionTypesOrUnknown] = [_action(told, block) for block in blocks]
    return AutomationCore(name=f"{ours}: {told.words}", trigger=trigger, actions=actions)


def _action(told: Told, block: "BlockDocument") -> "CallWebhook | SendNotification":
    from prefect.events.actions import CallWebhook, SendNotification

    if block.block_type and block.block_type.slug == _WEBHOOK:
        return CallWebhook(block_document_id=block.id, payload=payload(told.word))
    return SendNotification(block_document_id=block.id, subject=_SUBJECT, body=_TEXT)


def payload(word: str) -> str:
    """What a webhook is sent, as a template of JSON; `text` is what Slack and its like show."""
    fields = {
        "what": f"{{{{ {word!r} | tojson }}}}",
        "flow": "{{ flow.name | tojson }}",
        "model": "{{ flow_run.parameters.model | tojson }}",
        "run": "{{ flow_run.id | string | tojson }}",
        "state": "{{ flow_run.state.name | tojson }}",
        "message": "{{ (flow_run.state.message or '') | tojson }}",
        "page": "{{ flow_run | ui_url | tojson }}",
    }
    lines = [f'"{name}": {value}' for name, value in fields.items()]
    text = f"{{% set text %}}{_TEXT}{{% endset %}}"
    return text + "{" + ", ".join([*lines, '"text": {{ text | tojson }}']) + "}"


def closing(ours: str, deployed: Sequence[Deployed]) -> "AutomationCore":
    """What shows a run whose process is gone as crashed, also where its whole machine is."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore

    message = "The process was killed. What was done is kept: the next release goes on from there."
    crashed = ChangeFlowRunState(
        state=StateType.CRASHED, name="Crashed", message=message, force=False
    )
    return AutomationCore(
        name=f"{ours}: show a run that was killed as crashed",
        trigger=_proactive(("heartbeat",), SILENT, deployed),
        actions=[crashed],
    )


def _reactive(told: Told, deployed: Sequence[Deployed]) -> "EventTrigger":
    """At once, and once for each run, when it comes into one of the states."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        expect={f"{_EVENT}{state}" for state in told.states},
        posture=Posture.Reactive,
        **_runs_of(deployed),
    )


def _proactive(
    after: Sequence[str], within: datetime.timedelta, deployed: Sequence[Deployed]
) -> "EventTrigger":
    """When a run shows no end, nor any of the signs again, so long after one of them."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    again = [name for name in after if name not in _BEGINNINGS]
    return EventTrigger(
        after={f"{_EVENT}{name}" for name in after},
        expect={f"{_EVENT}{name}" for name in (*ENDS, *again)},
        within=within,
        posture=Posture.Proactive,
        **_runs_of(deployed),
    )


def _runs_of(deployed: Sequence[Deployed]) -> dict[str, Any]:
    from prefect.events.schemas.events import ResourceSpecification

    ids = [f"prefect.deployment.{one.id}" for one in deployed]
    return {
        "match": ResourceSpecification({"prefect.resource.id": f"{_EVENT}*"}),
        "match_related": ResourceSpecification({"prefect.resource.id": ids}),
        "for_each": {"prefect.resource.id"},
        "threshold": 1,
    }


def _put(client: "SyncPrefectClient", wanted: "AutomationCore") -> None:
    """Make an automation, or change the one of its name, which stays off where it is."""
    known = client.read_automations_by_name(wanted.name)
    if not known:
        client.create_automation(wanted)
        return
    changed = wanted.model_copy(update={"enabled": known[0].enabled})
    client.update_automation(known[0].id, changed)


def _remove(client: "SyncPrefectClient", name: str) -> None:
    for known in client.read_automations_by_name(name):
        client.delete_automation(known.id)
