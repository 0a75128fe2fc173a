"""Whether a tracking server can be used: it answers, lets us in, and speaks our version."""

import os
from importlib.metadata import version

from flows.adapters.process import without_login
from sluice.errors import SluiceError, UsageError

_PATIENCE = 5.0  # seconds
_QUESTION = "/api/2.0/mlflow/experiments/search"


def look(uri: str) -> tuple[str, str]:
    """The version of the server, and the time that it told, as HTTP writes it.

    Raises SluiceError where it does not answer, UsageError where it lets us not in or has another
    major version than the client here.
    """
    import httpx2

    base, shown = uri.rstrip("/"), without_login(uri)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    login = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token and not login else {}
    try:
        with httpx2.Client(auth=login, headers=headers, timeout=_PATIENCE) as client:
            said = client.get(f"{base}/version")
            asked = client.post(base + _QUESTION, json={"max_results": 1})
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise SluiceError(
            f"no tracking server answers at {shown}: {without_login(str(error))}",
            "Start it, correct SLUICE_TRACKING_URI, or set it to nothing to turn tracking off.",
        ) from None
    if asked.status_code in (401, 403):
        raise UsageError(
            f"{shown} answers {asked.status_code}: it does not let us in",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
        )
    if not asked.is_success or not said.is_success:
        raise SluiceError(
            f"{shown} answers {asked.status_code} where a tracking server lists its experiments",
            "Correct SLUICE_TRACKING_URI, or look into the log of that server.",
        )
    there, here = said.text.strip()[:40], version("mlflow")
    if there.partition(".")[0] != here.partition(".")[0]:
        raise UsageError(
            f"the version of {shown} is {there}; {here.partition('.')[0]} is required",
            "Update that server.",
        )
    return there, said.headers.get("Date") or ""
