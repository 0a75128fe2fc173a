"""A hostile model artifact is tried in a process of its own: what it takes or breaks ends in a
sentence, and a real one passes.
"""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from support.hostile_models import (
    WIDTH,
    columns,
    doubled,
    for_each_row,
    model,
    multiplied,
    node,
    outer,
)
from support.model_artifacts import MODEL, small_artifact

from bento import model_trial
from bento.model_trial import Limits, require_loads
from sluice.errors import Refused, SluiceError, UsageError
from sluice.served.onnx_file import check

# As little as a real model needs, so that the tests end soon.
SMALL = Limits(seconds=1)
# What a model is multiplied to stays in memory: on a fast processor that would come to its limit
# within the second.
ROOMY = Limits(seconds=1, room=16 << 30)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("artifact") / "model")


@pytest.fixture
def copied(artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifact, tmp_path / "model"))


TAKES_MEMORY: dict[str, Callable[[], onnx.ModelProto]] = {
    "made of two lists at load": lambda: outer(30_000),
    "added from two lists at load": lambda: outer(30_000, "Add"),
    "divided from two lists at load": lambda: outer(30_000, "Div"),
    "far more than any machine has": lambda: outer(3_000_000, "Mul"),
    "made where a row is scored": lambda: for_each_row(30_000),
    "spread where a row is scored": lambda: doubled(1),
}


@pytest.mark.parametrize("case", TAKES_MEMORY)
def test_a_model_that_takes_too_much_memory_ends_in_a_sentence(case: str, copied: Path) -> None:
    content = TAKES_MEMORY[case]().SerializeToString()
    check(content)  # to the look it is arithmetic
    (copied / "model.onnx").write_bytes(content)
    with pytest.raises(
        Refused, match=r"takes more than [\d,]+ MB of memory; at most that"
    ) as caught:
        require_loads(copied, SMALL)
    assert caught.value.fix


def test_a_model_that_does_not_come_to_an_end_ends_in_a_sentence(copied: Path) -> None:
    content = multiplied(2_000).SerializeToString()
    check(content)
    (copied / "model.onnx").write_bytes(content)
    with pytest.raises(Refused, match="takes more than 1 seconds of the processor"):
        require_loads(copied, ROOMY)


OF_ANOTHER_SHAPE: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "another width": (
        lambda: model(node("Identity", "features"), width=2),
        f"cannot score a row of {WIDTH} features",
    ),
    "as many answers as features": (
        lambda: model(node("Identity", "features")),
        "two probabilities are required",
    ),
    "one answer": (
        lambda: model(node("Gather", "features columns", axis=1), parts=(columns(0),)),
        "two probabilities are required",
    ),
    "an answer for no row": (
        lambda: model(node("Gather", "features columns", axis=0), parts=(columns(),)),
        "two probabilities are required",
    ),
    "no shares": (
        lambda: model(
            node("Gather", "features columns", "two", axis=1),
            node("Sub", "two one"),
            parts=(columns(0, 1), helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])),
        ),
        r"answers a row with \[\[-1.0, -1.0\]\]",
    ),
    "no numbers": (
        lambda: model(
            node("Gather", "features columns", "two", axis=1),
            node("Div", "two two"),
            parts=(columns(0, 1),),
        ),
        r"answers a row with \[\[nan, nan\]\]",
    ),
    "whole numbers": (
        lambda: model(
            node("Gather", "features columns", "two", axis=1),
            node("Cast", "two", to=TensorProto.INT64),
            parts=(columns(0, 1),),
            kind=TensorProto.INT64,
        ),
        "two probabilities are required",
    ),
    "a column that is not there": (
        lambda: model(node("Gather", "features columns", axis=1), parts=(columns(0, 10**6),)),
        "cannot score a row|cannot run the model",
    ),
    "no such output": (
        lambda: model(node("Identity", "features", "others")),
        "cannot run the model",
    ),
}


@pytest.mark.parametrize("case", OF_ANOTHER_SHAPE)
def test_a_model_that_is_for_something_else_ends_in_a_sentence(case: str, copied: Path) -> None:
    build, words = OF_ANOTHER_SHAPE[case]
    (copied / "model.onnx").write_bytes(build().SerializeToString())
    with pytest.raises(Refused, match=words) as caught:
        require_loads(copied, SMALL)
    assert "anew" in caught.value.fix


def test_a_real_model_passes_within_a_small_part_of_the_limits(artifact: Path) -> None:
    require_loads(artifact, Limits(seconds=1, room=32 << 20, per_byte=0))


def test_what_is_wrong_is_told_as_loading_tells_it(copied: Path) -> None:
    (copied / "policy.toml").write_text("[operating_point]\nthreshold = 2.0\n")
    with pytest.raises(UsageError, match=r"threshold is 2\.0"):
        require_loads(copied, SMALL)
    (copied / "contract.toml").write_text(f"a = {'[' * 20_000}")
    with pytest.raises(UsageError, match="nested too deeply"):
        require_loads(copied, SMALL)
    (copied / "model.onnx").write_bytes(b"")
    shutil.copy(MODEL / "contract.toml", copied)
    with pytest.raises(Refused, match="the model is an empty file"):
        require_loads(copied, SMALL)


def ended(code: int, out: bytes = b"", err: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.CompletedProcess([], code, out, err)


def test_a_process_that_breaks_is_told_from_one_that_does_not_start(tmp_path: Path) -> None:
    def fault(process: subprocess.CompletedProcess[bytes]) -> SluiceError:
        return model_trial._fault(process, SMALL, 128 << 20, tmp_path / "model.onnx")

    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS):
        broken = fault(ended(-number))
        assert isinstance(broken, Refused)
        assert f"ends the process that loads it ({number.name})" in broken.what
    for code in (1, 2, 3, 127):
        missing = fault(ended(code, err=b"Traceback\nNo module named onnxruntime"))
        assert not isinstance(missing, Refused)
        assert "(No module named onnxruntime)" in missing.what
    assert "(exit code 1)" in fault(ended(1)).what
    said = json.dumps({"what": "it is so", "fix": "do that"}).encode()
    assert str(fault(ended(3, out=b"noise\n" + said))) == "it is so\n  do that"


def test_it_gets_none_of_the_secrets_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GIT_TOKEN", "secret")
    assert set(model_trial._environment()) - {"LD_LIBRARY_PATH"} == {
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "ORT_DISABLE_TELEMETRY",
        "OPENBLAS_NUM_THREADS",
    }
