"""evidence.json is read as far as it is used, whatever else it has."""

import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from support.schemas import documents

from sluice.gitops.evidence import (
    Drift,
    Evidence,
    Provenance,
    read_evidence,
    read_provenance,
    write_evidence,
)
from sluice.model.json_file import Unreadable

# Drawing a whole document takes long on a busy machine.
UNHURRIED = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
FIXTURE = Path(__file__).parents[2] / "fixtures" / "version-0.1.0"


def written(**parts: object) -> bytes:
    return json.dumps(parts).encode()


def test_what_is_not_used_is_left_alone() -> None:
    evidence = read_evidence(written(data={"rows": 3, "shoes": 7}, weather={"rain": []}))
    assert evidence.data is not None
    assert (evidence.data.rows, evidence.data.sha256) == (3, "")


def test_a_part_that_is_not_there_is_none() -> None:
    assert read_evidence(b"{}") == Evidence()
    assert Evidence().judged.rules == []
    assert Evidence().model_hash == ""


def test_a_verdict_is_kept_as_it_was_said() -> None:
    verdict = {"verdict": "HOLD", "sentence": "why", "rules": [{"passed": None, "value": 1}]}
    evidence = read_evidence(written(verdict=verdict))
    assert evidence.verdict == verdict
    assert (evidence.judged.verdict, evidence.judged.rules[0].passed) == ("HOLD", None)


@pytest.mark.parametrize("label", ["model artifact", "model artefact"])
def test_the_hash_of_the_model_is_found_under_both_spellings(label: str) -> None:
    assert read_evidence(written(lineage={label: "m"})).model_hash == "m"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"data": 3}', b'{"seals": {"data": 3}}'])
def test_what_is_no_evidence_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_evidence(content)


def test_an_input_that_is_not_on_record_is_empty() -> None:
    provenance = read_provenance(written(inputs={"train": {"code": "c"}}))
    assert provenance.input("train", "code") == "c"
    assert provenance.input("train", "policy") == provenance.input("tune", "code") == ""


@UNHURRIED
@given(evidence=documents(Evidence))
def test_what_a_release_writes_is_what_is_read_later(evidence: Evidence) -> None:
    content = write_evidence(evidence).encode()
    assert read_evidence(content) == evidence
    assert write_evidence(read_evidence(content)).encode() == content


@UNHURRIED
@given(provenance=documents(Provenance))
def test_provenance_is_read_again(provenance: Provenance) -> None:
    assert read_provenance(msgspec.json.encode(provenance)) == provenance


def test_what_is_of_the_champion_is_written_only_where_there_is_one() -> None:
    assert not {"champion_metrics", "drift"} & set(json.loads(write_evidence(Evidence())))
    drift = Drift(verdict="none", share=0.0, columns=(), sentence="None.")
    document = json.loads(write_evidence(Evidence(drift=drift)))
    assert document["drift"] == {
        "verdict": "none",
        "share": 0.0,
        "columns": [],
        "sentence": "None.",
    }
    assert document["override"] is None


def test_evidence_of_a_newer_version_is_refused_in_plain_words() -> None:
    with pytest.raises(Unreadable) as caught:
        read_provenance(written(schema=2))
    assert caught.value.what == "the schema of provenance.json is 2; at most 1 is required"
    with pytest.raises(
        Unreadable, match=r"evidence\.json does not follow its schema: data\.rows: ex"
    ):
        read_evidence(written(data={"rows": "many"}))


def test_evidence_of_version_0_1_0_is_read_whole() -> None:
    documents_read = [read_evidence(content) for content in old_evidence()]
    assert len(documents_read) > 1
    for evidence in documents_read:
        assert evidence.metrics and evidence.tuning and evidence.diagnostics
        assert evidence.data and evidence.data.checks and evidence.provenance
        assert evidence.judged.verdict and evidence.judged.rules and evidence.model_hash
    assert any(evidence.drift and evidence.champion_metrics for evidence in documents_read)


@pytest.mark.parametrize("part", ["seals", "lineage", "statements", "provenance", "metrics"])
def test_evidence_of_version_0_1_0_keeps_its_values(part: str) -> None:
    for content in old_evidence():
        again = json.loads(write_evidence(read_evidence(content)))
        assert again[part] == json.loads(content)[part]


def old_evidence() -> list[bytes]:
    """Every evidence.json in the registry that version 0.1.0 left."""
    contents = []
    with tarfile.open(FIXTURE / "registry.tar.xz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
            if content.startswith(b"{") and b'"diagnostics"' in content and b'"seals"' in content:
                contents.append(content)
    return contents
