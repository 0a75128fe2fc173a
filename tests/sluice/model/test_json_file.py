"""Files with a schema: what is written is read again, and what is wrong is said in plain words."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs
from support.schemas import documents

from flows.adapters.tracking import Record
from flows.decision.case_file import CaseFile
from flows.steps.validate import ReportFile
from sluice.model.artifact.model_artifact import Golden
from sluice.model.artifact.reference import Reference, read_reference
from sluice.model.fit.tuning_file import Trial, Tuning, write_tuning
from sluice.model.json_file import Unreadable, read_json, write_json
from sluice.model.quality.diagnostics_file import Diagnostics, ProtectedCost
from sluice.model.quality.metrics_file import Measures, Metrics, TrainedMetrics

# Drawing a whole document takes long on a busy machine.
UNHURRIED = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
SCHEMAS = (
    Metrics,
    TrainedMetrics,
    Tuning,
    Golden,
    Diagnostics,
    ProtectedCost,
    CaseFile,
    ReportFile,
    Record,
)


@pytest.mark.parametrize("schema", SCHEMAS)
@UNHURRIED
@given(data=st.data())
def test_what_is_written_is_read_again(schema: type[Struct], data: st.DataObject) -> None:
    document = data.draw(documents(schema))
    text = write_json(document)
    assert read_json(text.encode(), schema, "it") == document
    assert write_json(read_json(text.encode(), schema, "it")) == text


@UNHURRIED
@given(tuning=documents(Tuning))
def test_a_search_keeps_the_order_of_its_keys(tuning: Tuning) -> None:
    text = write_tuning(tuning)
    assert read_json(text.encode(), Tuning, "tuning.json") == tuning
    keys = ["schema", "objective", "winner", "trials", "left_out", "looked_at", "of_rare"]
    written = list(json.loads(text))
    assert written == [key for key in keys if key in written]
    assert written[:4] == keys[:4]
    fields = list(Trial.__struct_fields__)
    if tuning.winner.log_loss is msgspec.UNSET:
        fields.remove("log_loss")
    assert list(json.loads(text)["winner"]) == fields


@UNHURRIED
@given(reference=documents(Reference))
def test_a_reference_is_read_again(reference: Reference) -> None:
    content = json.dumps(msgspec.to_builtins(reference)).encode()
    assert read_reference(content) == reference


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'{"age": {"kind": "colour"}}'])
def test_what_is_no_reference_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"reference\.json does not follow its schema") as caught:
        read_reference(b"[]" if content == b"" else content)
    assert caught.value.fix


MEASURED = Measures(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25)


def measured(**changed: Any) -> bytes:
    values = structs.asdict(MEASURED) | changed
    return json.dumps({name: value for name, value in values.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "it is not JSON: Expecting property name enclosed in double quotes"),
        (b"[]", "it does not follow its schema: expected object, got array"),
        (
            measured(recall=...),
            "it does not follow its schema: object missing required field recall",
        ),
        (measured(recall="high"), "it does not follow its schema: recall: expected float, got str"),
    ],
)
def test_a_broken_file_is_told_in_plain_words(content: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_json(content, Measures, "it")
    assert caught.value.what.startswith(sentence)
    assert caught.value.fix == "Run the release again with --no-cache: it writes the file anew."


@UNHURRIED
@given(tuning=documents(Tuning), version=st.integers(2, 10**6))
def test_a_newer_file_is_refused_by_its_version(tuning: Tuning, version: int) -> None:
    newer = json.loads(write_tuning(tuning)) | {"schema": version, "trials": "elsewhere"}
    with pytest.raises(Unreadable) as caught:
        read_json(json.dumps(newer).encode(), Tuning, "tuning.json")
    assert caught.value.what == (f"the schema of tuning.json is {version}; at most 1 is required")
    assert caught.value.fix == "Use the version of Sluice that wrote it."


def test_a_field_that_is_not_known_is_left_alone() -> None:
    assert read_json(measured(colour="blue"), Measures, "it") == MEASURED


def test_a_file_that_says_no_version_is_one_of_the_first() -> None:
    golden = Golden(threshold=0.5, records=(), scores=())
    content = json.dumps({"threshold": 0.5, "records": [], "scores": []}).encode()
    assert read_json(content, Golden, "golden.json") == golden
