"""The bill of materials: as its published schema has it, whatever is installed, and the same for
the same software.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL
from support.bills import bill_faults

from sluice.gitops.bill_of_materials import Package, Software, bill

IMAGE = "registry.example/ml/attrition:0123456789abcdef"
# A name of blanks or slashes alone is none to who reads an address; no package has a slash.
LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/")
WORDS = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
PACKAGES = st.lists(st.builds(Package, WORDS, WORDS, st.sampled_from(["", "amd64", "all"])))
SOFTWARE = st.builds(
    Software,
    st.sampled_from(["", "13.2", "forky/sid"]),
    PACKAGES.map(tuple),
    st.lists(st.builds(Package, WORDS, WORDS)).map(tuple),
)


@settings(deadline=None, max_examples=40)
@given(SOFTWARE)
def test_whatever_is_installed_it_follows_the_schema(software: Software) -> None:
    assert bill_faults(bill(IMAGE, software)) == []


def test_the_schema_finds_a_fault() -> None:
    document = dict(bill(IMAGE, Software()))
    assert bill_faults({**document, "components": [{"type": "library"}]}) != []
    assert bill_faults({**document, "specVersion": 1.6}) != []


@settings(deadline=None)
@given(SOFTWARE, st.randoms())
def test_the_order_in_which_it_is_found_does_not_matter(software: Software, chance: object) -> None:
    debian, python = list(software.debian), list(software.python)
    chance.shuffle(debian)
    chance.shuffle(python)
    turned = Software(software.system, (*debian, *debian), (*python, *python))
    assert json.dumps(bill(IMAGE, turned)) == json.dumps(bill(IMAGE, software))


@pytest.mark.parametrize(
    ("software", "url"),
    [
        (
            Software("13.2", (Package("zlib1g", "1:1.3.dfsg+really1.3.1-1+b1", "amd64"),)),
            "pkg:deb/debian/zlib1g@1:1.3.dfsg%2Breally1.3.1-1%2Bb1?arch=amd64&distro=debian-13",
        ),
        (
            Software("13.2", (Package("libexpat1", "2.9.0-1~deb13u1", "amd64"),)),
            "pkg:deb/debian/libexpat1@2.9.0-1~deb13u1?arch=amd64&distro=debian-13",
        ),
        (Software(python=(Package("Jinja2", "3.1.6"),)), "pkg:pypi/jinja2@3.1.6"),
        (Software(python=(Package("ruamel.yaml_clib", "1"),)), "pkg:pypi/ruamel-yaml-clib@1"),
    ],
)
def test_a_package_has_the_name_that_scanners_know(software: Software, url: str) -> None:
    purls = [one["purl"] for one in bill(IMAGE, software)["components"] if "purl" in one]
    assert purls == [url]
    assert PackageURL.from_string(url).name == purls[0].partition("@")[0].rpartition("/")[2]


@settings(deadline=None)
@given(WORDS, WORDS)
def test_a_name_of_any_letters_is_read_again_from_its_url(name: str, version: str) -> None:
    [one] = bill(IMAGE, Software(debian=(Package(name, version),)))["components"]
    read = PackageURL.from_string(one["purl"])
    assert (read.type, read.namespace, read.version) == ("deb", "debian", version.strip())
