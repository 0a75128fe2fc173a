"""Signed envelopes: DSSE with ed25519 keys.

The signature is over the type and the bytes of what is inside, so nothing is parsed before it is
known who signed it. The format: https://github.com/secure-systems-lab/dsse.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
_PREFIX = "ed25519:"


class BadEnvelope(ValueError):
    """What was read is no envelope, or nobody who counts signed it."""


class BadKey(ValueError):
    """What was read is no ed25519 key."""


class _Signature(Struct, frozen=True):
    sig: str
    keyid: str = ""


class _Envelope(Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True)
class SigningKey:
    """A private key; what is shown of it is the public one, as `ed25519:` and 64 hexadecimal
    digits.
    """

    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    @property
    def public(self) -> str:
        """The public key as text."""
        return _PREFIX + self.private.public_key().public_bytes_raw().hex()


def new_key() -> bytes:
    """A new private key in PEM."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_key(pem: bytes) -> SigningKey:
    """A private key from PEM, without a passphrase. Raises BadKey."""
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("it is no private key in PEM without a passphrase") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKey("it is a key of another kind; ed25519 is required")
    return SigningKey(private)


def seal(key: SigningKey, payload_type: str, payload: bytes) -> bytes:
    """An envelope; its bytes depend on the arguments alone."""
    signature = key.private.sign(_signed(payload_type, payload))
    envelope = _Envelope(
        base64.b64encode(payload).decode(),
        payload_type,
        (_Signature(base64.b64encode(signature).decode(), _key_id(key.public)),),
    )
    return msgspec.json.encode(envelope)


def opened(content: bytes, payload_type: str, public: str) -> bytes:
    """What is inside of an envelope, if the holder of this public key signed it as this type.

    Raises BadEnvelope, and BadKey for what is no public key.
    """
    key = _public(public)
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        payload = base64.b64decode(envelope.payload, validate=True)
        signatures = [base64.b64decode(one.sig, validate=True) for one in envelope.signatures]
    except (ValueError, RecursionError, binascii.Error):
        raise BadEnvelope("it is no signed envelope") from None
    if envelope.payload_type != payload_type:
        raise BadEnvelope(f"it is signed as {envelope.payload_type[:100]!r}, not {payload_type}")
    if not signatures:
        raise BadEnvelope("nobody signed it")
    message = _signed(payload_type, payload)
    # Whose signature it is, is tried and not believed: the id of a key is not signed.
    if not any(_verifies(key, signature, message) for signature in signatures):
        raise BadEnvelope("no signature is by the key that the commit names")
    return payload


def _verifies(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def is_public(text: str) -> bool:
    """Whether this is a public key, as `SigningKey.public` shows it."""
    try:
        _public(text)
    except BadKey:
        return False
    return True


def _public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.removeprefix(_PREFIX)))
    except ValueError:
        raise BadKey(f"{text[:100]!r} is no public key of ed25519") from None


def _key_id(public: str) -> str:
    return hashlib.sha256(public.encode()).hexdigest()


def _signed(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
