"""The shipped manifests before the real API server: admitted as they are, and what is missing in
them is refused.
"""

import pytest
import yaml
from support.argocd import DEPLOY
from support.cluster.api_server import ApiServer
from support.cluster.kube import documents

from flows.adapters.git.kustomize import render

OVERLAYS = ("production", "staging")


@pytest.fixture(scope="module")
def namespaces(api_server: ApiServer) -> ApiServer:
    api_server.kube.apply_all(documents(DEPLOY / "namespaces.yaml"))
    return api_server


def test_it_is_a_real_one(api_server: ApiServer) -> None:
    assert api_server.kube.get("/version")["gitVersion"] == "v1.36.1"
    assert api_server.kube.get("/apis/argoproj.io/v1alpha1")["resources"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_document_of_an_overlay_is_admitted(namespaces: ApiServer, overlay: str) -> None:
    rendered = list(yaml.safe_load_all(render(DEPLOY / "overlays" / overlay)))
    assert {document["kind"] for document in rendered} >= {"Rollout", "HTTPRoute", "NetworkPolicy"}
    for document in rendered:
        namespaces.kube.apply(document, dry=True)
