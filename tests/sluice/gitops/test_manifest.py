"""The manifest edit: in any shape a person writes, three values of one entry change and every other
byte stays.
"""

import json
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model_artifacts import PROJECT

from sluice.errors import UsageError
from sluice.gitops.manifest import ImageEntry, read_image, set_image

NAME = "sluice.local/attrition"
DIGEST = "sha256:" + "ab" * 32
ENTRY = ImageEntry(NAME, "127.0.0.1:5000/team/attrition", "0123456789abcdef", DIGEST)

PLAIN = """\
kind: Kustomization
images:
  - name: sluice.local/attrition
    newName: sluice.local/attrition
    newTag: unreleased
    digest: sha256:00
"""
SHAPES: dict[str, str] = {
    "as shipped": (
        (PROJECT / "deploy/argocd/overlays/production/kustomization.yaml").read_text(
            encoding="utf-8"
        )
    ),
    "plain": PLAIN,
    "without a last line end": PLAIN.rstrip("\n"),
    "Windows line ends": PLAIN.replace("\n", "\r\n"),
    "double quotes": re.sub(r"(name|newName|newTag|digest): (.*)", r'\1: "\2"', PLAIN),
    "single quotes": re.sub(r"(name|newName|newTag|digest): (.*)", r"\1: '\2'", PLAIN),
    "quotes on Windows": re.sub(r"(newTag): (.*)", r"\1: '\2'", PLAIN).replace("\n", "\r\n"),
    "comments behind": re.sub(
        r"(newTag|digest|newName): (.*)", r"\1: \2  # written by: sluice", PLAIN
    ),
    "quotes and comments": re.sub(
        r"(newTag|digest): (.*)", r"""\1:  "\2"   # "quoted" 'too'""", PLAIN
    ),
    "comments between": PLAIN.replace(
        "    newTag", "    # newTag: old\n\n  # - name: x\n    newTag"
    ),
    "a comment at the margin": PLAIN.replace("    newTag", "# digest: sha256:11\n    newTag"),
    "not indented": (
        "images:\n- name: sluice.local/attrition\n  digest: sha256:00\n  newTag: a\n  newName:"
        " b\nk: X\n"
    ),
    "reordered": (
        "images:\n  - digest: sha256:00\n    newTag: a\n    name: sluice.local/attrition\n   "
        " newName: b\n"
    ),
    "wide": (
        "images:   # all\n    -   newTag:   a\n        newName: b   \n        digest: c\n"
        "        name: sluice.local/attrition\n"
    ),
    "a dash on its own line": (
        "images:\n  - name: nginx\n    newTag: '1'\n  -\n"
        + PLAIN[PLAIN.index("    newName") :]
        + "    name: sluice.local/attrition\n"
    ),
    "others before and behind": (
        PLAIN.replace(
            "images:\n", "images:\n  - name: nginx\n    newTag: 1.27\n    digest: sha256:99\n"
        )
        + "  - name: sluice.local/attrition-canary\n    newTag: b\nresources:\n  - ../base\n"
    ),
    "others in braces": (
        PLAIN.replace("images:\n", "images:\n  - {name: nginx, newTag: '1'}\n")
        + "  - {name: redis}\n"
    ),
    "others in another style": PLAIN.replace(
        "images:\n", "images:\n  - name: nginx\n    newTag: >-\n      folded\n"
    ),
    "others that are longer": PLAIN.replace(
        "images:\n", "images:\n  - name: nginx\n    tagSuffix: -x\n"
    ),
    "a document with its marks": "---\n" + PLAIN + "...\n",
    "values of nothing": PLAIN.replace("unreleased", "''").replace("sha256:00", '""'),
    "a null": PLAIN.replace("unreleased", "~"),
    "other lists": (
        "patches:\n  - target: {kind: X}\n    patch: |-\n      - op: add\n        newTag: no\n"
        + PLAIN
    ),
    "a tag with a mark in it": PLAIN.replace("unreleased", "a#b"),
    "unknown fields": PLAIN + "    owner: us\n",
    "in braces": (
        "images:\n  - {name: sluice.local/attrition, newName: a, newTag: b, digest: c} # ours\n"
    ),
    "in one line": (
        "images: [{name: sluice.local/attrition, newName: a, newTag: b, digest: c}, {name: x}]\n"
    ),
    "as JSON": json.dumps(
        {"images": [{"name": NAME, "newName": "a", "newTag": "b", "digest": "c"}]}
    ),
    "as JSON over lines": json.dumps(
        {
            "kind": "X",
            "images": [
                {"newTag": "b", "name": "sluice.local/attrition", "newName": "a", "digest": "c"}
            ],
        },
        indent=2,
    ),
    "braces over lines": (
        "images:\n  - {name: sluice.local/attrition,   # ours\n     newName: a, newTag: 'b',\n"
        "     digest: c,\n    }\n"
    ),
    "a tag of two words": PLAIN.replace("unreleased", "not yet"),
    "a tag over two lines": PLAIN.replace("unreleased", "one\n      two"),
    "a tag on the next line": PLAIN.replace(" unreleased", "\n      unreleased"),
    "no value": PLAIN.replace(" unreleased", ""),
    "no value, with a comment": PLAIN.replace(" unreleased", "   # none yet"),
    "no value in braces": (
        "images:\n  - {name: sluice.local/attrition, newName: a, newTag: , digest: c}\n"
    ),
    "an escaped quote": PLAIN.replace("unreleased", r'"a\"b"'),
    "a doubled quote": PLAIN.replace("unreleased", "'a''b'"),
    "quoted keys": PLAIN.replace("newTag:", '"newTag":'),
    "a space before the colon": PLAIN.replace("newTag:", "newTag :"),
    "anchors elsewhere": "x: &x 1\ny: *x\n" + PLAIN + "  - name: nginx\n    newTag: &t '1'\n",
    "a mark at the very start": "\ufeff" + PLAIN,
}


