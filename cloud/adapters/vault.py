"""The cloud's secrets: one folder, one file per secret, readable by its owner alone.

==================  =================================================================================================
``pepper``          32 bytes; the HMAC key of every digit tag. Lost or changed, no voucher's digits ever match again
``seal``            X25519 private key, 32 bytes; every kiosk's keys are agreed with it
``ca.key``          private key of the fleet's certificate authority, PEM
``ca.crt``          its certificate, PEM
``web-secret``      32 bytes; signs session cookies and forms
``web-seal``        32 bytes; AES key of the box in which the staff page carries digits between two steps
``voucher-keys/``   one Ed25519 private key per file, 32 bytes; the file's name is the key id
==================  =================================================================================================

Nothing is ever made up for a file that is missing: a vault that is not whole, or that others can read, stops the program with
one sentence. The whole folder is made at once, or not at all.
"""

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from cloud.adapters.certificates import make_ca
from protocol.errors import PortError

SECRET_BYTES: Final = 32
_KEY_ID = re.compile(r"[a-z0-9-]{1,16}")
_VOUCHER_KEYS: Final = "voucher-keys"


@dataclass(frozen=True, slots=True)
class Vault:
    """All secrets, in memory."""

    pepper: bytes
    seal_private: bytes
    ca_key: ec.EllipticCurvePrivateKey
    ca_certificate: x509.Certificate
    web_secret: bytes
    web_seal_key: bytes
    voucher_keys: Mapping[str, Ed25519PrivateKey]

    def __repr__(self) -> str:
        return "Vault(…)"

    @property
    def seal_public(self) -> bytes:
        """The public half that kiosks get at enrolment; raw, 32 bytes."""
        return X25519PrivateKey.from_private_bytes(self.seal_private).public_key().public_bytes_raw()


def make_vault(folder: Path, *, now: datetime) -> bool:
    """Make the folder with fresh secrets; return False and touch nothing where it exists already and holds anything.

    Raises:
        PortError: the folder cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Filled beside its place and renamed: a crash on the way leaves no half vault that looks like one.
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        _fill(fresh, now)
        fresh.rename(folder)  # takes the place of an empty folder, and of nothing else
        _sync_folder(folder.parent)
    except OSError as problem:
        raise PortError(f"the vault {folder} cannot be made: {problem.strerror}", retry=False) from problem
    return True


def make_voucher_key(folder: Path, key_id: str) -> bool:
    """Add a key that signs voucher codes; False where the id has one already.

    Raises:
        PortError: the folder cannot be written.
        ValueError: not a key id.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(f"a key id is 1 to 16 lower-case letters, digits and hyphens, not {key_id!r}")
    path = folder / _VOUCHER_KEYS / key_id
    if path.exists():
        return False
    try:
        fresh = path.with_name(f".{key_id}-{secrets.token_hex(4)}")
        _write(fresh, Ed25519PrivateKey.generate().private_bytes_raw())
        fresh.rename(path)
        _sync_folder(path.parent)
    except OSError as problem:
        raise PortError(f"the vault {folder} cannot be written: {problem.strerror}", retry=False) from problem
    return True


def open_vault(folder: Path) -> Vault:
    """Read every secret.

    Raises:
        PortError: a file is missing, damaged, or readable by others.
    """
    _check_private(folder, kind="folder")
    try:
        ca_key = load_pem_private_key(_read(folder / "ca.key"), password=None)
        ca_certificate = x509.load_pem_x509_certificate(_read(folder / "ca.crt"))
    except ValueError as problem:
        raise PortError(f"the certificate authority in the vault {folder} is damaged", retry=False) from problem
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or ca_certificate.public_key() != ca_key.public_key():
        raise PortError(f"key and certificate of the authority in the vault {folder} do not belong together", retry=False)
    return Vault(
        pepper=_read_secret(folder / "pepper"),
        seal_private=_read_secret(folder / "seal"),
        ca_key=ca_key,
        ca_certificate=ca_certificate,
        web_secret=_read_secret(folder / "web-secret"),
        web_seal_key=_read_secret(folder / "web-seal"),
        voucher_keys=read_voucher_keys(folder),
    )


def read_voucher_keys(folder: Path) -> dict[str, Ed25519PrivateKey]:
    """Read the keys that sign voucher codes, by key id: they may be added to while the program runs.

    Raises:
        PortError: a file is missing, damaged, or readable by others.
    """
    keys_folder = folder / _VOUCHER_KEYS
    _check_private(keys_folder, kind="folder")
    names = sorted(path.name for path in keys_folder.iterdir() if _KEY_ID.fullmatch(path.name))
    return {name: Ed25519PrivateKey.from_private_bytes(_read_secret(keys_folder / name)) for name in names}


def _fill(folder: Path, now: datetime) -> None:
    key, certificate = make_ca(now)
    _write(folder / "pepper", secrets.token_bytes(SECRET_BYTES))
    _write(folder / "seal", X25519PrivateKey.generate().private_bytes_raw())
    _write(folder / "ca.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write(folder / "ca.crt", certificate.public_bytes(Encoding.PEM))
    _write(folder / "web-secret", secrets.token_bytes(SECRET_BYTES))
    _write(folder / "web-seal", secrets.token_bytes(SECRET_BYTES))
    (folder / _VOUCHER_KEYS).mkdir(mode=0o700)
    _sync_folder(folder)


def _write(path: Path, content: bytes) -> None:
    # O_EXCL and the mode at creation: the file is never readable by others, not even for a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_secret(path: Path) -> bytes:
    content = _read(path)
    if len(content) != SECRET_BYTES:
        raise PortError(f"the secret {path} is damaged: it holds {len(content)} bytes, not {SECRET_BYTES}", retry=False)
    return content


def _read(path: Path) -> bytes:
    _check_private(path, kind="file")
    try:
        return path.read_bytes()
    except OSError as problem:
        raise PortError(f"the secret {path} cannot be read: {problem.strerror}", retry=False) from problem


def _check_private(path: Path, *, kind: str) -> None:
    try:
        status = path.lstat()
    except OSError as problem:
        raise PortError(
            f"the vault's {kind} {path} is missing; `init` makes a new vault, a back-up restores one", retry=False
        ) from problem
    right_kind = stat.S_ISDIR(status.st_mode) if kind == "folder" else stat.S_ISREG(status.st_mode)
    if not right_kind:
        raise PortError(f"{path} in the vault is not a {kind}", retry=False)
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise PortError(f"{path} must belong to the user who runs this and be closed to all others (chmod go-rwx)", retry=False)
