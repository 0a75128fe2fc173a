"""The template of Prefect's Kubernetes work pool: rendered by Prefect itself, valid, restricted."""

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from support.argocd import DEPLOY
from support.manifest_repos import check_core, unrestricted

TEMPLATE: dict[str, Any] = json.loads((DEPLOY.parent / "prefect" / "kubernetes.json").read_text())
IMAGE = "registry.example.com/team/sluice@sha256:" + "0" * 64


def job(**given: Any) -> dict[str, Any]:
    """The Job of a run, as the worker makes it of the template."""
    from prefect.utilities.templating import apply_values

    known = TEMPLATE["variables"]["properties"]
    values = {name: one["default"] for name, one in known.items() if "default" in one}
    values |= {"image": IMAGE, "name": "run", "labels": {"prefect.io/flow-run-id": "1"}}
    values |= {"env": {"PREFECT_API_URL": "https://prefect.example.com/api"}, **given}
    made: dict[str, Any] = apply_values(TEMPLATE["job_configuration"], values)["job_manifest"]
    [container] = made["spec"]["template"]["spec"]["containers"]
    # What the worker itself changes before it makes the Job.
    container["env"] = [{"name": name, "value": value} for name, value in container["env"].items()]
    container["args"] = shlex.split(container["args"])
    return made


def test_it_is_a_valid_job_that_is_restricted() -> None:
    made = job()
    check_core(made)
    assert unrestricted(made["spec"]["template"]) == []
    assert "{{" not in json.dumps(made)
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert [*container["command"], *container["args"]][-4:] == [
        "-m",
        "prefect",
        "flow-run",
        "execute",
    ]
    assert made["spec"]["ttlSecondsAfterFinished"] > 0


def test_a_gpu_is_asked_for_where_it_is_wanted_and_not_else() -> None:
    [without] = job()["spec"]["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in without["resources"]["limits"]
    made = job(gpus="1")
    check_core(made)
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_each_variable_is_used_and_each_that_is_used_is_described() -> None:
    text = json.dumps(TEMPLATE["job_configuration"])
    properties = TEMPLATE["variables"]["properties"]
    assert {name for name in properties if f"{{{{ {name} }}}}" in text} == set(properties)
    jsonschema.Draft202012Validator.check_schema(TEMPLATE["variables"])
    known = TEMPLATE["variables"]["properties"]
    for word in text.split("{{ ")[1:]:
        assert word.partition(" }}")[0] in known


def test_no_secret_can_be_a_variable_of_a_run() -> None:
    """Whoever sees the page of a run sees its variables: secrets come from a Secret by its name."""
    [container] = job()["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "sluice-settings"}}]


def test_prefect_knows_the_names_of_the_configuration() -> None:
    """Those of the worker that its server describes."""
    import prefect

    described = Path(prefect.__file__).parent / "server/api/collections_data/views"
    view = json.loads((described / "aggregate-worker-metadata.json").read_text())
    theirs = view["prefect-kubernetes"]["kubernetes"]["default_base_job_configuration"]
    assert set(TEMPLATE["job_configuration"]) <= set(theirs["job_configuration"])


def test_the_image_has_to_be_named() -> None:
    assert TEMPLATE["variables"]["required"] == ["image"]
    assert "default" not in TEMPLATE["variables"]["properties"]["image"]
