"""Real controllers, real pods, real traffic: what the tests on Kubernetes share."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import description, whole
from support.cluster.__main__ import FOLDER
from support.cluster.beside import Beside
from support.cluster.candidates import MODEL, Workshop
from support.cluster.description import Cluster
from support.cluster.fixtures import Figures, api_server, programs
from support.cluster.judging import judging
from support.cluster.loop import Loop, playing
from support.cluster.story import Story
from support.cluster.traffic import Traffic, people
from support.cluster.watch import Watched, watching

from flows.adapters.registry.remote import Remote
from sluice.errors import UsageError

__all__ = ["api_server", "programs"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--drill",
        action="store_true",
        help="play scenes as often, and let parts be away for as long, as `make cluster-drill`",
    )
    parser.addoption(
        "--cluster",
        type=Path,
        metavar="FILE",
        help="play them on the cluster that a file describes, not on that of `make cluster`",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "repeated(times): how often a scene is played in a drill")
    config.addinivalue_line("markers", "drill: what is played in a drill alone")
    if file := config.getoption("--cluster", None):
        try:
            description.read(file)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    drill, elsewhere = config.getoption("--drill"), config.getoption("--cluster")
    kept = [
        item
        for item in items
        if (drill or item.get_closest_marker("drill") is None)
        and (not elsewhere or _asks_a_cluster(item))
    ]
    left = [item for item in items if item not in kept]
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def _asks_a_cluster(item: pytest.Item) -> bool:
    """Whether a test is of the cluster that it is played on, and not of a server of its own."""
    asked = getattr(item, "fixturenames", ())
    return "cluster" in asked and "api_server" not in asked


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A scene that is repeated has the number of the repetition."""
    if "repetition" not in metafunc.fixturenames:
        return
    marked = metafunc.definition.get_closest_marker("repeated")
    times = marked.args[0] if marked and metafunc.config.getoption("--drill") else 1
    metafunc.parametrize("repetition", range(times))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the scenes measured; in the file of `--junitxml` it is too."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call" and report.user_properties:
            told = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {told}")


@pytest.fixture(scope="session")
def drill(request: pytest.FixtureRequest) -> bool:
    """Whether it is the long way, at night."""
    return bool(request.config.getoption("--drill"))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The one that was named, or that `make cluster` brought up."""
    if file := request.config.getoption("--cluster"):
        return description.read(file)
    there = whole.found(FOLDER)
    assert there is not None, "no test cluster is up: `make cluster`"
    return there


@pytest.fixture(scope="session")
def workshop(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Builds images for it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
    place = Remote(cluster.registry, MODEL)
    return Workshop(tmp_path_factory.mktemp("images"), cache, place)


@pytest.fixture(scope="session")
def first(workshop: Workshop) -> str:
    """The image that serves: its digest."""
    return workshop.build("first000")


@pytest.fixture(scope="module")
def loop(cluster: Cluster, first: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """Its first release, by Argo CD, from an empty namespace to three pods that serve, and the loop
    closer beside the controllers.
    """
    with playing(cluster, first, tmp_path_factory.mktemp("story")) as played:
        yield played


@pytest.fixture(scope="module")
def judge(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """`sluice judge`, at the address that the component names."""
    with judging(cluster, tmp_path_factory.mktemp("judge")) as one:
        yield one


@pytest.fixture
def story(loop: Loop) -> Story:
    """What the controllers make of it; everybody is served, and nothing is under way."""
    told = loop.story
    assert told.healthy_with(loop.champion().digest), f"an earlier test left this: {told.told()}"
    return told


@pytest.fixture
def traffic(cluster: Cluster, story: Story, workshop: Workshop) -> Iterator[Traffic]:
    """People who ask all the time while a test runs."""
    with people(cluster, workshop) as seen:
        time.sleep(2)
        assert seen.seen
        assert not seen.failed()
        yield seen


@pytest.fixture
def watched(story: Story) -> Iterator[Watched]:
    """Everything that the controllers say while a test runs."""
    with watching(story) as seen:
        yield seen


@pytest.fixture
def figures(record_property: Figures) -> Figures:
    """Where a scene says what it measured: a name, and a value."""
    return record_property
