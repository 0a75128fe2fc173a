"""What is stated about an image, and who signed it: a promotion writes it, and nobody else can."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support import releases
from support.command_line import Sluice
from support.releases import Story, Told, keep_image

from flows.adapters import dsse
from flows.adapters.registry import oci, referrers, registry
from flows.adapters.registry.layout import Layout
from flows.audit import find_release, statements, verify
from flows.audit.statements import Wanted
from flows.engine.perform import Plainly, lookup
from flows.gitops import statement_key
from flows.project import settings
from flows.steps import promote
from flows.steps.image import IMAGE
from flows.steps.package import PACKAGE
from sluice.errors import Refused, UsageError
from sluice.gitops import statement
from sluice.gitops.bill_of_materials import BILL, Package, Software

ANNOTATION = "in-toto.io/predicate-type"
OTHER = dsse.read_key(dsse.new_key())
KINDS = ("provenance", "verdict", "bill of materials")


@pytest.fixture
def here(promoted: tuple[Story, Told], tools: str, tmp_path: Path) -> Story:
    own = releases.copy(promoted[0], tmp_path)
    releases.enter(own, tools)
    return own


def place(here: Story) -> Layout:
    return Layout(here.home / "registry" / "attrition")


def trailers() -> dict[str, str]:
    return dict(find_release.trace(settings.load(), "latest", "attrition").event.trailers)


def key() -> dsse.SigningKey:
    return statement_key.key(settings.load())


def problems(here: Story, said: dict[str, str] | None = None) -> list[str]:
    return [str(found) for found in verify.check(place(here), said or trailers()).problems]


def wanted(here: Story, said: dict[str, str]) -> dict[str, Wanted]:
    notes = registry.annotations(place(here), said["Image-Digest"])
    software = promote.software(place(here), said["Image-Digest"])
    return {one.name: one for one in statements.wanted(notes, said, software)}


def forget(here: Story, digest: str) -> None:
    """Take the list of an image's statements away, as who may write to the registry can."""
    index = place(here).folder / "index.json"
    document = json.loads(index.read_text())
    document["manifests"] = [
        entry
        for entry in document["manifests"]
        if referrers.tag(digest) not in entry["annotations"].values()
    ]
    index.write_bytes(oci.encode(document))


def lay(here: Story, digest: str, kind: str, envelope: bytes) -> None:
    registry.push_about(place(here), digest, dsse.MEDIA_TYPE, envelope, {ANNOTATION: kind})


def replace(here: Story, name: str, envelope: Callable[[Wanted, str], bytes]) -> str:
    """Lay another envelope in the place of one statement; the others stay. What is wrong then."""
    said = trailers()
    digest, all_of_them = said["Image-Digest"], wanted(here, said)
    forget(here, digest)
    for other in all_of_them.values():
        if other.name != name:
            statements.keep(place(here), key(), "x", digest, [other])
    one = all_of_them[name]
    lay(here, digest, one.predicate_type, envelope(one, digest))
    [problem] = problems(here)
    with pytest.raises(Refused, match="is not sound"):
        verify.require(place(here), said)
    begin = f"signed {name} of image {said['Image'].rpartition(':')[2]}: "
    assert problem.startswith(begin)
    return problem.removeprefix(begin)


def payload(one: Wanted, digest: str) -> bytes:
    return statement.encode("x", digest, one.predicate_type, one.predicate)


def by_another_key(one: Wanted, digest: str) -> bytes:
    return dsse.seal(OTHER, statement.PAYLOAD, payload(one, digest))


def with_the_id_of_the_right_key(one: Wanted, digest: str) -> bytes:
    right = json.loads(dsse.seal(key(), statement.PAYLOAD, payload(one, digest)))
    forged = json.loads(by_another_key(one, digest))
    forged["signatures"][0]["keyid"] = right["signatures"][0]["keyid"]
    return json.dumps(forged).encode()


def about_another_image(one: Wanted, _: str) -> bytes:
    return dsse.seal(key(), statement.PAYLOAD, payload(one, "sha256:" + "0" * 64))


def about_both(one: Wanted, digest: str) -> bytes:
    document = json.loads(payload(one, digest))
    document["subject"].append({"name": "y", "digest": {"sha256": "0" * 64}})
    return dsse.seal(key(), statement.PAYLOAD, json.dumps(document).encode())


def of_another_kind(one: Wanted, digest: str) -> bytes:
    text = statement.encode("x", digest, "https://example.com/v1", one.predicate)
    return dsse.seal(key(), statement.PAYLOAD, text)


