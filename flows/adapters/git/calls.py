"""Every call of git: what it fixes, and what it takes over from whoever runs it.

Fixed is what would change output that is read here, or run a program or write a file that nobody
asked for. Taken over, and therefore named nowhere below, is how a server is reached and a commit is
signed: `credential.*` and GIT_ASKPASS, `http.*` but its redirects (proxies, headers, certificates),
`core.sshCommand` and GIT_SSH_COMMAND, `url.*.insteadOf`, `gpg.*.program` and `safe.directory`.

A manifest repo on this machine is served by git itself, as this user. That server is told none of
the user's configuration but `safe.directory`: what it hides, runs or refuses says the repository.

What is fixed goes to git in the environment of the call, behind what the environment has already:
so it wins over files of configuration, and no error shows a page of options.
"""

import functools
import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.adapters import process
from flows.adapters.git import configured, measured
from flows.adapters.git.access import Access, environment, options
from flows.adapters.git.configured import Configured
from flows.adapters.git.failures import Answer
from sluice.errors import UsageError

DEADLINE = 120.0  # seconds for one call that asks nobody else
# A caller's own git (a hook, a rebase) must not decide which repository this is, nor what is shown.
_OWN = re.compile(r"GIT_(?!SSL|SSH|ASKPASS|HTTP|PROXY|CONFIG_(?!PARAMETERS))")
PROTOCOLS = ("file", "http", "https", "ssh")
# Older ones take no settings from the environment, or fewer: then nothing below would hold.
OLDEST = (2, 34)
_DIED = 128  # the exit code of git where it could not begin, or go on
_UNREADABLE = (3, _DIED)  # those of `git config` for a file that it cannot read
# A server of git without the configuration of whoever starts it.
_SERVER = (
    "env",
    "GIT_CONFIG_NOSYSTEM=1",
    f"GIT_CONFIG_SYSTEM={os.devnull}",
    f"GIT_CONFIG_GLOBAL={os.devnull}",
    "git",
)

# What every call fixes: first what is printed, then what is run.
EVERYWHERE = {
    "color.ui": "false",
    "color.diff": "false",
    "color.status": "false",
    "color.branch": "false",
    "column.ui": "never",
    "core.quotePath": "false",
    "core.abbrev": "auto",
    "core.bigFileThreshold": "512m",
    "i18n.logOutputEncoding": "UTF-8",
    "i18n.commitEncoding": "UTF-8",
    "log.showSignature": "false",
    "log.showRoot": "true",
    "log.decorate": "false",
    "log.date": "default",
    "log.follow": "false",
    "log.diffMerges": "separate",
    "log.abbrevCommit": "false",
    "format.pretty": "medium",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.srcPrefix": "a/",
    "diff.dstPrefix": "b/",
    "diff.relative": "false",
    "diff.renames": "false",
    "diff.algorithm": "default",
    "diff.context": "3",
    "diff.interHunkContext": "0",
    "diff.suppressBlankEmpty": "false",
    "diff.wsErrorHighlight": "none",
    "diff.colorMoved": "no",
    "diff.submodule": "short",
    "diff.orderFile": "/dev/null",
    "status.showUntrackedFiles": "normal",
    "core.excludesFile": "/dev/null",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.alternateRefsCommand": "true",
    "init.templateDir": "",
    "init.defaultRefFormat": "files",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.prune": "false",
    "fetch.pruneTags": "false",
    "fetch.writeCommitGraph": "false",
    "fetch.negotiationAlgorithm": "consecutive",
    "push.default": "nothing",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.negotiate": "false",
    "push.pushOption": "",
    "push.recurseSubmodules": "no",
    "transfer.bundleURI": "false",
    "http.followRedirects": "initial",
}
# What repositories of ours fix beside it. They have no files, and are thrown away: what counts is
# what the server has on its disk.
OURS = {
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.fsync": "none",
}


