"""One comment on a pull request that says what a release of it would do, written anew each time.

    python3 -m scripts.plan_comment

It runs in the reviewed code, after the workflow that worked the plans out: that one ran the code of
the pull request, perhaps a stranger's, and may write nothing. What it left are files of data,
`plan.json`, one for each model; they are read within bounds, and every text in them is shown and
does nothing. Whose pull request it is, is asked of GitHub and not of them. The standard library
alone, so that nothing is installed for it.
"""

import io
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters.plain_text import in_markdown, say, visible

MARK = "<!-- sluice plan -->"
_BOT = "github-actions[bot]"
_MODELS = 50
_FILE = 200_000  # bytes of one plan
_ROWS = 40  # steps of a plan
_TEXT = 500  # characters of a text in it
_DIFF = 6_000  # characters of a change to the manifest repo
_BODY = 60_000  # characters of a comment; GitHub takes 65,536
_PATIENCE = 30.0
_NAME = re.compile(r"plan-[A-Za-z0-9_-]{1,80}")


class Refused(Exception):
    """It cannot be done: what happened, and what to do."""


@dataclass(frozen=True)
class Run:
    """The run that worked the plans out: repository, id, commit, and the branch it is of."""

    repository: str
    id: int
    commit: str
    owner: str
    branch: str


def read_event(text: str) -> Run:
    """The run that an event `workflow_run` is about."""
    event = json.loads(text)
    run = event["workflow_run"]
    return Run(
        str(event["repository"]["full_name"]),
        int(run["id"]),
        str(run["head_sha"]),
        str(run["head_repository"]["owner"]["login"]),
        str(run["head_branch"]),
    )


class _Unredirected(urllib.request.HTTPRedirectHandler):
    """An archive lies in a store elsewhere; the token stays here."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        found = super().redirect_request(req, fp, code, msg, headers, newurl)
        if found and urllib.parse.urlsplit(newurl).netloc != req.host:
            found.remove_header("Authorization")
        return found


@dataclass(frozen=True)
class GitHub:
    """The interface of GitHub: its address, and the token of this job."""

    address: str
    token: str

    def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        """The JSON that it answers. Raises Refused with what it says."""
        return json.loads(self.read(f"{self.address}{path}", method, body))

    def read(self, address: str, method: str = "GET", body: object = None) -> bytes:
        """The bytes of an answer, at most two million. Raises Refused with what GitHub says."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "User-Agent": "sluice",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with urllib.request.build_opener(_Unredirected).open(request, timeout=_PATIENCE) as got:
                return bytes(got.read(2_000_000))
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {address} answers {error.code}") from None
        except OSError as error:
            raise Refused(f"{method} {address}: {error}") from None


def pull_request(hub: GitHub, run: Run) -> int:
    """The number of the open pull request whose newest commit the run was of; 0 for none."""
    head = urllib.parse.quote(f"{run.owner}:{run.branch}")
    for found in hub.ask(f"/repos/{run.repository}/pulls?state=open&head={head}&per_page=100"):
        if found["head"]["sha"] == run.commit:
            return int(found["number"])
    return 0


def plans(hub: GitHub, run: Run) -> list[Mapping[str, Any]]:
    """What the run left: a plan for each model, in the order of their names."""
    path = f"/repos/{run.repository}/actions/runs/{run.id}/artifacts?per_page=100"
    found = []
    for artifact in hub.ask(path)["artifacts"]:
        name = str(artifact["name"])
        if _NAME.fullmatch(name) and artifact["size_in_bytes"] <= _FILE and not artifact["expired"]:
            found.append((name, str(artifact["archive_download_url"])))
    return [_plan(hub.read(address)) for _, address in sorted(found)[:_MODELS]]


