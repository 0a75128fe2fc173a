"""The names of images and annotations agree with what a registry and the manifests accept."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.project.root import ROOT
from sluice.gitops.image_names import ANNOTATION, LOCAL_HOST, annotation, local_image
from sluice.gitops.lineage import MADE_OF, bare, without_prefix
from sluice.gitops.manifest import read_image

# A repository as the distribution specification has it, behind a host.
_NAME = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+")
MODELS = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,5})?", fullmatch=True)


@given(MODELS)
@settings(deadline=None)
def test_the_image_of_a_model_has_a_name_that_a_registry_takes(model: str) -> None:
    assert _NAME.fullmatch(local_image(model))
    assert local_image(model).startswith(f"{LOCAL_HOST}/")


@given(MODELS, st.from_regex(r"[0-9a-f]{16}", fullmatch=True))
@settings(deadline=None)
def test_a_tag_is_found_again_in_the_whole_name(model: str, tag: str) -> None:
    assert bare(f"{local_image(model)}:{tag}") == tag


@given(st.dictionaries(st.sampled_from(sorted(MADE_OF.values())), st.text(max_size=5)))
@settings(deadline=None)
def test_an_annotation_is_read_by_the_name_that_it_was_written_with(
    made_of: dict[str, str],
) -> None:
    assert without_prefix({annotation(name): value for name, value in made_of.items()}) == made_of


def test_an_annotation_has_the_prefix_once() -> None:
    assert annotation("model") == "dev.sluice.model"
    assert without_prefix({f"{ANNOTATION}{ANNOTATION}x": "a"}) == {f"{ANNOTATION}x": "a"}


def test_the_shipped_overlays_know_the_image_of_the_model_by_this_name() -> None:
    for overlay in ("production", "staging"):
        file = ROOT / "deploy" / "argocd" / "overlays" / overlay / "kustomization.yaml"
        entry = read_image(file.read_text(encoding="utf-8"), local_image("attrition"))
        assert entry.name == local_image("attrition")
