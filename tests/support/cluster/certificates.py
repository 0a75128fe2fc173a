"""One authority for the test cluster, and what it signs: the API server, and an administrator."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 30
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_SERVES = ("localhost", "kubernetes.default.svc")


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True)
class Authority:
    """Who signs, for as long as a cluster lives."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """What others trust."""
        return self.certificate.public_bytes(Encoding.PEM)

    def server(self, name: str, addresses: tuple[str, ...]) -> Signed:
        """For who listens at these addresses, and at localhost."""
        names = [x509.DNSName(host) for host in _SERVES]
        places = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        alternative = x509.SubjectAlternativeName([*names, *places])
        return self._sign(name, "", ExtendedKeyUsageOID.SERVER_AUTH, alternative)

    def client(self, name: str, group: str) -> Signed:
        """For a person or program of a group."""
        return self._sign(name, group, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _sign(
        self,
        name: str,
        group: str,
        use: x509.ObjectIdentifier,
        alternative: x509.SubjectAlternativeName | None,
    ) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, group).issuer_name(self.certificate.subject)
        builder = builder.public_key(key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(signer, critical=False)
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=False)
        return Signed(
            builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM), _private(key)
        )


def authority() -> Authority:
    """A new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("sluice-test-cluster", "")
    builder = builder.issuer_name(x509.Name([_named(NameOID.COMMON_NAME, "sluice-test-cluster")]))
    builder = builder.public_key(key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    # Python 3.13 takes no authority that does not say what its key is for.
    named = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(named, critical=False).add_extension(_SIGNS, critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def tokens_key(folder: Path) -> tuple[Path, Path]:
    """The key that signs the tokens of service accounts, and the one that checks them, as files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signs, checks = folder / "tokens.key", folder / "tokens.pub"
    write(signs, _private(key))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write(checks, public)
    return signs, checks


def write(path: Path, content: bytes) -> Path:
    """A file for this user alone; its path."""
    path.touch(0o600)
    path.write_bytes(content)
    return path


def _builder(name: str, group: str) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    subject = [_named(NameOID.COMMON_NAME, name)]
    if group:
        subject.append(_named(NameOID.ORGANIZATION_NAME, group))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _named(kind: x509.ObjectIdentifier, value: str) -> "x509.NameAttribute[str]":
    return x509.NameAttribute(kind, value)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