def signed_as_another_type(one: Wanted, digest: str) -> bytes:
    return dsse.seal(key(), "text/plain", payload(one, digest))


def with_the_type_changed_later(one: Wanted, digest: str) -> bytes:
    envelope = json.loads(signed_as_another_type(one, digest))
    envelope["payloadType"] = statement.PAYLOAD
    return json.dumps(envelope).encode()


def by_nobody(one: Wanted, digest: str) -> bytes:
    envelope = json.loads(by_another_key(one, digest))
    envelope["signatures"] = []
    return json.dumps(envelope).encode()


def with_the_payload_changed_later(one: Wanted, digest: str) -> bytes:
    good = json.loads(dsse.seal(key(), statement.PAYLOAD, payload(one, digest)))
    other = json.loads(dsse.seal(key(), statement.PAYLOAD, payload(one, digest) + b" "))
    return json.dumps({**other, "signatures": good["signatures"]}).encode()


def no_envelope(one: Wanted, digest: str) -> bytes:
    return payload(one, digest)


def no_statement(_: Wanted, __: str) -> bytes:
    return dsse.seal(key(), statement.PAYLOAD, b'{"_type":"x"}')


def of_another_type(one: Wanted, digest: str) -> bytes:
    document = json.loads(payload(one, digest)) | {"_type": "https://example.com/Statement"}
    return dsse.seal(key(), statement.PAYLOAD, json.dumps(document).encode())


