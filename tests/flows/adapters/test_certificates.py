"""Why a certificate does not hold, by real handshakes in memory."""

import datetime
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flows.adapters.certificates import is_out_of_time, is_untrusted
from flows.adapters.registry.session import _network_error

DAY = datetime.timedelta(days=1)


def made(folder: Path, begins: datetime.timedelta, ends: datetime.timedelta) -> tuple[Path, Path]:
    """A certificate of `localhost` that vouches for itself, valid from and to these times from now;
    with its key.
    """
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain, kind = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, kind, plain))
    return folder / "cert.pem", folder / "key.pem"


def refused(certificate: Path, key: Path, trusted: Path | None) -> ssl.SSLError:
    """What a client says of a server with this certificate; it trusts what is in a file."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    asking = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(back, to, server_hostname="localhost")
    server = serving.wrap_bio(to, back, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error
    raise AssertionError("it was taken")


@pytest.mark.parametrize(
    ("begins", "ends", "advice"),
    [
        (DAY, 2 * DAY, "Check the clock of this machine; where it is right, renew"),
        (-2 * DAY, -DAY, "Check the clock of this machine; where it is right, renew"),
        (-DAY, DAY, "Name the bundle of its authority in SLUICE_CA"),
    ],
)
def test_who_vouches_and_which_time_it_is_are_told_apart(
    begins: datetime.timedelta, ends: datetime.timedelta, advice: str, tmp_path: Path
) -> None:
    certificate, key = made(tmp_path, begins, ends)
    of_time = advice.startswith("Check")
    error = refused(certificate, key, certificate if of_time else None)
    assert is_untrusted(error)
    assert is_out_of_time(error) == of_time
    told = httpx2.ConnectError("it ended")
    told.__cause__ = error
    said = _network_error("registry.example.com", told)
    assert "the certificate of registry.example.com is not trusted" in said.what
    assert said.fix.startswith(advice)


def test_another_failure_is_none_of_a_certificate() -> None:
    assert not is_untrusted(OSError("gone"))
    assert not is_out_of_time(OSError("gone"))
