"""Secrets that must be read again, as they stand in the database: AES-256-GCM under a key that is not in it.

The key is derived from the web's secret in the vault; what a secret belongs to is bound to it, so that one row's secret is
nothing in another's.
"""

import secrets
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12


class SecretBox:
    """Closes and opens secrets."""

    def __init__(self, master: bytes) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vk1 webhook secrets").derive(master)
        self._cipher = AESGCM(key)

    def close(self, secret: str, owner: str) -> str:
        """Encrypt the secret of ``owner``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())).decode("ascii")

    def open(self, closed: str, owner: str) -> str:
        """Decrypt it.

        Raises:
            ValueError: it was closed under another key, or for another owner.
        """
        raw = b64decode(closed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
        except InvalidTag as problem:
            raise ValueError("a secret cannot be opened: the vault is not the one that it was closed with") from problem