def entry_in(text: str) -> dict[str, object]:
    """The entry as kustomize reads it: a mark behind which nothing stands is no document, a tag of
    somebody's own says nothing, and a tab is a space.
    """
    first, *rest = yaml.load_all(text.replace("\t", " "), yaml.BaseLoader)
    assert not any(rest)
    [found] = [
        image for image in first["images"] if isinstance(image, dict) and image.get("name") == NAME
    ]
    return dict(found)


def other_bytes(text: str, name: str = NAME) -> str:
    """The text without the three values of the entry, found by the YAML parser's own marks."""
    root = next(yaml.compose_all(text.replace("\t", " ")))
    images = next(value for key, value in root.value if key.value == "images")
    maps = [e for e in images.value if isinstance(e, yaml.MappingNode)]
    [entry] = [e for e in maps if ("name", name) in [(k.value, v.value) for k, v in e.value]]
    marks = [
        (v.start_mark.index, v.end_mark.index)
        for k, v in entry.value
        if k.value in ("newName", "newTag", "digest")
    ]
    for start, end in sorted(marks, reverse=True):
        text = text[:start] + "\0" + text[end:]
    return re.sub(r" ?\0", "\0", text)  # a value where there was none has a space before it


def assert_set(before: str, entry: ImageEntry) -> str:
    after = set_image(before, entry)
    if set(entry_in(before)) >= {"newName", "newTag", "digest"}:
        assert other_bytes(after) == other_bytes(before)
    else:
        rest = iter(after)
        # only added to
        assert all(character in rest for character in other_bytes(before).replace("\0", ""))
    found = entry_in(after)
    assert (found["newName"], found["newTag"], found["digest"]) == (
        entry.new_name,
        entry.tag,
        entry.digest,
    )
    assert [type(found[key]) for key in ("newName", "newTag", "digest")] == [str] * 3
    assert read_image(after, NAME) == entry
    assert set_image(after, entry) == after
    return after


