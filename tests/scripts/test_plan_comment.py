"""The comment on a pull request, against a server that answers as GitHub does."""

import http.server
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scripts.plan_comment import MARK, Run, body, main, read_event

REPO, COMMIT = "team/models", "c" * 40
PLAN = {
    "model": "churn",
    "steps": [
        {"step": "validate", "title": "Validate the data", "hit": True, "cause": "done before"},
        {"step": "train", "title": "Train", "hit": False, "cause": "policy.toml changed"},
    ],
    "diff": "",
    "outcome": "",
    "barred": "",
}


@dataclass
class Hub:
    """What GitHub has, and what it was told."""

    artifacts: dict[str, bytes] = field(default_factory=dict)
    head: str = COMMIT
    comments: list[dict[str, Any]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refuses: int = 0
    url: str = ""
    store: str = ""

    def answer(self, method: str, path: str, sent: Any) -> Any:
        parts = urlsplit(path)
        if parts.path == f"/repos/{REPO}/pulls":
            assert parse_qs(parts.query)["head"] == ["stranger:fix"]
            return [
                {"number": 6, "head": {"sha": "d" * 40}},
                {"number": 7, "head": {"sha": self.head}},
            ]
        if parts.path == f"/repos/{REPO}/actions/runs/5/artifacts":
            return {"artifacts": [self._artifact(name) for name in self.artifacts]}
        if method == "GET":
            assert parts.path == f"/repos/{REPO}/issues/7/comments"
            begin = (int(parse_qs(parts.query)["page"][0]) - 1) * 100
            return self.comments[begin : begin + 100]
        self.told.append((method, parts.path, sent["body"]))
        if method == "POST":
            comment = {"id": 90, "user": {"login": "github-actions[bot]"}, "body": sent["body"]}
            self.comments.append(comment)
        else:
            [found] = [one for one in self.comments if parts.path.endswith(f"/{one['id']}")]
            found["body"] = sent["body"]
        return {}

    def _artifact(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "size_in_bytes": len(self.artifacts[name]),
            "expired": False,
            "archive_download_url": f"{self.url}/zip/{name}",
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(size)) if size else None
        if self.path.startswith("/zip/"):
            self.send_response(302)
            self.send_header("Location", f"{self.hub.store}/{self.path[5:]}")
            self.end_headers()
            return
        if self.path.startswith("/plan-"):
            self.hub.logins.append(self.headers.get("Authorization") or "")
            content = self.hub.artifacts[self.path[1:]]
        elif self.hub.refuses:
            self.send_response(self.hub.refuses)
            self.end_headers()
            return
        else:
            assert self.headers["Authorization"] == "Bearer a-token"
            content = json.dumps(self.hub.answer(self.command, self.path, sent)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = any


@pytest.fixture
def hub() -> Iterator[Hub]:
    """GitHub, and the store to which it sends for archives under another name."""
    found = Hub(artifacts={"plan-churn": archive(PLAN)})
    handler = type("Handler", (_Handler,), {"hub": found})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        found.store = f"http://localhost:{server.server_port}"
        try:
            yield found
        finally:
            server.shutdown()


def archive(plan: object, name: str = "plan.json") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr(name, plan if isinstance(plan, str) else json.dumps(plan))
    return content.getvalue()


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    run = {
        "id": 5,
        "head_sha": COMMIT,
        "head_branch": "fix",
        "head_repository": {"owner": {"login": "stranger"}},
        "pull_requests": [],  # what GitHub says of a fork
    }
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"workflow_run": run, "repository": {"full_name": REPO}}))
    return {
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_API_URL": hub.url,
        "GITHUB_TOKEN": "a-token",
    }


def test_one_comment_is_written_and_then_updated_in_place(
    hub: Hub, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(environment) == 0
    [(method, path, text)] = hub.told
    assert (method, path) == ("POST", f"/repos/{REPO}/issues/7/comments")
    assert text.startswith(MARK)
    assert "### churn\n\n1 of 2 steps would run." in text
    assert "| MISS | Train | policy.toml changed |" in text
    assert hub.logins == [""]  # the token stays with GitHub
    assert main(environment) == 0
    assert len(hub.told) == 1  # nothing is new
    hub.artifacts["plan-churn"] = archive({"model": "churn", "outcome": "nothing to do"})
    assert main(environment) == 0
    assert hub.told[1][:2] == ("PATCH", f"/repos/{REPO}/issues/comments/90")
    assert len(hub.comments) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in said] == ["written.", "left.", "updated."]


