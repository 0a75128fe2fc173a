"""The release. Every process of this room imports this first, whichever way it was started."""

import os

# ONNX Runtime reports to its maker, and keeps an id of the machine in the home folder, unless the
# environment says otherwise before it is imported. Its own switch comes too late for both.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_HERE = ("127.0.0.1", "localhost", "::1")


def without_proxy(names: dict[str, str]) -> dict[str, str]:
    """What is set so that no proxy is asked for this machine: Prefect's and MLflow's clients would
    send what is for their own servers through the user's proxy, which knows nothing of them.
    """
    known = {name.lower() for name, value in names.items() if value}
    given = names.get("no_proxy") or names.get("NO_PROXY") or ""
    kept = [host.strip() for host in given.split(",") if host.strip()]
    if not known.intersection(_PROXIES) or "*" in kept:
        return {}
    hosts = ",".join([*kept, *(host for host in _HERE if host not in kept)])
    return {"no_proxy": hosts, "NO_PROXY": hosts}


os.environ.update(without_proxy(dict(os.environ)))
