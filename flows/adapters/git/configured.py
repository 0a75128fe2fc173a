"""What the configuration of git says of reaching a remote: read once for each call, by git."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from flows.adapters.git.access import address
from sluice.errors import UsageError

# What is asked of `git config --show-scope --null`.
WANTED = (
    r"^(safe\.directory|core\.sshcommand|http\.(.*\.)?(proxy|sslcainfo|sslverify)"
    r"|url\..*\.(push)?insteadof)$"
)
# Where git believes what is safe; the configuration of a repository is not such a place.
_PROTECTED = ("system", "global", "command")


@dataclass(frozen=True)
class Configured:
    """What was found: (scope, key as git writes it, value), in the order in which it counts."""

    found: tuple[tuple[str, str, str], ...] = ()

    @property
    def has_ssh(self) -> bool:
        """Whether ssh is to be reached in another way than by `ssh`."""
        return any(key == "core.sshcommand" and value.strip() for _, key, value in self.found)

    @property
    def verifies(self) -> bool:
        """Whether certificates are looked at, in one way: by the authorities of the system."""
        return not any(
            key.startswith("http.") and key.endswith((".sslcainfo", ".sslverify", ".proxy"))
            for _, key, _ in self.found
        )

    @property
    def safe(self) -> tuple[str, ...]:
        """The repositories of other users that git may work on."""
        return tuple(
            value
            for scope, key, value in self.found
            if key == "safe.directory" and scope in _PROTECTED
        )

    def reached(self, url: str, *, push: bool = False) -> str:
        """Where git goes for an address: `url.*.insteadOf`, and `pushInsteadOf` for a push."""
        names = ("pushinsteadof", "insteadof") if push else ("insteadof",)
        for name in names:
            matches = [found for found in self._rewrites(name) if url.startswith(found[1])]
            if matches:
                base, prefix = max(matches, key=lambda found: len(found[1]))
                return base + url[len(prefix) :]
        return url

    def _rewrites(self, name: str) -> Iterator[tuple[str, str]]:
        """(what stands there, what it stands for) of these settings."""
        for _, key, value in self.found:
            if key.startswith("url.") and key.endswith(f".{name}"):
                yield key[len("url.") : -len(f".{name}")], value


def parse(printed: str) -> Configured:
    """What git printed: scope, key and value, each ended by its sign."""
    fields = printed.split("\0")[:-1]
    found = []
    for scope, entry in zip(fields[::2], fields[1::2], strict=True):
        key, _, value = entry.partition("\n")
        found.append((scope, key, value))
    return Configured(tuple(found))


def unreadable(said: str) -> UsageError:
    """A configuration that git itself does not read: then it does nothing at all."""
    told = " ".join(said.split())[:300]
    return UsageError(
        f"git does not read its configuration: {told or 'it says nothing'}",
        "Mend the file that it names, until `git config --list` ends without an error.",
    )


def is_local(url: str) -> bool:
    """Whether git itself starts the server of this address, on this machine."""
    return address(url).startswith("file://")


def folder_of(url: str) -> Path | None:
    """The folder of an address of this machine; None for any other."""
    if not is_local(url):
        return None
    return Path(unquote(address(url).removeprefix("file://")))