@dataclass(frozen=True)
class Where:
    """Where git runs: in a folder of a working tree, or on a bare repository of ours, which it is
    told of and does not look for (`safe.bareRepository`).
    """

    folder: Path | None = None
    bare: Path | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The option that names the repository."""
        return (f"--git-dir={self.bare}",) if self.bare else ()


HERE = Where()


def run(
    *words: str | Path,
    where: Where = HERE,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = DEADLINE,
) -> process.Result:
    """Run git and return what it printed, in UTF-8 on both sides, whatever its exit code.

    Raises CommandFailed where a signal ended it: then it has answered nothing.
    """
    content = None if stdin is None else stdin.encode()
    result = run_bytes(*words, where=where, env=env, stdin=content, timeout=timeout).text("utf-8")
    if result.code < 0:
        raise process.CommandFailed(["git", *map(str, words)], result)
    return result


def run_bytes(
    *words: str | Path,
    where: Where = HERE,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = DEADLINE,
) -> process.Raw:
    """The same for what is no text; no exit code raises.

    Raises UsageError where git cannot read its configuration, and so does nothing at all, and for
    a git that is too old.
    """
    _require_version()
    raw = _ended(*words, where=where, env=env, stdin=stdin, timeout=timeout)
    if raw.code == _DIED:
        configuration(where)
    return raw


def _require_version() -> None:
    """Raise UsageError for a git that is older than OLDEST."""
    found = _version(os.environ.get("PATH", ""))
    if found and found < OLDEST:
        shown, required = (".".join(map(str, numbers)) for numbers in (found, OLDEST))
        raise UsageError(
            f"the version of git is {shown}; {required} is required",
            "Update git, or put a newer one first on PATH.",
        )


@functools.cache
def _version(_path: str) -> tuple[int, ...]:
    """The (2, 39) of `git version 2.39.5`, asked once for each PATH; empty for no git."""
    said = process.run_bytes(["git", "version"], timeout=DEADLINE).text("utf-8").stdout
    numbers = re.search(r"(\d+)\.(\d+)", said)
    return (int(numbers[1]), int(numbers[2])) if numbers else ()


def _ended(
    *words: str | Path,
    where: Where,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = DEADLINE,
) -> process.Raw:
    return process.run_bytes(
        ["git", *where.words, *words],
        cwd=where.folder,
        env={**_fixed(where), **(env or {})},
        without=[name for name in os.environ if _OWN.match(name)],
        timeout=timeout,
        stdin=stdin,
    )


def configuration(where: Where = HERE) -> Configured:
    """What git is configured to reach remotes by. Raises UsageError where it cannot read it."""
    words = ("config", "--show-scope", "--null", "--get-regexp", configured.WANTED)
    result = _ended(*words, where=where).text("utf-8")
    if result.code in _UNREADABLE:
        # A repository that is broken, or not ours to read, is told by who works on it.
        result = _ended(*words, where=Where(Path("/"))).text("utf-8")
    if result.code in _UNREADABLE:
        raise configured.unreadable(result.stderr)
    return configured.parse(result.stdout if result.code == 0 else "")


def ask(to: Access, command: str, *words: str | Path, where: Where = HERE) -> Answer:
    """Run a command of git against a remote, with its login, keys and deadline; also a result
    where it was killed. What a failure is told by is measured.
    """
    found = configuration(where)
    url = found.reached(to.url, push=command == "push")
    with tempfile.TemporaryDirectory(prefix="sluice-trace-") as name:
        folder = Path(name)
        words = (*options(to), command, *serving(command, url, found), *words)
        with measured.traced(url, folder) as traces:
            env = environment(to, own_ssh=found.has_ssh) | traces
            try:
                result = run(*words, where=where, env=env, timeout=to.timeout)
            except process.CommandFailed as error:
                result = error.result
        if result.code in (0, process.LATE):
            return Answer(result.code, result.stdout, result.stderr)
        return Answer(
            result.code,
            result.stdout,
            result.stderr,
            status=measured.status(folder),
            closed=measured.is_closed(to, url, folder),
            untrusted=not measured.status(folder) and measured.is_untrusted_here(to, url, found),
            full=measured.full_folder(where.bare, configured.folder_of(url)),
            locked=measured.locked(url) if command == "push" else "",
            foreign=measured.foreign(url, found),
        )


def serving(command: str, url: str, found: Configured) -> tuple[str, ...]:
    """The option that names the server of git, where git starts one on this machine: one without
    the user's configuration.
    """
    if not configured.is_local(url):
        return ()
    program = "receive-pack" if command == "push" else "upload-pack"
    safe = [word for place in found.safe for word in ("-c", f"safe.directory={place}")]
    return (f"--{program}={shlex.join([*_SERVER, *safe, program])}",)


def _fixed(where: Where) -> dict[str, str]:
    """The variables of a call: what is fixed, and that nobody is asked and nothing is traced."""
    fixed = {**EVERYWHERE, **OURS} if where.bare else EVERYWHERE
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdigit() else 0
    variables = {
        "GIT_CONFIG_COUNT": str(first + len(fixed)),
        "GIT_ALLOW_PROTOCOL": ":".join(_allowed()),
        "GIT_TERMINAL_PROMPT": "0",
        # What was put in the place of a commit (`git replace`, grafts) is not what has its name.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        # A `git status` that is killed leaves no index.lock in a repository that is not ours.
        "GIT_OPTIONAL_LOCKS": "0",
        # Traces of the user's configuration can be beaten by these alone.
        "GIT_TRACE2": "0",
        "GIT_TRACE2_PERF": "0",
        "GIT_TRACE2_EVENT": "0",
        # The second one translates in spite of the first.
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "",
    }
    for number, (name, value) in enumerate(fixed.items(), first):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _allowed() -> tuple[str, ...]:
    """The protocols that git may speak: ours, or those of them that the environment allows."""
    given = os.environ.get("GIT_ALLOW_PROTOCOL")
    if given is None:
        return PROTOCOLS
    return tuple(name for name in PROTOCOLS if name in given.split(":"))