@pytest.mark.parametrize("shape", SHAPES)
def test_three_values_change_and_every_other_byte_stays(shape: str) -> None:
    after = assert_set(SHAPES[shape], ENTRY)
    assert after.count("\r") == SHAPES[shape].count("\r")
    there = set_image(after, replace(ENTRY, tag="fedcba9876543210"))
    changed = [
        pair
        for pair in zip(after.split("\n"), there.split("\n"), strict=True)
        if pair[0] != pair[1]
    ]
    assert len(changed) == 1


ADDED: dict[str, tuple[str, str]] = {
    "no tag": (
        PLAIN.replace("    newTag: unreleased\n", ""),
        "    newName: {0}\n    newTag: {1}\n    digest: {2}\n",
    ),
    "no tag and no digest": (
        PLAIN[: PLAIN.index("    newTag")],
        "    newName: {0}\n    newTag: {1}\n    digest: {2}\n",
    ),
    "a name alone": (
        "images:\n- name: sluice.local/attrition # ours\n\nkind: X\n",
        (
            "- name: sluice.local/attrition # ours\n  newName: {0}\n  newTag: {1}\n  digest:"
            " {2}\n\nkind: X\n"
        ),
    ),
    "a name alone, at the end": (
        "images:\n- name: sluice.local/attrition",
        "- name: sluice.local/attrition\n  newName: {0}\n  newTag: {1}\n  digest: {2}",
    ),
    "no digest on Windows": (
        PLAIN.replace("    digest: sha256:00\n", "").replace("\n", "\r\n"),
        "    newTag: {1}\r\n    digest: {2}\r\n",
    ),
    "tag commented out": (
        PLAIN.replace("    newTag", "    # newTag"),
        "    newName: {0}\n    newTag: {1}\n    # newTag: unreleased\n    digest: {2}\n",
    ),
    "braces with a name": (
        "images: [{name: sluice.local/attrition}]\n",
        '[{{name: sluice.local/attrition, newName: "{0}", newTag: {1}, digest: "{2}"}}]\n',
    ),
    "JSON without a digest": (
        '{"images": [{"name": "sluice.local/attrition", "newTag": "b"}]}',
        '"sluice.local/attrition", "newName": "{0}", "newTag": "{1}", "digest": "{2}"}}]}}',
    ),
    "an empty tag, no name and no digest": (
        "images:\n- name: sluice.local/attrition\n  newTag:\n",
        "- name: sluice.local/attrition\n  newName: {0}\n  newTag: {1}\n  digest: {2}\n",
    ),
    "an empty tag with a comment, and no digest": (
        "images:\n- name: sluice.local/attrition\n  newTag: # of CI\n",
        "\n  newName: {0}\n  newTag: {1} # of CI\n  digest: {2}\n",
    ),
    "an empty name, and no tag": (
        "images:\n- name: sluice.local/attrition\n  newName:\n  digest:",
        "attrition\n  newName: {0}\n  newTag: {1}\n  digest: {2}",
    ),
    "an empty tag and no digest": (
        "images:\n  - {name: sluice.local/attrition, newTag: }\n",
        '{{name: sluice.local/attrition, newName: "{0}", newTag: {1}, digest: "{2}" }}\n',
    ),
}


@pytest.mark.parametrize("case", ADDED)
def test_a_field_that_is_missing_is_added_as_the_others_are_written(case: str) -> None:
    before, wanted = ADDED[case]
    after = assert_set(before, ENTRY)
    assert wanted.format(ENTRY.new_name, ENTRY.tag, ENTRY.digest) in after


def test_what_is_missing_is_read_as_empty_and_a_new_name_as_the_name() -> None:
    found = read_image("images:\n- name: sluice.local/attrition\n  newTag: ~\n", NAME)
    assert found == ImageEntry(NAME, NAME, "", "")
    assert read_image(PLAIN.replace("unreleased", "1.10"), NAME).tag == "1.10"


