"""What a worker of Prefect can run: one table, and every model of the project times its rows.

A deployment names its flow by the path of a module. A path of a file would put `flows/` itself
before everything that is installed, for good. Where a worker runs, and with which secrets, is its
environment: a deployment holds neither a folder of a machine nor a secret.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from flows.project.models import models, project_text
from flows.project.settings import Settings
from sluice.schedule import When, read_schedule

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.responses import DeploymentResponse

HEARTBEAT = 30  # seconds between two signs of life of a run; Prefect takes none that is shorter
_PRODUCTION = "production"
_MIDNIGHT = datetime.datetime(2024, 1, 1)


@dataclass(frozen=True)
class Parameter:
    """A field of the form in which a run is begun; `required` where it has no default."""

    name: str
    title: str
    description: str
    type: Literal["string", "boolean"] = "string"
    default: str | bool | None = None
    required: bool = False


@dataclass(frozen=True)
class Kind:
    """Something that is run for every model: the name and the module path of its flow, what it
    does, and its form besides the model.
    """

    name: str
    entrypoint: str
    description: str
    parameters: tuple[Parameter, ...] = ()


_DATA = Parameter(
    "data",
    "Data file",
    "A CSV or Parquet file on the machine of the worker, as an absolute path. Empty: the data that"
    " the pointer of the model names.",
)
_CACHE = Parameter(
    "cache",
    "Take what was done before",
    "A step with equal inputs is not done again. Off: every step is.",
    "boolean",
    True,
)

KINDS = (
    Kind(
        "release",
        "flows.release.release",
        "From the data that the pointer of the model names to a commit in the manifest repo, or to"
        " a refusal that says why. One release of a model at a time.",
        (_DATA, _CACHE),
    ),
    Kind(
        "fleet",
        "flows.fleet_release.fleet",
        "A model for each value of a column, each judged by itself, and one image of those that may"
        " be served; what is not better keeps its champion.",
        (
            Parameter(
                "column",
                "Column that names the models",
                "A category of the contract whose values are all listed, such as a branch.",
                required=True,
            ),
            _DATA,
            _CACHE,
        ),
    ),
    Kind(
        "monitor",
        "flows.monitor.monitor",
        "How good what is live is now: fine (green), watch (grey) or act (red).",
        (
            Parameter(
                "record",
                "Note why a candidate is wanted",
                "Writes the reasons to the ledger branch of the manifest repo. Off: nothing is"
                " written.",
                "boolean",
                False,
            ),
            Parameter(
                "start",
                "Release a candidate where one is due",
                "Notes the reasons too. The candidate passes the same gate as any other, as a run"
                " below this one.",
                "boolean",
                False,
            ),
        ),
    ),
    Kind(
        "rollback",
        "flows.rollback.rollback",
        "The last healthy release becomes live again, and the one that is live goes into"
        " quarantine.",
        (
            Parameter(
                "reason", "Reason", "Why; it is recorded in the commit for good.", required=True
            ),
            Parameter(
                "to",
                "Go back to",
                "`previous`, or the tag or digest of an earlier release.",
                default="previous",
            ),
            Parameter(
                "dry_run", "Only show it", "Shows the change and writes nothing.", "boolean", False
            ),
            Parameter(
                "boot",
                "Start the image first",
                "Off: goes back without seeing that the image answers.",
                "boolean",
                True,
            ),
        ),
    ),
    Kind(
        "reconcile",
        "flows.reconcile.reconcile",
        "What became of the canary of the release that git names: recorded (green), taken back"
        " (red), or not over yet (grey). The worker needs SLUICE_CLUSTER.",
        (
            Parameter(
                "dry_run", "Only show it", "Shows the change and writes nothing.", "boolean", False
            ),
        ),
    ),
    Kind(
        "reject",
        "flows.reject.reject",
        "The release that waits for approvals is rejected, for good. Nothing can be approved here,"
        " because nobody has a name here: `sluice approve` signs.",
        (
            Parameter(
                "evidence",
                "Evidence",
                "The hash of what was read, as the run shows it.",
                required=True,
            ),
            Parameter(
                "reason", "Reason", "Why; it is recorded in a commit for good.", required=True
            ),
        ),
    ),
)


class Deployed(Struct, frozen=True):
    """A deployment on a server: its name, `release/<model>-release`, its id there, and when it
    runs.
    """

    name: str
    id: str
    when: str


def pool(settings: Settings) -> str:
    """The work pool whose workers write to this overlay."""
    return _named("sluice", settings)


def schedules(project: Path) -> dict[str, Mapping[str, When]]:
    """When each model runs, by what is run. Raises UsageError for a policy that is wrong."""
    return {model: _schedule(project, model) for model in models(project)}


def register(client: "SyncPrefectClient", settings: Settings) -> list[Deployed]:
    """Make the deployments of every model what they should be; done again, nothing changes.

    Who has paused a deployment or a schedule finds it paused afterwards. Raises UsageError for a
    policy that is wrong, before the server is asked for anything.
    """
    when = schedules(settings.project)
    _require_pool(client, pool(settings))
    return [
        _deploy(client, settings, kind, model, hours.get(kind.name))
        for model, hours in when.items()
        for kind in KINDS
    ]


def pause_others(
    client: "SyncPrefectClient", settings: Settings, made: Sequence[Deployed]
) -> list[str]:
    """Pause what is in the pool and runs our flows, and is of no model that is there: its schedule
    would fail each night. The names of those that were not paused before.
    """
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    ours, entries = {one.id for one in made}, {kind.entrypoint for kind in KINDS}
    here = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool(settings)]))
    others = [
        found
        for found in client.read_deployments(work_pool_filter=here)
        if str(found.id) not in ours and found.entrypoint in entries and not found.paused
    ]
    for other in others:
        client.pause_deployment(other.id)
    return sorted(other.name for other in others)


def schema(kind: Kind, model: str) -> dict[str, Any]:
    """The form as JSON schema; the one model that it takes is its only choice."""
    fields: dict[str, Any] = {
        "model": {
            "title": "Model",
            "description": "The model of this deployment.",
            "type": "string",
            "enum": [model],
            "default": model,
            "position": 0,
        }
    }
    for position, parameter in enumerate(kind.parameters, 1):
        field: dict[str, Any] = {
            "title": parameter.title,
            "description": parameter.description,
            "type": parameter.type,
            "position": position,
        }
        if parameter.required:
            field["minLength"] = 1
        elif parameter.default is not None:
            field["default"] = parameter.default
        fields[parameter.name] = field
    required = [parameter.name for parameter in kind.parameters if parameter.required]
    return {
        "title": "Parameters",
        "type": "object",
        "properties": fields,
        "required": ["model", *required],
    }


def in_words(when: When | None) -> str:
    """When a deployment runs by itself."""
    if when is None:
        return "by hand"
    if when.cron:
        return f"cron {when.cron} ({when.timezone})"
    every = datetime.timedelta(seconds=when.seconds)
    days, rest = divmod(int(every.total_seconds()), 86_400)
    unit, number = ("day", days) if not rest else ("hour", when.seconds // 3_600)
    if when.seconds % 3_600:
        unit, number = "minute", when.seconds // 60
    return f"every {number} {unit}{'' if number == 1 else 's'} ({when.timezone})"


def _named(name: str, settings: Settings) -> str:
    """A name for this overlay: several may have one server, and each its own workers."""
    return name if settings.overlay == _PRODUCTION else f"{name}-{settings.overlay}"


def _schedule(project: Path, model: str) -> Mapping[str, When]:
    text = project_text(project / "models" / model / "policy.toml", project)
    return read_schedule(text, f"models/{model}/policy.toml")


def _require_pool(client: "SyncPrefectClient", name: str) -> None:
    """The work pool, of processes where there was none; that of somebody else's making stays."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        made = WorkPoolCreate(
            name=name,
            type=ProcessWorker.type,
            description="Runs of Sluice, as processes of a worker.",
            base_job_template=ProcessWorker.get_default_base_job_template(),
        )
        try:
            client.create_work_pool(made)
        except ObjectAlreadyExists:
            return  # somebody else was first


