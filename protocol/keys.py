"""How two machines come to share a secret, and how a message proves who sent it.

At enrolment the device makes an X25519 key and sends the public half with its certificate request; the cloud answers with
its own public half. Both compute the same 32 bytes (RFC 7748) and derive three keys from them (HKDF-SHA256, RFC 5869). No
secret ever travels, and the cloud's database holds only public halves. After that a message costs one keyed BLAKE2b
(RFC 7693), half a microsecond, which is what makes 20 000 a second possible; a signature would cost a hundred times more
(ADR 0005).

What the broker says about the sender is a second opinion, never the proof.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from struct import Struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PUBLIC_KEY_BYTES = 32
_MAC_BYTES = 16
_INFO = b"vk1 device keys"
pack_length = Struct(">I").pack

Prover = hashlib.blake2b
"""A ``request`` or ``answer`` key that :func:`make_prover` has prepared."""


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The three keys that one kiosk shares with the cloud; 32 bytes each."""

    seal: bytes
    request: bytes
    answer: bytes

    def __repr__(self) -> str:
        return "DeviceKeys(…)"


def agree(own_private: bytes, their_public: bytes, *, device_id: str) -> DeviceKeys:
    """Compute the keys of one device from one's own private and the other's public half.

    Args:
        own_private, their_public: raw X25519 keys, 32 bytes each.
        device_id: bound into the keys, so that the same halves under another name give other keys.

    Raises:
        ValueError: a key has the wrong length or is a low-order point.
    """
    shared = X25519PrivateKey.from_private_bytes(own_private).exchange(X25519PublicKey.from_public_bytes(their_public))
    material = HKDF(algorithm=SHA256(), length=96, salt=None, info=b"\0".join((_INFO, device_id.encode("utf-8")))).derive(
        shared
    )
    return DeviceKeys(seal=material[:32], request=material[32:64], answer=material[64:])


def make_prover(key: bytes) -> Prover:
    """Prepare a key, for whoever proves or believes many messages with it: taking the key in is a third of the work."""
    return hashlib.blake2b(key=key, digest_size=_MAC_BYTES, person=b"vk1 message")


def frame(*parts: bytes) -> bytes:
    """Join parts, each with its length before it in four bytes, so that no two lists of parts look alike."""
    return b"".join([pack_length(len(part)) + part for part in parts])


def authenticate(key: bytes | Prover, said: bytes) -> str:
    """Return the proof that the holder of ``key`` said this (:func:`frame`): 22 base64url characters."""
    mac = make_prover(key) if isinstance(key, bytes) else key.copy()
    mac.update(said)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode("ascii")


def is_authentic(proof: str, key: bytes | Prover, said: bytes) -> bool:
    """Tell in constant time whether ``proof`` is what :func:`authenticate` gives for this."""
    return proof.isascii() and hmac.compare_digest(proof, authenticate(key, said))