def test_quotes_and_comments_stay_as_they_were() -> None:
    after = set_image(SHAPES["quotes and comments"], ENTRY)
    assert '    newTag:  "0123456789abcdef"   # "quoted" \'too\'\n' in after
    assert "newTag: '0123456789abcdef'\n" in set_image(SHAPES["single quotes"], ENTRY)
    assert "newTag: 0123456789abcdef\n" in set_image(PLAIN, ENTRY)


NUMBERS = [
    "1234567890123456",
    "12e4",
    "123e45",
    "1e5",
    "0000000000000000",
    "0b10101010101010",
    "0x1f",
    "0o17",
    "017",
    "1_000",
    "1.5",
    "1.",
    "2024-01-01",
    "12:30:45",
    "no",
    "Yes",
    "on",
    "null",
    "true",
    "y",
    "1e-5",
    "1E400",
]
TEXTS = ["0123456789abcdef", "a1", "12e4a", "1.2.3", "v1", "e12", "0xyz", "0b12", "nope", "_1"]


@pytest.mark.parametrize("tag", NUMBERS)
@pytest.mark.parametrize(
    "shape", ["plain", "single quotes", "comments behind", "Windows line ends"]
)
def test_a_tag_that_looks_like_something_else_stays_a_text(tag: str, shape: str) -> None:
    after = assert_set(SHAPES[shape], replace(ENTRY, tag=tag))
    assert f'"{tag}"' in after or f"'{tag}'" in after


@pytest.mark.parametrize("tag", TEXTS)
def test_a_tag_that_is_a_text_gets_no_quotes(tag: str) -> None:
    assert f"newTag: {tag}\n" in assert_set(PLAIN, replace(ENTRY, tag=tag))


_TAGS = st.text("0123456789abcdef", min_size=12, max_size=16) | st.from_regex(
    r"[0-9][0-9e._x:-]{0,8}[0-9]", fullmatch=True
)
_TAGS |= st.sampled_from([*NUMBERS, *TEXTS]) | st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True
)
_REGISTRIES = st.sampled_from(
    ["ghcr.io/a/b", "127.0.0.1:5000/x", "[::1]:5000/team/x", "localhost:5000/x", "sluice.local/x"]
)
_ENTRIES = st.builds(ImageEntry, st.just(NAME), _REGISTRIES, _TAGS, st.just(DIGEST))
_QUOTED = st.sampled_from(["{}", "'{}'", '"{}"'])
_BEHIND = st.sampled_from(["", "  ", " # note", "  # 'note': \"x\"", " #"])
_BETWEEN = st.sampled_from(
    ["", "\n", "    # newTag: commented\n", "# - name: sluice.local/attrition\n", "  \n"]
)


