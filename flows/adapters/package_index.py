"""Where Python packages come from on this machine: the index that the user has set.

Of uv's settings uv itself is the reader. Those of pip, which it does not read, are handed to it as
variables, so that a company's mirror holds for the environment and for the packages of an image.
The standard library alone is imported: set-up asks this before there is an environment.
"""

import base64
import configparser
import netrc
import os
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

_SECONDS = 60.0
_LARGEST = 256 << 20  # bytes of a page or of a file that are read
# Variable of pip -> the one of uv that says the same.
_OF_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
ADVICE = (
    "Check that address, HTTPS_PROXY and SSL_CERT_FILE; UV_DEFAULT_INDEX or PIP_INDEX_URL names"
    " another index."
)


@dataclass(frozen=True)
class Index:
    """A package index in the place of PyPI: its URL, maybe with a login in it, and the setting that
    names it.
    """

    url: str
    setting: str

    @property
    def shown(self) -> str:
        """The URL without a login."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def chosen(names: Mapping[str, str]) -> Index | None:
    """The index that variables or files of uv or pip name; None where they name none: then it is
    PyPI, with the addresses of uv.lock.
    """
    found = _of_uv(names) or _of_pip(names)
    return None if found and urlsplit(found.url).hostname == "pypi.org" else found


def variables(names: Mapping[str, str]) -> dict[str, str]:
    """What uv must be told of pip's settings; nothing where it has an index of its own."""
    if _of_uv(names):
        return {}
    found = {_OF_PIP[key]: value for key, (value, _) in _pip_settings(names).items()}
    return {name: value for name, value in found.items() if not names.get(name)}


def _of_uv(names: Mapping[str, str]) -> Index | None:
    for name in _OF_UV:
        if names.get(name):
            return Index(names[name], name)
    for path in _uv_files(names):
        url = _named_in(path)
        if url:
            return Index(url, str(path))
    return None


def _uv_files(names: Mapping[str, str]) -> list[Path]:
    """The files in which uv looks for settings of the user, the first one first."""
    if names.get("UV_CONFIG_FILE"):
        return [Path(names["UV_CONFIG_FILE"])]
    return [_config(names) / "uv" / "uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml")]


def _named_in(path: Path) -> str:
    """The default index in a file of uv; empty where it names none."""
    try:
        settings: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    listed = settings.get("index")
    for index in listed if isinstance(listed, list) else []:
        if isinstance(index, dict) and index.get("default"):
            return str(index.get("url", ""))
    return str(settings.get("index-url", ""))


def _of_pip(names: Mapping[str, str]) -> Index | None:
    found = _pip_settings(names).get("index-url")
    return Index(*found) if found else None


def _pip_settings(names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The settings of pip that say where packages come from, each with where it stands."""
    found: dict[str, tuple[str, str]] = {}
    for path in _pip_files(names):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, ValueError, configparser.Error):
            continue
        for section in ("global", "install"):
            for key, value in parser.items(section) if parser.has_section(section) else ():
                found[key.replace("_", "-")] = (" ".join(value.split()), str(path))
    for key in _OF_PIP:
        name = f"PIP_{key.upper().replace('-', '_')}"
        if names.get(name):
            found[key] = (names[name].strip(), name)
    return {key: found[key] for key in _OF_PIP if key in found and found[key][0]}


def _pip_files(names: Mapping[str, str]) -> list[Path]:
    """The files in which pip looks for settings; a later one wins."""
    named = names.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = _home(names)
    of_user = [home / ".pip" / "pip.conf", _config(names) / "pip" / "pip.conf"]
    everybody = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    return [*everybody, *of_user, *([Path(named)] if named else [])]


def _home(names: Mapping[str, str]) -> Path:
    return Path(names.get("HOME") or Path.home())


def _config(names: Mapping[str, str]) -> Path:
    return Path(names.get("XDG_CONFIG_HOME") or _home(names) / ".config")


def fetched(index: Index, package: str, file: str, names: Mapping[str, str]) -> bytes:
    """A file of a package from an index that answers as PEP 503 says. Raises OSError, which names
    the address without a login.
    """
    page = f"{index.url.rstrip('/')}/{package}/"
    links = _Links()
    links.feed(fetch(page, names).decode("utf-8", "replace"))
    for link in links.found:
        address = urldefrag(urljoin(page, link)).url
        if unquote(urlsplit(address).path.rpartition("/")[2]) == file:
            return fetch(_with_login_of(page, address), names)
    raise OSError(f"{index.shown} ({index.setting}) has no {file}")


def _with_login_of(page: str, address: str) -> str:
    """A file's address with the login of the page that links to it, where it lies on the same
    scheme, host and port and has none of its own: an absolute link names no login.
    """
    login, at, host = urlsplit(page).netloc.rpartition("@")
    parts = urlsplit(address)
    if parts.netloc.lower() != host.lower() or parts.scheme != urlsplit(page).scheme:
        return address
    return parts._replace(netloc=f"{login}{at}{host}").geturl()


def fetch(url: str, names: Mapping[str, str]) -> bytes:
    """What an address answers, with the login of its URL or of the netrc file, which goes to no
    other host. Raises OSError, which names the address without a login.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    clean = parts._replace(netloc=host).geturl()
    if parts.scheme not in ("http", "https"):
        raise OSError(f"the address of packages is {clean}; http or https is required")
    request = urllib.request.Request(clean)
    login = _login(url, names)
    if login:
        # A header that is not kept when another address is named in the answer.
        request.add_unredirected_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return bytes(answer.read(_LARGEST))
    except (OSError, ValueError) as error:
        raise OSError(f"{clean} was not reached: {error}") from None


def _login(url: str, names: Mapping[str, str]) -> str:
    """User and password as a header has them; empty where nobody has written them down."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user:
        user, password = next(_of_netrc(parts.hostname or "", names), ("", ""))
    return base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""


def _of_netrc(host: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    path = Path(names.get("NETRC") or _home(names) / ".netrc")
    try:
        known = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return
    if known:
        yield known[0], known[2] or ""


class _Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a link."""
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]
