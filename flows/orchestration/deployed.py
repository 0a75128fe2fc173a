"""What a Prefect server knows of this project after `sluice deploy` and `sluice up`: deployments of
every model, and who is told of their runs.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from flows.orchestration import automations, deployments, prefect_server
from flows.orchestration.deployments import Deployed
from flows.project.settings import Settings
from sluice.errors import SluiceError, UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# Tries of each call after its first: Prefect on SQLite refuses one of two that write at once, and
# a call that fails here ends the command. The first answer has shown that the server is there.
_TRIES_MORE = 5


class Registered(Struct, frozen=True):
    """The work pool, the deployments, those that were paused because their model is gone, the
    blocks by which people are told, and the page of the deployments.
    """

    pool: str
    deployments: list[Deployed]
    paused: list[str]
    told: list[str]
    page: str

    @property
    def runs(self) -> dict[str, str]:
        """When each deployment runs, by its name without that of its flow."""
        return {one.name.partition("/")[2]: one.when for one in self.deployments}


def register(settings: Settings) -> Registered:
    """Register everything at the server that is set for Prefect, or that `sluice up` runs.

    Raises UsageError where there is none, where it does not answer or lets us not in.
    """
    (settings.home / "prefect").mkdir(parents=True, exist_ok=True)  # Prefect warns where it is not
    found = prefect_server.set_one(settings.home)
    if found is None:
        raise UsageError(
            "no Prefect server is set, and none runs here",
            "Start one by `sluice up`, or set PREFECT_API_URL to the address of yours.",
        )
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return _register(client, settings, found.address.rstrip("/").removesuffix("/api"))


def register_at(url: str, settings: Settings) -> Registered:
    """The same at the server of this address, without `/api`."""
    prefect_server.prepare(settings.home)
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(api=f"{url}/api") as client:
        return _register(client, settings, url)


def _register(client: "SyncPrefectClient", settings: Settings, url: str) -> Registered:
    from httpx import HTTPError
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    tries = max(_TRIES_MORE, PREFECT_CLIENT_MAX_RETRIES.value())
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: tries}):
            made = deployments.register(client, settings)
            paused = deployments.pause_others(client, settings, made)
            told = automations.register(client, settings, made)
    except (HTTPError, PrefectException) as error:
        raise SluiceError(
            f"the Prefect server at {url} did not take the deployments: {error}",
            "See its log, and run the same command again.",
        ) from None
    return Registered(deployments.pool(settings), made, paused, told, f"{url}/deployments")