def test_the_comment_of_somebody_else_is_left_alone_on_whichever_page_ours_is(
    hub: Hub, environment: dict[str, str]
) -> None:
    theirs = {"id": 1, "user": {"login": "stranger"}, "body": f"{MARK} mine"}
    ours = {"id": 90, "user": {"login": "github-actions[bot]"}, "body": f"{MARK} old"}
    hub.comments = [dict(theirs) for _ in range(150)] + [ours]
    assert main(environment) == 0
    assert hub.told[0][:2] == ("PATCH", f"/repos/{REPO}/issues/comments/90")


def test_a_push_that_touches_no_model_writes_no_first_comment_and_corrects_one(
    hub: Hub, environment: dict[str, str]
) -> None:
    hub.artifacts = {"evidence": b"x"}
    assert main(environment) == 0
    assert hub.told == []
    hub.comments = [{"id": 90, "user": {"login": "github-actions[bot]"}, "body": MARK}]
    assert main(environment) == 0
    assert "No model is touched" in hub.told[0][2]


def test_a_newer_commit_has_the_word(hub: Hub, environment: dict[str, str]) -> None:
    hub.head = "e" * 40
    assert main(environment) == 0
    assert hub.told == []


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        archive("no JSON"),
        archive("[" * 100_000),
        archive([1]),
        archive(PLAN, "../plan.json"),
    ],
)
def test_what_cannot_be_read_is_said(content: bytes, hub: Hub, environment: dict[str, str]) -> None:
    hub.artifacts["plan-churn"] = content
    assert main(environment) == 0
    assert "Refused: the plan cannot be read" in hub.told[0][2]


def test_what_a_stranger_wrote_is_shown_and_does_nothing() -> None:
    evil = "@team ![x](https://e.example/p) <img src=x> [a](b) | x\n# Title `rm`"
    plan = {"model": evil, "steps": [{"title": evil, "hit": 0, "cause": evil}], "barred": evil}
    for text in (body([plan], COMMIT), body([{"model": "a", "refused": evil}], COMMIT)):
        assert "@team" not in text
        assert "<img" not in text
        assert "](" not in text.replace("\\](", "")
        assert not re.search(r"(?m)^# ", text)
    strange: list[dict[str, Any]] = [{"steps": 1}, {"steps": [1, None]}, {"model": ["x"]}, {}]
    assert body(strange, COMMIT).count("### ") == 4


def test_verdict_and_change_are_shown_where_the_plan_knows_them() -> None:
    plan = {
        "model": "churn",
        "steps": [{"title": "Tune", "hit": True, "cause": ""}],
        "verdict": "PROMOTE: recall 0.8123 [0.79, 0.83]",
        "barred": "a person edited the entry",
        "diff": "--- a\n+++ b\n-old\n+new",
    }
    text = body([plan], COMMIT)
    assert "Verdict: PROMOTE: recall 0.8123" in text
    assert "0 of 1 steps would run." in text
    assert "Nothing would be committed: a person edited the entry" in text
    assert "```diff\n--- a\n+++ b\n-old\n+new\n```" in text
    ended = body([{**plan, "outcome": "release 3 is live already", "diff": ""}], COMMIT)
    assert "release 3 is live already" in ended
    assert "```" not in ended
    assert "| HIT |" not in ended


def test_no_line_of_a_change_ends_its_block() -> None:
    evil = "+```\n+@team <img src=x>\n+````\x1b[2J\n" + "+x\n" * 5_000
    text = body([{"model": "a", "steps": [], "diff": evil}], COMMIT)
    opened, closed = re.findall(r"(?m)^(`{3,})(?:diff)?$", text)
    assert opened == closed == "`" * 5
    assert "\x1b" not in text
    assert text.rstrip().endswith("The rest of the change is left out.")


def test_a_comment_is_no_longer_than_github_takes() -> None:
    steps = [{"title": "x" * 10_000, "hit": False, "cause": "y" * 10_000}] * 500
    text = body([{"model": "a", "steps": steps}] * 50, COMMIT)
    assert len(text) < 65_536
    assert text.endswith("it is too long.\n")


def test_a_refusal_of_github_is_one_sentence(
    hub: Hub, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.refuses = 403
    assert main(environment) == 1
    said = capsys.readouterr().err
    assert "Error: the comment could not be written: GET" in said
    assert "answers 403" in said
    assert "a-token" not in said
    assert main({}) == 1
    assert "GITHUB_EVENT_PATH" in capsys.readouterr().err


def test_the_event_of_github_is_read() -> None:
    with pytest.raises(KeyError):
        read_event("{}")
    run = {
        "id": 1,
        "head_sha": "a",
        "head_branch": "b",
        "head_repository": {"owner": {"login": "c"}},
    }
    event = {"workflow_run": run, "repository": {"full_name": REPO}}
    assert read_event(json.dumps(event)) == Run(REPO, 1, "a", "c", "b")