def _deploy(
    client: "SyncPrefectClient", settings: Settings, kind: Kind, model: str, when: When | None
) -> Deployed:
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    name = f"{_named(model, settings)}-{kind.name}"
    full = f"{kind.name}/{name}"
    waits = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    made = client.create_deployment(
        flow_id=client.create_flow_from_name(kind.name),
        name=name,
        description=kind.description,
        entrypoint=kind.entrypoint,
        tags=[model, settings.overlay],
        work_pool_name=pool(settings),
        parameters={"model": model},
        parameter_openapi_schema=schema(kind, model),
        enforce_parameter_schema=True,
        concurrency_limit=1,
        concurrency_options=waits,
        schedules=_schedules(when, _existing(client, full)),
        job_variables={"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT)}},
    )
    return Deployed(full, str(made), in_words(when))


def _existing(client: "SyncPrefectClient", name: str) -> "DeploymentResponse | None":
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _schedules(
    when: When | None, before: "DeploymentResponse | None"
) -> "list[DeploymentScheduleCreate]":
    """The schedule as Prefect takes it, paused where a person has paused that very one."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    if when is None:
        return []
    schedule: CronSchedule | IntervalSchedule
    if when.cron:
        schedule = CronSchedule(cron=when.cron, timezone=when.timezone)
    else:
        schedule = IntervalSchedule(
            interval=datetime.timedelta(seconds=when.seconds),
            anchor_date=_MIDNIGHT.replace(tzinfo=ZoneInfo(when.timezone)),
            timezone=when.timezone,
        )
    paused = any(
        not known.active and _same(known.schedule, schedule)
        for known in (before.schedules if before else [])
    )
    return [DeploymentScheduleCreate(schedule=schedule, active=not paused)]


def _same(known: object, wanted: object) -> bool:
    names = ("cron", "interval", "timezone")
    return all(getattr(known, name, None) == getattr(wanted, name, None) for name in names)
