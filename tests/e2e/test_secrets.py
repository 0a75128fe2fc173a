"""Ten secrets in ten forms go through releases, rollbacks and listings; none is anywhere
afterwards, or meanwhile.
"""

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.git_repos import ONE, TWO, digest, hook, promotion, seeded
from support.git_servers import Hosted, certificate, serving, sshd
from support.leaks import Corpus, files, found, objects, recording, watching
from support.releases import Story, enter, keep_image, write
from test_registry_http import serving as registry_serving

from flows.gitops.promotion import promote
from flows.project.root import ROOT

# user -> secret; what tries to carry each of them off is in the tests below.
SECRETS = {
    "bot": "tok-1-a5Xz/with:odd@characters%",
    "urluser": "tok-2-in+the/url",
    "ghp_tok3iiiiiiiiiiiiiiiiiiiiiiiiii": "",
    "bearer": "tok-4-bearer-0123456789",
    "sshkey": "",
    "registry": "right",
    "mlflow": "tok-7-tracking-0123456789",
    "salt": "tok-8-log-salt-0123456789",
    "proxy": "tok-9-proxy-0123456789",
    "netrc": "tok-10-netrc-0123456789",
}
SLUICE = (sys.executable, "-c", "from flows.cli.main import main; main()")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


class Run:
    """Commands with secrets in their environment, and all that could be seen of them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.scratch, self.said = folder / "home", folder / "scratch", Corpus()
        for place in (self.home, self.scratch):
            place.mkdir(parents=True, exist_ok=True)
        self.calls = folder / "calls"
        self.tools = recording(self.calls)

    def sluice(self, *words: str, code: int = 0, **env: str) -> str:
        """Run a command; its exit code is checked, what it says is kept."""
        own = {
            "SLUICE_HOME": str(self.home),
            "SLUICE_MODEL": "attrition",
            "TMPDIR": str(self.scratch),
            "HOME": str(self.scratch.parent / "person"),
            "PREFECT_HOME": str(self.home / "prefect"),
            "GIT_TRACE": "2",
            "GIT_CURL_VERBOSE": "1",
        }
        env = {**env, "PATH": f"{self.tools}:{env.get('PATH', os.environ['PATH'])}"}
        with watching(self.scratch) as seen:
            done = subprocess.run(
                [*SLUICE, *words],
                cwd=ROOT,
                env={**os.environ, **own, **env},
                text=True,
                capture_output=True,
                check=False,
            )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        self.said |= {**seen, f"output of {words}": f"{done.stdout}\n{done.stderr}".encode()}
        return done.stdout + done.stderr

    def everything(self, *repositories: Path) -> Corpus:
        """What was said, what processes were called with, and every file that is left."""
        assert any(b"fetch" in path.read_bytes() for path in self.calls.glob("command.*"))
        assert any(b"[remote" in path.read_bytes() for path in self.calls.glob("config.*"))
        corpus = {**self.said, **files(self.calls), **files(self.home), **files(self.scratch)}
        for repository in repositories:
            corpus |= objects(repository)
        return corpus


def secrets(*users: str) -> list[tuple[str, str]]:
    return [(user, SECRETS[user]) if SECRETS[user] else ("", user) for user in users]


def test_a_release_leaves_none(
    tmp_path: Path, tools: str, authority: tuple[Path, Path, Path]
) -> None:
    local, run = seeded(tmp_path / "server"), Run(tmp_path)
    person = tmp_path / "person"
    person.mkdir()
    (person / ".netrc").write_text(
        f"machine git.example.com login netrc password {SECRETS['netrc']}\n"
    )
    project = write(tmp_path / "project")
    with serving(Hosted(local.home, {"bot": SECRETS["bot"]}), authority[1:]) as hosted:
        given = {
            "SLUICE_PROJECT": str(project),
            "PATH": tools,
            "SLUICE_WORKERS": "1",
            "SLUICE_CA": str(authority[0]),
            "SLUICE_MANIFESTS": f"{hosted.url}/manifests.git",
            "SLUICE_GIT_USER": "bot",
            "SLUICE_GIT_TOKEN": SECRETS["bot"],
            "SLUICE_LOG_SALT": SECRETS["salt"],
            "SLUICE_TRACKING_URI": f"http://mlflow:{SECRETS['mlflow']}@127.0.0.1:9",
            "HTTPS_PROXY": f"http://proxy:{SECRETS['proxy']}@127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        assert "no image, no commit" in run.sluice("release", **given)
        os.environ |= given
        enter(Story(project, run.home), tools)
        keep_image()
        assert "Promoted: release 1" in run.sluice("release", **given)
        run.sluice("status", **given)
        assert SECRETS["bot"] in base64.b64decode(hosted.seen[-1][1][6:]).decode()
        hook(local, f"echo 'you came with {SECRETS['bot']}' >&2; exit 1")
        said = run.sluice("quarantine", "add", digest(TWO), "--reason", "x", code=1, **given)
        assert "you came with ***" in said
    corpus = run.everything(local.home / "manifests.git")
    assert any(name.endswith("prefect.db") for name in corpus)
    assert found(secrets("bot", "mlflow", "salt", "proxy", "netrc"), corpus) == set()


# Names of their own: whoever runs tests side by side shows the name of each among the processes.
@pytest.mark.parametrize(
    "form",
    ["urluser", "ghp_tok3iiiiiiiiiiiiiiiiiiiiiiiiii", "bearer"],
    ids=["user", "token", "bearer"],
)
def test_a_login_in_another_form_leaves_none(
    form: str, tmp_path: Path, authority: tuple[Path, Path, Path]
) -> None:
    local, run = seeded(tmp_path / "server"), Run(tmp_path)
    from urllib.parse import quote

    with serving(Hosted(local.home, {form: SECRETS[form]}), authority[1:]) as hosted:
        given = {"SLUICE_CA": str(authority[0]), "SLUICE_MANIFESTS": f"{hosted.url}/manifests.git"}
        if form == "bearer":
            given |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{hosted.url}/.extraheader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {SECRETS[form]}",
            }
        else:
            login = f"{form}:{quote(SECRETS[form], safe='')}" if SECRETS[form] else form
            given["SLUICE_MANIFESTS"] = given["SLUICE_MANIFESTS"].replace("://", f"://{login}@")
        run.sluice("quarantine", "add", digest(ONE), "--reason", "why", **given)
        assert promote(local, promotion(TWO, 1)).outcome == "committed"
        run.sluice("rollback", "--reason", "why", code=2, **given)
        hosted.users = {"nobody": "else"}
        run.sluice("quarantine", code=2, **given)
    assert found(secrets(form), run.everything(local.home / "manifests.git")) == set()


def test_a_deploy_key_leaves_none(tmp_path: Path) -> None:
    local, run = seeded(tmp_path / "server"), Run(tmp_path)
    with sshd(tmp_path / "ssh") as ssh:
        given = {
            "SLUICE_MANIFESTS": ssh.url(local.home / "manifests.git"),
            "SLUICE_GIT_KEY": str(ssh.key),
            "SLUICE_KNOWN_HOSTS": str(ssh.known_hosts),
            "SLUICE_SIGNING_KEY": str(ssh.key),
        }
        run.sluice("quarantine", "add", digest(ONE), "--reason", "why", **given)
        run.sluice("quarantine", code=2, **{**given, "SLUICE_KNOWN_HOSTS": str(ssh.key)})
        run.sluice("quarantine", code=2, **{**given, "SLUICE_GIT_KEY": ssh.key.read_text()})
        lines = ssh.key.read_text().splitlines()[1:-1]
    assert (
        found([("", line) for line in lines[2:]], run.everything(local.home / "manifests.git"))
        == set()
    )


def test_a_registry_leaves_none(tmp_path: Path) -> None:
    from test_registry_http import BCRYPT_OF_RIGHT

    local, run = seeded(tmp_path / "server"), Run(tmp_path)
    (tmp_path / "htpasswd").write_text(f"registry:{BCRYPT_OF_RIGHT}\n")
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}}
    login = base64.b64encode(b"registry:right").decode()
    with registry_serving(tmp_path / "registry", auth) as place:
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {place.host: {"auth": login}}}))
        given = {
            "SLUICE_REGISTRY": f"{place.host}/team",
            "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
            "SLUICE_MANIFESTS": local.manifest_url,
        }
        assert "0 images" in run.sluice("images", **given)
        (tmp_path / "htpasswd").write_text(f"other:{BCRYPT_OF_RIGHT}\n")
    with registry_serving(tmp_path / "second", auth) as place:
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {place.host: {"auth": login}}}))
        given["SLUICE_REGISTRY"] = f"{place.host}/team"
        run.sluice("images", code=2, **given)
    corpus = run.everything()
    assert not [
        name
        for name, content in corpus.items()
        if login.encode() in content or b"registry:right" in content
    ]


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Each secret, planted in each form at each kind of place, is found: as an argument, in a file,
    a database, git.
    """
    everyone = [
        (user, secret or user) for user, secret in SECRETS.items() if len(secret or user) > 7
    ]
    assert len(everyone) >= 8
    local = seeded(tmp_path / "server")
    for user, secret in everyone:
        places = {
            "plain.log": secret.encode(),
            "header": base64.b64encode(f"{user}:{secret}".encode()),
            "inside": base64.b64encode(f"Authorization: {secret}; and more".encode()),
            "packed.gz": gzip.compress(secret.encode()),
        }
        folder = tmp_path / "planted" / user
        folder.mkdir(parents=True)
        for name, content in places.items():
            (folder / name).write_bytes(content)
        with sqlite3.connect(folder / "prefect.db") as database:
            database.execute("create table log (message text)")
            database.execute("insert into log values (?)", (f"pushed with {secret}",))
        database.close()
        assert len(found([(user, secret)], files(folder))) == 5
        with watching(folder) as seen:
            subprocess.run(
                [sys.executable, "-c", "import time; time.sleep(0.3)", secret], check=True
            )
        assert any(place.startswith("command:") for _, place in found([(user, secret)], seen))
        assert any(place.startswith("scratch:") for _, place in found([(user, secret)], seen))
        promoted = promotion(ONE, 1)
        hidden = type(promoted)(**{**vars(promoted), "body": f"by {secret}"})
        other = seeded(folder)
        promote(other, hidden)
        assert found([(user, secret)], objects(folder / "manifests.git"))
    assert not found(everyone, objects(local.home / "manifests.git"))