def _plan(archive: bytes) -> Mapping[str, Any]:
    """The plan in an archive; one that cannot be read says so. Nothing is unpacked to a disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files, files.open("plan.json") as file:
            read = json.loads(file.read(_FILE))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        read = None
    return read if isinstance(read, dict) else {"refused": "the plan cannot be read"}


def body(found: list[Mapping[str, Any]], commit: str) -> str:
    """The comment: for each model what a release would do, as Markdown."""
    if not found:
        return f"{MARK}\nNo model is touched: a merge of {commit[:12]} releases nothing.\n"
    parts = [MARK, f"What a release of {commit[:12]} would do, on a machine with no memory of any."]
    parts += [_of_model(plan) for plan in found]
    text = "\n\n".join(parts)
    if len(text) > _BODY:
        text = text[:_BODY].rsplit("\n", 1)[0] + "\n\nThe rest is left out: it is too long."
    return text + "\n"


def _of_model(plan: Mapping[str, Any]) -> str:
    """Its verdict where the plan knows one, and what it changes; else what would run."""
    parts = [f"### {_shown(plan.get('model')) or 'a model'}"]
    if plan.get("refused"):
        return "\n\n".join([*parts, f"Refused: {_shown(plan['refused'])}"])
    parts += [f"Verdict: {_shown(plan['verdict'])}"] if plan.get("verdict") else []
    parts += [_shown(plan["outcome"])] if plan.get("outcome") else [_steps(plan.get("steps"))]
    if plan.get("barred"):
        parts.append(f"Nothing would be committed: {_shown(plan['barred'])}")
    if plan.get("diff"):
        parts += ["What it would change in the manifest repo:", _fenced(str(plan["diff"]))]
    return "\n\n".join(parts)


def _steps(steps: object) -> str:
    """How many steps would run, and a table of all."""
    rows = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    misses = sum(not step.get("hit") for step in rows)
    lines = [
        f"| {'HIT' if step.get('hit') else 'MISS'} | {_shown(step.get('title'))} |"
        f" {_shown(step.get('cause'))} |"
        for step in rows[:_ROWS]
    ]
    table = "\n".join(["| | step | why |", "|---|---|---|", *lines])
    return f"{misses} of {len(rows)} steps would run.\n\n{table}"


def _fenced(diff: str) -> str:
    """A change as a block of code, which no line of it ends."""
    shown = visible(diff[:_DIFF]).rstrip()
    longest = max((len(ticks) for ticks in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    rest = "\n\nThe rest of the change is left out." if len(diff) > _DIFF else ""
    return f"{fence}diff\n{shown}\n{fence}{rest}"


def _shown(text: object) -> str:
    return in_markdown(str(text or "")[:_TEXT])


def write(hub: GitHub, run: Run, number: int, text: str) -> str:
    """Write the comment of a pull request anew, or a first one where there is something to say;
    what was done.
    """
    path = f"/repos/{run.repository}/issues/{number}/comments?per_page=100&page="
    for page in range(1, 31):
        listed = hub.ask(f"{path}{page}")
        for comment in listed:
            if comment["user"]["login"] == _BOT and str(comment["body"]).startswith(MARK):
                if comment["body"].strip() == text.strip():
                    return "left"
                place = f"/repos/{run.repository}/issues/comments/{comment['id']}"
                hub.ask(place, "PATCH", {"body": text})
                return "updated"
        if len(listed) < 100:
            break
    if text == body([], run.commit):
        return "not needed"
    hub.ask(f"/repos/{run.repository}/issues/{number}/comments", "POST", {"body": text})
    return "written"


def main(environment: Mapping[str, str]) -> int:
    """What the workflow calls: the exit code is 1 where GitHub refuses."""
    try:
        event = Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8")
        hub = GitHub(environment["GITHUB_API_URL"], environment["GITHUB_TOKEN"])
        run = read_event(event)
        number = pull_request(hub, run)
        if not number:
            say(f"No open pull request is at {run.commit[:12]} any more: nothing is written.")
            return 0
        done = write(hub, run, number, body(plans(hub, run), run.commit))
    except (Refused, KeyError, ValueError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        say(f"Error: the comment could not be written: {said}")
        return 1
    say(f"The comment on pull request {number} is {done}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
