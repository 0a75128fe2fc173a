"""Generated rows have a state folder of their own, so nobody's own data are judged against them."""

import shutil
from pathlib import Path

import pytest

from flows.engine.outcome import Outcome, record
from flows.gitops import manifest_repo
from flows.project import data_source, homes
from flows.project.root import ROOT
from flows.project.settings import Settings
from sluice.identity import sha256

SAMPLE = "made,up\n1,2\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of somebody who set no folder; the default one and the project are this test's."""
    for name in ("SLUICE_HOME", "SLUICE_MANIFESTS", "SLUICE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    for kind in ("generated", "real"):
        (folder / "models" / kind).mkdir(parents=True)
        (folder / "models" / kind / "contract.toml").write_text("")
    (folder / "data").mkdir()
    (folder / "data" / "generated.toml").write_text(
        f'reference = "sample:a.b"\nsha256 = "{sha256(SAMPLE.encode())}"\nrows = 1\n'
    )
    (folder / "data" / "real.toml").write_text('reference = "file:people.csv"\nsha256 = "1"\n')

    class Here(Settings):
        home: Path = tmp_path / "state"
        project: Path = folder

    return Here()


def written(folder: Path, text: str) -> Path:
    path = folder / "people.csv"
    path.write_text(text)
    return path


def test_what_is_generated_goes_to_the_demo_and_what_is_not_does_not(
    own: Settings, tmp_path: Path
) -> None:
    def home(model: str, text: str | None = None) -> Path:
        return homes.for_data(own, model, written(tmp_path, text) if text else None).home

    assert home("generated") == own.home / "demo"
    assert home("generated", SAMPLE) == own.home / "demo"  # a file of the very same rows
    assert home("generated", SAMPLE + "3,4\n") == own.home
    assert home("real") == own.home
    assert home("real", SAMPLE) == own.home
    assert home("unknown") == own.home
    # What says how rows are generated is no table of anybody's, whatever the pointer names.
    shares = own.project / "models" / "real" / "sample.toml"
    assert homes.for_data(own, "real", shares).home == own.home / "demo"


def test_a_pipe_is_not_read_to_find_out(own: Settings) -> None:
    assert homes.for_data(own, "generated", Path("/dev/stdin")).home == own.home


@pytest.mark.parametrize(
    "given", [{"home": "elsewhere"}, {"manifests": "https://git.example.com/x.git"}]
)
def test_what_is_set_is_obeyed(own: Settings, tmp_path: Path, given: dict[str, str]) -> None:
    set_ = type(own)(**given)
    record(own.home / "demo", Outcome("hold", "", "generated"))
    assert homes.for_data(set_, "generated", None) is set_
    assert homes.looked_at(set_) is set_
    assert homes.both(set_) == [set_.home]
    assert not homes.is_demo(set_)
    assert homes.other(set_) is None


def test_the_shipped_data_are_a_demo_and_its_folder_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SLUICE_HOME", "SLUICE_MANIFESTS", "SLUICE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)
    given = homes.load_for_data("attrition", None)
    assert given.home == (ROOT / ".sluice").resolve() / "demo"
    assert given.manifest_url == str(given.home / "manifests.git")
    assert given.tracking == f"sqlite:///{given.home / 'mlflow.db'}"
    assert homes.is_demo(given)
    assert homes.of_the_demo(given) == (
        "Demo of generated rows, in .sluice/demo; your own data go to .sluice."
    )
    assert capsys.readouterr().err == ""


def begin(home: Path) -> None:
    """What a release that was refused at once leaves."""
    record(home, Outcome("refused", "the data", "generated"))


def test_the_demo_is_looked_at_until_there_is_something_of_ones_own(own: Settings) -> None:
    demo = own.home / "demo"
    assert homes.looked_at(own) is own
    manifest_repo.seed(own.model_copy(update={"home": demo}))
    looked = homes.looked_at(own)
    assert looked.home == demo
    assert homes.is_demo(looked)
    assert homes.other(looked) is None
    begin(own.home)
    assert homes.looked_at(own) is own
    assert homes.other(own) == demo
    assert homes.other(looked) == own.home


def test_before_the_first_release_the_folder_that_it_will_go_to_is_looked_at(
    own: Settings,
) -> None:
    assert homes.looked_at_for(own, "generated").home == own.home / "demo"
    assert homes.looked_at_for(own, "real") is own
    assert homes.looked_at_for(own, "unknown") is own
    begin(own.home)
    assert homes.looked_at_for(own, "generated") is own
    shutil.rmtree(own.home)
    begin(own.home / "demo")
    assert homes.looked_at_for(own, "real").home == own.home / "demo"


@pytest.mark.parametrize("left", ["manifests.git", "manifests.seeded", "outcomes"])
def test_own_releases_are_not_forgotten_for_a_demo_whatever_is_left_of_them(
    own: Settings, left: str
) -> None:
    """A manifest repo that was lost is told: it does not make the demo the answer."""
    begin(own.home / "demo")
    manifest_repo.seed(own)
    begin(own.home)
    for path in own.home.iterdir():
        if path.name not in (left, "demo"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert homes.looked_at(own) is own


def test_what_was_served_to_people_is_forgotten_in_both(own: Settings) -> None:
    assert homes.both(own) == [own.home, own.home / "demo"]


def test_each_folder_knows_the_other(own: Settings) -> None:
    assert homes.beside(own.home, own.home) == own.home / "demo"
    assert homes.beside(own.home / "demo", own.home) == own.home
    # Nobody's but the user's own: what lies above a folder that was set may be others'.
    assert homes.beside(Path("/tmp/demo"), own.home) is None
    assert homes.beside(own.home) is None


@pytest.mark.parametrize(
    ("reference", "generated"),
    [
        ("sample:models.attrition.sample", True),
        ("file:people.csv", False),
        ("sample.csv", False),
        ("", False),
    ],
)
def test_which_reference_names_generated_rows(reference: str, generated: bool) -> None:
    assert data_source.generated(reference) is generated
    assert data_source.Pointer(reference).generated is generated
