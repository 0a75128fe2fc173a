"""Signed envelopes: what was signed comes out, and nothing else does."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters import dsse

KEY = dsse.read_key(dsse.new_key())


@given(st.text(max_size=30), st.binary(max_size=200))
def test_what_was_signed_comes_out(kind: str, payload: bytes) -> None:
    envelope = dsse.seal(KEY, kind, payload)
    assert dsse.opened(envelope, kind, KEY.public) == payload
    assert dsse.seal(KEY, kind, payload) == envelope


def test_the_bytes_that_are_signed_are_those_of_the_specification() -> None:
    """Its own example, checked with the key alone."""
    envelope = json.loads(dsse.seal(KEY, "http://example.com/HelloWorld", b"hello world"))
    assert base64.b64decode(envelope["payload"]) == b"hello world"
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    signed = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    KEY.private.public_key().verify(signature, signed)


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    """Changed where it counts: bits that base64 ignores give the same payload, or none."""
    envelope = dsse.seal(KEY, "kind", b"payload")
    at = data.draw(st.integers(0, len(envelope) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != envelope[at]))
    changed = envelope[:at] + bytes([other]) + envelope[at + 1 :]
    try:
        assert dsse.opened(changed, "kind", KEY.public) == b"payload"
    except dsse.BadEnvelope:
        return


@given(st.binary(max_size=100))
def test_any_bytes_are_no_envelope(content: bytes) -> None:
    with pytest.raises(dsse.BadEnvelope):
        dsse.opened(content, "kind", KEY.public)


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"payload":' * 50_000, b'{"payload":"\xff"}'])
def test_hostile_json_is_no_envelope(deep: bytes) -> None:
    with pytest.raises(dsse.BadEnvelope):
        dsse.opened(deep, "kind", KEY.public)


@pytest.mark.parametrize("public", ["", "ed25519:", "ed25519:zz", "ed25519:" + "0" * 62, "rsa:00"])
def test_what_is_no_public_key_opens_nothing(public: str) -> None:
    with pytest.raises(dsse.BadKey):
        dsse.opened(dsse.seal(KEY, "kind", b""), "kind", public)


def pem(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey) -> bytes:
    no_passphrase = serialization.NoEncryption()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_passphrase
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ssh-ed25519 AAAA",
        dsse.new_key().replace(b"M", b"N", 1),
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(x25519.X25519PrivateKey.generate()),
    ],
    ids=["empty", "public", "damaged", "another curve", "no signing key"],
)
def test_another_key_is_refused(content: bytes) -> None:
    with pytest.raises(dsse.BadKey):
        dsse.read_key(content)
