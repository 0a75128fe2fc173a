"""Images without a container tool: what of a Containerfile is followed, and what is refused. The
real build and start are in tests/e2e/test_unpacked.py.
"""

import io
import tarfile
from pathlib import Path

import pytest

from flows.adapters.image import carried, image_tools, layers, tarball, unpacked
from flows.adapters.image.container_engine import Recipe
from flows.adapters.image.unpacked import Unpacked, instructions
from flows.adapters.registry import layout, oci
from sluice.errors import SluiceError, UsageError
from sluice.identity import file_sha256

FILE = """\
# A comment
FROM scratch
ADD one.tar /
ENV A=1 \\
    B="two words"
USER 1034:1034
EXPOSE 3000
ENTRYPOINT ["python3.13", "-m", "thing"]
CMD ["--host", "0.0.0.0"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a").write_text("a")
    tarball.pack(folder / "files", "srv/files", folder / "one.tar")
    (folder / "Containerfile").write_text(FILE)
    return folder


def build(context: Path, state: Path, base: str = "scratch") -> tuple[Path, str]:
    """Build and export; the layout and the digest."""
    engine = Unpacked(state)
    engine.build(context, Recipe("localhost/x:1", base, {}))
    return state / "layout", engine.export("localhost/x:1", state / "layout", "1")


def test_our_own_containerfile_has_no_instruction_that_is_not_known() -> None:
    text = (Path(__file__).parents[4] / "bento" / "Containerfile").read_text()
    words = {word for word, _ in instructions(text)}
    assert words <= {"ARG", "FROM", "ADD", "ENV", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert ("USER", "1034:1034") in instructions(text)


def test_an_image_is_what_the_containerfile_says(context: Path, tmp_path: Path) -> None:
    place, digest = build(context, tmp_path / "state")
    manifest = oci.parse_manifest(layout.manifest(place, digest) or b"")
    config = layout.blob(place, manifest.config.digest)
    for said in (b'"B=two words"', b'"User":"1034:1034"', b'"3000/tcp"', b'"0.0.0.0"'):
        assert said in config
    [layer] = manifest.layers
    with tarfile.open(layout.blob_path(place, layer.digest)) as archive:
        assert archive.getnames() == ["srv", "srv/files", "srv/files/a"]
    assert not list((tmp_path / "state" / "unpacked" / "built").glob("*"))


def test_equal_inputs_give_the_same_digest(context: Path, tmp_path: Path) -> None:
    assert build(context, tmp_path / "one")[1] == build(context, tmp_path / "two")[1]


@pytest.mark.parametrize("line", ["COPY a /b", "RUN apt-get install git", 'RUN ["sh"]', "ADD a /b"])
def test_what_only_a_container_tool_does_is_refused(
    line: str, context: Path, tmp_path: Path
) -> None:
    (context / "Containerfile").write_text(f"{FILE}{line}\n")
    with pytest.raises(SluiceError, match="which only a container tool does"):
        build(context, tmp_path / "state")


def test_another_image_as_base_is_refused(context: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="packages of Debian are required"):
        build(context, tmp_path / "state", "debian@sha256:" + "0" * 64)


def test_a_member_that_would_lie_outside_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        member = tarfile.TarInfo("../outside")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(tarfile.TarError):
        unpacked.unpack([tmp_path / "bad.tar"], tmp_path / "root")
    assert not (tmp_path / "outside").exists()


def test_a_root_without_a_loader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="has no loader"):
        unpacked.python_of(tmp_path, tmp_path)


def test_nothing_of_this_process_goes_to_what_is_started(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.touch()
    start = unpacked.starting(program, {"A": "it's"}, without=["SECRET", "BASH_FUNC_x%%"])
    text = start.read_text()
    assert "unset SECRET\n" in text
    assert "BASH_FUNC" not in text
    assert "export A='it'\"'\"'s'\n" in text


def test_outside_of_the_pipeline_image_it_is_no_engine(tmp_path: Path) -> None:
    assert unpacked.find(tmp_path) is None
    assert image_tools.builder(tmp_path, [unpacked.TOOL]) is None
    assert image_tools.BUILDERS[-1] == image_tools.RUNNERS[-1] == unpacked.TOOL


def test_what_is_carried_comes_into_the_cache_once(tmp_path: Path) -> None:
    place, cache = tmp_path / "carried", tmp_path / "cache"
    (place / "base").mkdir(parents=True)
    archive = tmp_path / "0.tar"
    archive.write_bytes(b"bytes" * 1000)
    carried.pack(archive, place / "base" / "0.tar.xz")
    (place / "base" / "0.behind.json").write_text("{}")
    carried.into(cache, "base", place)
    assert (cache / "base" / "0.tar").read_bytes() == archive.read_bytes()
    assert (cache / "base" / "0.behind.json").read_text() == "{}"
    (cache / "base" / "0.tar").write_bytes(b"damaged")
    carried.into(cache, "base", place)
    assert file_sha256(cache / "base" / "0.tar") == file_sha256(archive)
    carried.into(cache, "site", place)
    assert not (cache / "site").exists()


def test_a_layer_has_no_time_and_no_name(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    tarball.empty(archive)
    layers.compress(archive, tmp_path / "one.gz")
    layers.compress(archive, tmp_path / "two.gz")
    one = layers.layer(archive, tmp_path / "one.gz", "x")
    assert one.digest == layers.layer(archive, tmp_path / "two.gz", "x").digest
    assert one.content == f"sha256:{file_sha256(archive)}"
