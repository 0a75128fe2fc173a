"""An object in a store, brought here piece by piece: Amazon S3 and what speaks like it, Google
Cloud Storage, Azure Blob Storage. What was cut off goes on where it ended.

The login is what the library of each store finds in the environment; a pointer holds none.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.adapters.download import Progress, recalled, remember, require_small
from flows.adapters.private_files import make_private_folder
from sluice.errors import Retryable, SluiceError, UsageError, cause

_TRIES = 3  # of a transfer that is cut off, each from where the one before ended
_PIECE = 8_000_000  # bytes that are asked for at once
_PATIENCE = 60  # seconds without an answer
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[^\x00-\x20\x7f?#\\]+")
_SAID = 200  # characters of what a library says
_FORBIDDEN, _GONE, _ELSEWHERE = (401, 403), 404, range(300, 400)


@dataclass(frozen=True)
class Store:
    """A kind of store: the module that reads it, what a bucket is called there, and which variables
    hold a login.
    """

    module: str
    bucket: str
    login: str


STORES: Mapping[str, Store] = {
    "s3": Store("s3fs", "bucket", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    "gs": Store("gcsfs", "bucket", "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": Store(
        "adlfs",
        "container",
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or"
        " AZURE_STORAGE_CONNECTION_STRING",
    ),
}


@dataclass(frozen=True)
class Reach:
    """How stores are reached: the address of one that speaks S3 (empty: Amazon's), and the bundle
    of the authorities that it is checked against (empty: those of the system).
    """

    s3_endpoint: str = ""
    ca: str = ""


class _Redirected(ValueError):
    """A store sends us to another address."""


@dataclass(frozen=True)
class _Errors:
    """The errors of a library: those about a login that is not there, and the others."""

    login: tuple[type[Exception], ...]
    others: tuple[type[Exception], ...]


def require_object(reference: str) -> None:
    """Raise UsageError for what names no object, and for a login in it: a pointer is committed."""
    scheme, _, rest = reference.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme in STORES and ("@" in bucket or "?" in key or "#" in key):
        raise UsageError(
            f"a reference to {scheme}:// holds a login or a query, and a pointer is committed",
            f"Write it as {scheme}://{STORES[scheme].bucket}/path; the login stands in the"
            f" environment ({STORES[scheme].login}).",
        )
    parts = key.split("/")
    named = _BUCKET.fullmatch(bucket) and _KEY.fullmatch(key) and not {"", ".", ".."} & set(parts)
    if scheme not in STORES or not named:
        raise UsageError(
            f"{reference[:_SAID]!r} names no object",
            f"Write it as {scheme if scheme in STORES else 's3'}://bucket/path.",
        )


def fetch(
    reference: str,
    part: Path,
    limit: int,
    reach: Reach,
    progress: Progress,
    size: int = _PIECE,
) -> None:
    """Bring an object into the file `part`, and go on where it ends if it is there and the store
    still has the same object. `size` is how many bytes are asked for at once.

    At most `limit` bytes. Raises UsageError for what is not there or may not be read, and where the
    library is missing; Refused for more bytes; Retryable where the transfer was cut off: what is
    here stays.
    """
    require_object(reference)
    make_private_folder(part.parent)
    system = _system(reference, reach)
    said = ""
    for _ in range(_TRIES):
        try:
            _once(_Object(system, reference, size), part, limit, progress)
            return
        except Retryable as error:
            said = error.what
    here = part.stat().st_size if part.exists() else 0
    raise Retryable(f"{said}; {here:,} bytes are here", "Run it again: it goes on from there.")


@dataclass(frozen=True)
class _Object:
    """An object, what reads it, and how many bytes are asked for at once."""

    system: Any
    reference: str
    piece: int


def _once(wanted: _Object, part: Path, limit: int, progress: Progress) -> None:
    """One transfer, to its end or until it is cut off."""
    size, tag = _looked_up(wanted)
    require_small(wanted.reference, size, limit)
    at = part.stat().st_size if tag and tag == recalled(part) else 0
    at = at if at <= size else 0
    remember(part, tag)
    with part.open("ab" if at else "wb") as file:
        while at < size:
            piece = _read(wanted, at, min(at + wanted.piece, size))
            file.write(piece)
            file.flush()
            at += len(piece)
            progress(at, size)
    if _looked_up(wanted) != (size, tag):
        raise Retryable(f"{wanted.reference} was changed while it was read")


def _looked_up(wanted: _Object) -> tuple[int, str]:
    """The size of an object, and what names its bytes in the store (empty: nothing does)."""
    with _told(wanted.reference):
        found: dict[str, Any] = wanted.system.info(wanted.reference)
    if found.get("type") != "file" or not isinstance(found.get("size"), int):
        raise UsageError(f"{wanted.reference} is a folder", "Name one object in it.")
    tag = found.get("ETag") or found.get("etag") or ""
    return found["size"], str(tag)


def _read(wanted: _Object, begin: int, end: int) -> bytes:
    with _told(wanted.reference):
        piece: bytes = wanted.system.cat_file(wanted.reference, start=begin, end=end)
    if len(piece) != end - begin:
        raise Retryable(f"{wanted.reference} gave {len(piece):,} of {end - begin:,} bytes")
    return piece


def _system(reference: str, reach: Reach) -> Any:
    """What reads the store of a reference. Raises UsageError where it is not installed, or where
    nothing says whose store it is.
    """
    scheme = reference.partition("://")[0]
    module = STORES[scheme].module
    try:
        importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"{reference} needs {module}, which is not installed",
            f"Run `make setup STORES={scheme}`; once a pointer of the project names such an object,"
            " `make setup` does it.",
        ) from None
    with _told(reference):
        return {"s3": _s3, "gs": _gs, "az": _az}[scheme](reach)


def _s3(reach: Reach) -> Any:
    """Amazon S3, or what speaks like it. Nobody's login: what anybody may read is read."""
    from aiobotocore.httpsession import AIOHTTPSession
    from botocore.session import get_session
    from s3fs import S3FileSystem

    class Session(AIOHTTPSession):  # type: ignore[misc]  # its own follows everywhere
        async def _get_session(self, proxy_url: Any) -> Any:
            session = await super()._get_session(proxy_url)
            if not session.trace_configs:
                session.trace_configs.append(_watched())
            return session

    how: dict[str, Any] = {"connect_timeout": _PATIENCE, "read_timeout": _PATIENCE}
    how |= {"http_session_cls": Session, "retries": {"total_max_attempts": 1}}
    return S3FileSystem(
        anon=get_session().get_credentials() is None,
        endpoint_url=reach.s3_endpoint or None,
        client_kwargs={"verify": reach.ca} if reach.ca else {},
        config_kwargs=how,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _gs(_: Reach) -> Any:
    """Google Cloud Storage. Its class for every kind of bucket asks by gRPC what kind it is, which
    waits a minute where only HTTPS goes out; this is the one below it.
    """
    from gcsfs.core import GCSFileSystem

    return GCSFileSystem(
        session_kwargs={"trace_configs": [_watched()]},
        requests_timeout=_PATIENCE,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _watched() -> Any:
    """What stops a request that is sent to another address."""
    import aiohttp

    watched = aiohttp.TraceConfig()
    watched.on_request_redirect.append(_refuse_redirect)
    watched.freeze()
    return watched


async def _refuse_redirect(_session: Any, _context: Any, asked: Any) -> None:
    raise _Redirected(str(asked.url))


def _az(_: Reach) -> Any:
    """Azure Blob Storage, by a client that goes to no other address and gives up sooner than its
    own, which tries for a minute and a half.
    """
    from adlfs import AzureBlobFileSystem
    from azure.core.credentials import AzureSasCredential
    from azure.storage.blob.aio import BlobServiceClient

    try:
        system = AzureBlobFileSystem(use_listings_cache=False, skip_instance_cache=True)
    except ValueError:
        login = STORES["az"].login
        raise UsageError("no account of Azure is named, or it is wrong", f"Set {login}.") from None
    how: dict[str, Any] = {"permit_redirects": False, "retry_total": _TRIES - 1}
    how |= {"connection_timeout": _PATIENCE, "read_timeout": _PATIENCE}
    if system.connection_string:
        client = BlobServiceClient.from_connection_string(system.connection_string, **how)
    else:
        signed = AzureSasCredential(system.sas_token) if system.sas_token else None
        who = system.credential or system.account_key or signed
        client = BlobServiceClient(system.account_url.partition("?")[0], credential=who, **how)
    system.service_client = client
    return system


@contextmanager
def _told(reference: str) -> Iterator[None]:
    """What the library of a store raises, in our words."""
    errors = _errors_of(reference.partition("://")[0])
    known: tuple[type[Exception], ...] = (OSError, ValueError, *errors.login, *errors.others)
    try:
        yield
    except known as error:
        raise _refusal(reference, error) from None


def _refusal(reference: str, error: Exception) -> SluiceError:
    """What a person is told of an error of a library."""
    if isinstance(error, SluiceError):
        return error
    inner = getattr(error, "kwargs", {}).get("error")  # botocore wraps what it does not know
    scheme = reference.partition("://")[0]
    store, status = STORES[scheme], _status(error)
    if isinstance(error, FileNotFoundError) or status == _GONE:
        return UsageError(
            f"{reference} is not there: no such object, or no such {store.bucket}",
            "Name one that is there with `sluice data add URL`.",
        )
    if isinstance(error, (PermissionError, *_errors_of(scheme).login)) or status in _FORBIDDEN:
        return UsageError(
            f"{reference} may not be read with this login, or without one",
            f"Set {store.login}, or let that login read it.",
        )
    if isinstance(error, _Redirected) or isinstance(inner, _Redirected) or status in _ELSEWHERE:
        return UsageError(
            f"{reference} sends us to another address, and its store was reviewed",
            "Name the object where it lies.",
        )
    said = str(error).partition("\n")[0][:_SAID] or cause(error)
    return Retryable(f"{reference} could not be read: {said}")


def _status(error: Exception) -> int:
    """The HTTP status that an error of a library is about; 0 for none."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)  # botocore
        if isinstance(answer, dict):
            return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        status = getattr(one, "status_code", None) or getattr(one, "code", None)  # azure, gcsfs
        if str(status).isdecimal():
            return int(str(status))
    return 403 if str(error).startswith("Forbidden: ") else 0  # gcsfs


def _errors_of(scheme: str) -> _Errors:
    """What the library of a store raises, beside the errors of the system."""
    if scheme == "s3":
        from aiohttp import ClientError as NetworkError
        from botocore import exceptions as s3

        login = (s3.NoCredentialsError, s3.PartialCredentialsError)
        return _Errors(login, (s3.BotoCoreError, s3.ClientError, NetworkError))
    if scheme == "gs":
        from aiohttp import ClientError as NetworkError
        from gcsfs.retry import ChecksumError, HttpError
        from google.auth.exceptions import GoogleAuthError

        return _Errors((GoogleAuthError,), (HttpError, ChecksumError, NetworkError))
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    return _Errors((ClientAuthenticationError,), (AzureError,))