@st.composite
def kustomizations(draw: st.DrawFn) -> str:
    """A kustomization with our entry among others, as different hands write it."""
    indent, inner = draw(st.sampled_from([("", "  "), ("  ", "    "), ("    ", "        ")]))

    def block(values: dict[str, str]) -> str:
        keys = draw(st.permutations(list(values)))
        lines = []
        for place, key in enumerate(keys):
            lead = (indent + "-").ljust(len(inner)) if place == 0 else draw(_BETWEEN) + inner
            space = draw(st.sampled_from([" ", "   "]))
            written = draw(st.sampled_from(["{}", "{}", "'{}'", '"{}"'])).format(key)
            lines.append(
                f"{lead}{written}:{space}{draw(_QUOTED).format(values[key])}{draw(_BEHIND)}\n"
            )
        return "".join(lines)

    def flow(values: dict[str, str]) -> str:
        pairs = [f'{key}: "{values[key]}"' for key in draw(st.permutations(list(values)))]
        between = draw(st.sampled_from([", ", " , ", f",\n{inner}  "]))
        return f"{indent}- {{{between.join(pairs)}}}{draw(_BEHIND)}\n"

    def entry(values: dict[str, str]) -> str:
        return (flow if draw(st.booleans()) else block)(values)

    fields = {"newName": "old.example/x", "newTag": draw(_TAGS), "digest": "sha256:00"}
    there = draw(st.sets(st.sampled_from(sorted(fields))) | st.just(set(fields)))
    ours = entry(
        {"name": NAME, **{field: value for field, value in fields.items() if field in there}}
    )
    others = [
        entry({"name": name, "newTag": draw(_TAGS), "newName": "y/z"})
        for name in draw(
            st.lists(
                st.sampled_from(["nginx", NAME + "-b", "attrition", "sluice"]),
                unique=True,
                max_size=3,
            )
        )
    ]
    place = draw(st.integers(0, len(others)))
    head = draw(
        st.sampled_from(
            ["", "kind: Kustomization\n", "# images:\nnamespace: a\npatches:\n  - path: x\n"]
        )
    )
    tail = draw(
        st.sampled_from(["", "resources:\n  - ../base\n", "\n# the end\n", "newTag: here\n"])
    )
    text = head + "images:\n" + "".join([*others[:place], ours, *others[place:]]) + tail
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(kustomizations(), _ENTRIES)
@settings(max_examples=100, deadline=None)
def test_whoever_wrote_it_only_three_values_change(text: str, entry: ImageEntry) -> None:
    before = yaml.safe_load(text)
    edited = assert_set(text, entry)
    after = yaml.safe_load(edited)
    added = [line for line in edited.splitlines() if line not in text.splitlines()]
    assert len(added) <= 3  # the lines of three values, or of one entry in braces
    changed = {"newName": entry.new_name, "newTag": entry.tag, "digest": entry.digest}
    assert after == before | {
        "images": [i | changed if i["name"] == NAME else i for i in before["images"]]
    }


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_line_is_put_in_or_taken_out_it_is_set_right_or_refused(
    data: st.DataObject,
) -> None:
    lines = data.draw(st.sampled_from(list(SHAPES.values()))).split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    junk = st.sampled_from(
        [
            "  - newTag: x",
            "    newTag: x",
            "images:",
            "  -",
            "     more",
            "    digest: |",
            "  name: z",
            "x: y",
            "---",
        ]
    )
    lines[place : place + data.draw(st.integers(0, 1))] = data.draw(
        st.lists(junk | st.text(max_size=6), max_size=2)
    )
    text = "\n".join(lines)
    try:
        after = set_image(text, ENTRY)
    except UsageError as error:
        assert error.fix
        return
    if set(entry_in(text)) >= {"newName", "newTag", "digest"}:
        assert other_bytes(after) == other_bytes(text)
    assert {key: entry_in(after)[key] for key in ("newName", "newTag", "digest")} == {
        "newName": ENTRY.new_name,
        "newTag": ENTRY.tag,
        "digest": ENTRY.digest,
    }


