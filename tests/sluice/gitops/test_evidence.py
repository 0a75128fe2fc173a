"""evidence.json is read as far as it is used, whatever else it has."""

import json

import pytest

from sluice.gitops.evidence import Evidence, read_evidence, read_provenance


def written(**parts: object) -> bytes:
    return json.dumps(parts).encode()


def test_what_is_not_used_is_left_alone() -> None:
    evidence = read_evidence(written(data={"rows": 3, "columns": 7}, tuning={"trials": []}))
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


def test_intervals_stand_beside_their_level() -> None:
    metrics = {"holdout": {"recall": 0.5}, "intervals": {"recall": [0.4, 0.6], "level": 0.95}}
    read = read_evidence(written(metrics=metrics)).metrics
    assert read is not None
    assert read.intervals == {"recall": (0.4, 0.6), "level": 0.95}


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