ATTACKS: dict[Callable[[Wanted, str], bytes], str] = {
    by_another_key: "no signature is by the key that the commit names",
    with_the_id_of_the_right_key: "no signature is by the key that the commit names",
    with_the_payload_changed_later: "no signature is by the key that the commit names",
    with_the_type_changed_later: "no signature is by the key that the commit names",
    by_nobody: "nobody signed it",
    no_envelope: "it is no signed envelope",
    signed_as_another_type: "it is signed as 'text/plain'",
    about_another_image: "it is about sha256:000",
    about_both: "it is about sha256:",
    of_another_kind: "it is of the kind https://example.com/v1",
    no_statement: "it is no in-toto statement",
    of_another_type: "it is of the type 'https://example.com/Statement'",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_statement_that_somebody_laid_there_does_not_count(
    attack: Callable[[Wanted, str], bytes], here: Story
) -> None:
    assert replace(here, "verdict", attack).startswith(ATTACKS[attack])


@pytest.mark.parametrize("name", KINDS)
def test_every_word_of_a_statement_is_compared(name: str, here: Story) -> None:
    """The right key, and one word other than commit and image have it."""
    said = trailers()
    digest, one = said["Image-Digest"], wanted(here, said)[name]
    for field in one.predicate:
        changed = Wanted(name, one.predicate_type, {**one.predicate, field: "other"})
        envelope = dsse.seal(key(), statement.PAYLOAD, payload(changed, digest))
        forget(here, digest)
        lay(here, digest, one.predicate_type, envelope)
        sizes: dict[str, int] = {}
        found = statements.problem(place(here), key().public, digest, one, sizes)
        assert found == f"it says something else than commit and image: {field}"
        assert sizes == {}


def test_a_package_that_is_in_the_image_and_not_in_its_bill_is_found(here: Story) -> None:
    """And one that is in the bill alone; the bill itself is signed with the right key."""
    said = trailers()
    digest, notes = said["Image-Digest"], {"a": "b"}
    more = Software(python=(Package("more", "1"),))
    for stated, there in ((Software(), more), (more, Software())):
        forget(here, digest)
        bills = [
            [one for one in statements.wanted(notes, said, software) if one.predicate_type == BILL]
            for software in (stated, there)
        ]
        statements.keep(place(here), key(), "x", digest, bills[0])
        found = statements.problem(place(here), key().public, digest, bills[1][0], {})
        assert found == "it says something else than commit and image: components"


def test_nothing_is_wanted_of_software_that_cannot_be_read(here: Story) -> None:
    names = [one.name for one in statements.wanted({}, trailers(), None)]
    assert names == ["provenance", "verdict"]


@pytest.mark.parametrize("name", KINDS)
def test_a_statement_that_is_gone_is_missed(name: str, here: Story) -> None:
    said = trailers()
    forget(here, said["Image-Digest"])
    others = [one for one in wanted(here, said).values() if one.name != name]
    statements.keep(place(here), key(), "x", said["Image-Digest"], others)
    tag = said["Image"].rpartition(":")[2]
    assert problems(here) == [f"signed {name} of image {tag}: there is none"]


def test_the_list_of_another_image_does_not_count(here: Story) -> None:
    """Every byte is genuine, and about a release that is another one."""
    said = trailers()
    digest = said["Image-Digest"]
    other = registry.push_files(place(here), "other", {"a": b"1"}, "x/y", {})
    for one in wanted(here, said).values():
        statements.keep(place(here), key(), "x", other, [one])
    list_of_other = registry.manifest(place(here), referrers.tag(other))
    forget(here, digest)
    for entry in referrers.listed(list_of_other):
        # Listed under this image, as a registry that is not ours could.
        place(here).put_referrer(digest, registry.manifest(place(here), entry.digest))
    found = problems(here)
    assert len(found) == len(KINDS)
    assert all(f"is listed under {digest}, and is not about it" in problem for problem in found)


def test_what_others_state_beside_it_does_no_harm(here: Story) -> None:
    said = trailers()
    digest, one = said["Image-Digest"], wanted(here, said)["verdict"]
    for attack in ATTACKS:
        lay(here, digest, one.predicate_type, attack(one, digest))
    lay(here, digest, "https://cosign.sigstore.dev/attestation/v1", b"anything")
    registry.push_about(place(here), digest, "text/plain", b"x", {ANNOTATION: one.predicate_type})
    assert problems(here) == []


def test_a_commit_that_names_another_key_is_found(here: Story) -> None:
    found = problems(here, trailers() | {statements.KEY: OTHER.public})
    assert len(found) == len(KINDS)
    assert all("no signature is by the key" in problem for problem in found)
    found = problems(here, trailers() | {statements.KEY: "ed25519:00"})
    assert all("is no public key of ed25519" in problem for problem in found)


def test_a_release_of_before_there_were_statements_is_verified_without(
    here: Story, sluice: Sluice
) -> None:
    said = trailers()
    forget(here, said["Image-Digest"])
    del said[statements.KEY]
    report = verify.check(place(here), said)
    assert (report.problems, "statements" in report.checked) == ([], False)
    ended = sluice("verify", said["Image-Digest"])
    assert ended.code == 3  # its commit names a key


def test_verify_says_what_is_stated_and_what_it_could_not_look_at(
    here: Story, sluice: Sluice
) -> None:
    assert "Statements     provenance, verdict, bill of materials" in sluice("verify", "latest").out
    digest = trailers()["Image-Digest"]
    (here.home / "manifests.git").rename(here.home / "away")
    assert "statements: no commit names the key that signed them" in sluice("verify", digest).out


def test_the_key_is_its_owners_alone_and_neither_in_git_nor_in_the_registry(here: Story) -> None:
    path = here.home / "keys" / "statements.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    secret = key().private.private_bytes_raw()
    spellings = (path.read_bytes().splitlines()[1], secret, secret.hex().encode())
    for folder in ("registry", "manifests.git", "evidence"):
        for file in (here.home / folder).rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            assert not any(spelling in content for spelling in spellings)
    assert secret.hex() not in repr(key())


def test_a_key_of_ones_own_signs(here: Story, tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_bytes(dsse.new_key())
    named = settings.load().model_copy(update={"statement_key": str(own)})
    assert statement_key.key(named).public == statement_key.key(named).public
    assert statement_key.key(named).public != key().public
    own.write_text("no key")
    with pytest.raises(UsageError, match="does not hold the key"):
        statement_key.key(named)


def test_a_promotion_without_a_statement_is_refused(
    first: tuple[Story, Told], tools: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kept it from being there: what is read back decides."""
    own = releases.copy(first[0], tmp_path)
    releases.enter(own, tools)
    keep_image()
    report = releases.planned().report
    assert report is not None
    here = Plainly(report.request.settings.home, report.request.model)
    packaged = lookup(here, PACKAGE, report.candidate)
    assert packaged is not None
    imaged = lookup(here, IMAGE, report.candidate, packaged)
    assert imaged is not None
    monkeypatch.setattr(statements, "keep", lambda *_: None)
    with pytest.raises(Refused, match=r"signed provenance of image \w+: there is none"):
        promote.promote(report, imaged, 1)
    monkeypatch.undo()
    releases.enter(own, tools)
    assert promote.promote(report, imaged, 1).outcome == "committed"