REFUSED: dict[str, tuple[str, str]] = {
    "empty": ("", "it has 0 documents"),
    "a list": ("- images\n", "it is no mapping"),
    "no images": ("kind: Kustomization\n", "0 `images:`"),
    "images that are no list": ("images: {}\n", "1 `images:`, and should have one list"),
    "images in brackets": ("images: []\n", "0 entries of that name"),
    "images twice": (PLAIN + PLAIN, "2 `images:`"),
    "images deeper down": ("x:\n  " + PLAIN.replace("\n", "\n  "), "0 `images:`"),
    "two documents": (PLAIN + "---\nkind: Other\nnewTag: zzz\n", "it has 2 documents"),
    "no entry": (PLAIN.replace("sluice.local/attrition", "nginx"), "0 entries of that name"),
    "two entries": (PLAIN + PLAIN[PLAIN.index("  - name") :], "2 entries of that name"),
    "two entries by an alias": (
        PLAIN.replace("- name", "- &a\n    name") + "  - *a\n",
        "2 entries of that name",
    ),
    "a longer name": (
        PLAIN.replace("- name: sluice.local/attrition", "- name: sluice.local/attrition-b"),
        "0 entries",
    ),
    "a folded tag": (
        PLAIN.replace("unreleased", ">-\n      folded"),
        "newTag in line 5 is no plain or quoted text",
    ),
    "a literal digest": (
        PLAIN.replace("sha256:00", "|\n      sha256:00"),
        "digest in line 6 is no plain",
    ),
    "a list for a tag": (PLAIN.replace("unreleased", "[a, b]"), "newTag in line 5 is no plain"),
    "an anchor": (
        PLAIN.replace("unreleased", "&tag unreleased"),
        "line 5 has an anchor, an alias or a type",
    ),
    "an alias": ("x: &tag b\n" + PLAIN.replace("unreleased", "*tag"), "line 6 has an anchor"),
    "a type": (PLAIN.replace("unreleased", "!!str 12"), "line 5 has an anchor"),
    "an anchor on the entry": (
        PLAIN.replace("- name", "- &ours\n    name"),
        "line 3 has an anchor",
    ),
    "an entry from elsewhere": (
        "x: &x {name: sluice.local/attrition}\nimages: [*x]\n",
        "line 1 has an anchor",
    ),
    "a list from elsewhere": (
        "x: &x [{name: sluice.local/attrition}]\nimages: *x\n",
        "would change more",
    ),
    "values from elsewhere": (
        "x: &x {newTag: b}\n" + PLAIN + "    <<: *x\n",
        "takes values from elsewhere (<<)",
    ),
    "an open quote": (PLAIN.replace("unreleased", "'a"), "it is not YAML: "),
    "a field twice": (PLAIN + "    newTag: again\n", "the entry has a field twice"),
    "a field twice in quotes": (PLAIN + "    'newTag': again\n", "the entry has a field twice"),
    "another entry without a dash": (PLAIN + "    name: nginx\n", "the entry has a field twice"),
    "tabs for spaces": (PLAIN.replace("    newTag", "\tnewTag"), "it is not YAML: "),
    "a tab for the dash's space": (PLAIN.replace("  - name", "  -\tname"), "it is not YAML: "),
    "tabs in a value": (PLAIN.replace("unreleased", '"a\tb"'), "newTag has a tab in it"),
    "tabs in a plain value": (PLAIN.replace("unreleased", "a\tb"), "newTag has a tab in it"),
    "a document behind an empty one": (PLAIN + "---\n---\nkind: Other\n", "it has 2 documents"),
    "a key that is a list": (PLAIN + "? [a, b]\n: c\n", "one of its keys is no text"),
    "a key that is a mapping": (PLAIN + "{a: b}: c\n", "one of its keys is no text"),
    "an unknown alias": (PLAIN + "x: *nowhere\n", "it is not YAML: found undefined alias"),
    "a control character": (PLAIN + "x: \x00\n", "it is not YAML: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_edited_is_refused_with_the_reason(case: str) -> None:
    text, reason = REFUSED[case]
    acts = [
        lambda: set_image(text, ENTRY, "overlays/x.yaml"),
        lambda: read_image(text, NAME, "overlays/x.yaml"),
    ]
    for act in acts[: 1 if reason == "would change more" else 2]:
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.what.startswith(f"overlays/x.yaml: the image {NAME} cannot be set: ")
        assert reason in caught.value.what
        assert "`newTag:`" in caught.value.fix


@pytest.mark.parametrize("end", ["---\n", "---", "--- # none\n", "...\n---\n# c\n", "---\n---\n"])
def test_a_mark_behind_which_nothing_stands_is_no_document(end: str) -> None:
    assert set_image(PLAIN + end, ENTRY) == set_image(PLAIN, ENTRY) + end


# Where people put tabs, and kustomize reads them: line end, comment, behind a colon or in braces.
TABS = {
    "before a comment": PLAIN.replace("images:", "images:\t# ours"),
    "at the end of a line": PLAIN.replace("images:\n", "images:\t\n"),
    "behind a value": PLAIN.replace("unreleased", "unreleased\t"),
    "behind a value, before a comment": PLAIN.replace("unreleased", "unreleased \t # not yet"),
    "behind a colon": PLAIN.replace("newTag: ", "newTag:\t"),
    "many behind a colon": PLAIN.replace("newTag: ", "newTag: \t \t"),
    "behind the name": PLAIN.replace(f"name: {NAME}", f"name: {NAME}\t"),
    "in another field": PLAIN.replace("images:", "namespace: attrition\t# the team\nimages:"),
    "in a list": PLAIN.replace("images:", "resources:\n  - ../base\t# all\nimages:"),
    "in a text of lines": PLAIN.replace("images:", "patch: |-\n  a:\tb\nimages:"),
    "in a quoted text": PLAIN.replace("images:", 'note: "a\tb"\t\nimages:'),
    "in braces": PLAIN.replace("images:", "labels: {a:\tb,\tc: d}\nimages:"),
}


@pytest.mark.parametrize("case", TABS)
def test_a_tab_between_two_words_is_what_a_space_is(case: str) -> None:
    text = TABS[case]
    assert "\t" in text
    wanted = ImageEntry(NAME, "registry.example.com/a", "0123456789abcdef", f"sha256:{'a' * 64}")
    after = set_image(text, wanted)
    assert read_image(after, NAME) == wanted
    assert set_image(after, wanted) == after
    # Only lines of the entry differ, and no tab went or came.
    changed = [one for one in after.splitlines() if one not in text.splitlines()]
    assert all(any(field in one for field in ("newName", "newTag", "digest")) for one in changed)
    assert after.count("\t") == text.count("\t")
    assert _by_libyaml(after) == _by_libyaml(text)


def _by_libyaml(text: str) -> object:
    """What kustomize's kind of parser reads beside the images."""
    document = yaml.load(text, yaml.CBaseLoader)
    return {key: value for key, value in document.items() if key != "images"}


@given(kustomizations(), st.data())
@settings(max_examples=100, deadline=None)
def test_wherever_a_tab_stands_it_is_set_as_kustomize_reads_it_or_refused(
    text: str, data: st.DataObject
) -> None:
    places = [place for place, letter in enumerate(text) if letter in " \n"]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        text = f"{text[:place]}\t{text[place + (text[place] == ' ') :]}"
    entry = data.draw(_ENTRIES)
    try:
        after = set_image(text, entry)
    except UsageError:
        return
    [read] = [
        image
        for image in yaml.load(after, yaml.CBaseLoader)["images"]
        if isinstance(image, dict) and image.get("name") == entry.name
    ]
    wanted = {"newName": entry.new_name, "newTag": entry.tag, "digest": entry.digest}
    assert {field: read[field] for field in wanted} == wanted
    assert _by_libyaml(after) == _by_libyaml(text)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a b",
        "a\n- name: evil",
        'a"',
        "a'",
        "a #b",
        "a: b",
        "{a}",
        "&a",
        "*a",
        "!a",
        "@a",
        "-a",
        "a:",
        "é",
        "a\r",
        "%a",
    ],
)
@pytest.mark.parametrize("field", ["new_name", "tag", "digest"])
def test_a_value_that_no_image_has_is_never_written(word: str, field: str) -> None:
    with pytest.raises(UsageError) as caught:
        set_image(PLAIN, replace(ENTRY, **{field: word}))
    assert repr(word) in caught.value.what


def test_the_reference_is_what_a_rollout_shows() -> None:
    assert ENTRY.reference == f"127.0.0.1:5000/team/attrition:0123456789abcdef@{DIGEST}"
