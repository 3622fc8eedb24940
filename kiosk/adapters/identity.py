"""Who this kiosk is: private keys made here, and what the cloud said about them. Files of ``state_dir``, mode 0600.

===================  =============================================================================================
``device.key``       private key of the TLS certificate (EC P-256, PKCS #8 PEM); never leaves this folder
``seal.key``         private X25519 key (32 bytes, base64url) from which the device's three keys are derived; likewise
``device.crt``       the certificate, as issued
``enrolment.json``   the cloud's answer; written last, so a folder that has it has everything
===================  =============================================================================================

An enrolment that was cut off is repeated with the same keys. Files that others may read are refused.
"""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from protocol.enrolment import Enrolment, decode_enrolment
from protocol.errors import PortError, ProtocolError
from protocol.keys import DeviceKeys, agree
from protocol.topics import DeviceAddress
from protocol.voucher import KeyRing

_DEVICE_KEY: Final = "device.key"
_SEAL_KEY: Final = "seal.key"
_CERTIFICATE: Final = "device.crt"
_ENROLMENT: Final = "enrolment.json"


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """A kiosk's own secrets."""

    device: ec.EllipticCurvePrivateKey
    seal: X25519PrivateKey

    def __repr__(self) -> str:
        return "PrivateKeys(…)"

    @property
    def seal_public(self) -> str:
        """Base64url without padding."""
        return _encode(self.seal.public_key().public_bytes_raw())

    def csr_pem(self) -> str:
        """A certificate request; its subject is for people, the cloud decides the name."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kiosk")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self.device, SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled kiosk."""

    enrolment: Enrolment
    address: DeviceAddress
    keys: DeviceKeys
    trusted: KeyRing
    """Keys whose signatures on vouchers count."""
    key_file: Path
    certificate_file: Path


def is_enrolled(folder: Path) -> bool:
    """Tell whether the folder holds a finished enrolment."""
    return (folder / _ENROLMENT).exists()


def prepare_keys(folder: Path) -> PrivateKeys:
    """Return the private keys of this folder; where there are none, make them.

    Raises:
        PortError: the folder cannot be written, or what is in it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / _DEVICE_KEY).exists():
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            _write(folder / _DEVICE_KEY, pem)
        if not (folder / _SEAL_KEY).exists():
            _write(folder / _SEAL_KEY, _encode(X25519PrivateKey.generate().private_bytes_raw()).encode("ascii"))
    except OSError as problem:
        raise PortError(f"{folder} cannot be written: {problem.strerror}", retry=False) from problem
    return _read_keys(folder)


def save_enrolment(folder: Path, enrolment: Enrolment) -> Identity:
    """Check what the cloud answered and keep it.

    Raises:
        PortError: it is not about the keys in this folder, or cannot be used, or cannot be written.
    """
    identity = _identity(folder, enrolment, _read_keys(folder))
    try:
        _write(folder / _CERTIFICATE, enrolment.certificate_pem.encode("ascii"))
        _write(folder / _ENROLMENT, msgspec.json.encode(enrolment))
    except OSError as problem:
        raise PortError(f"{folder} cannot be written: {problem.strerror}", retry=False) from problem
    return identity


def load_identity(folder: Path) -> Identity:
    """Read the identity of an enrolled kiosk.

    Raises:
        PortError: it is not enrolled, a file can be read by others, or does not fit the rest.
    """
    if not is_enrolled(folder):
        raise PortError(f"this kiosk is not enrolled: {folder} holds no {_ENROLMENT}", retry=False)
    try:
        enrolment = decode_enrolment(_read(folder / _ENROLMENT))
    except ProtocolError as problem:
        raise PortError(f"{folder / _ENROLMENT} cannot be used: {problem}", retry=False) from problem
    return _identity(folder, enrolment, _read_keys(folder))


def _identity(folder: Path, enrolment: Enrolment, own: PrivateKeys) -> Identity:
    try:
        certificate = x509.load_pem_x509_certificate(enrolment.certificate_pem.encode("ascii"))
        if certificate.public_key() != own.device.public_key():
            raise ValueError("the certificate is not for this device's key")  # noqa: TRY301 - one place says it for all
        return Identity(
            enrolment=enrolment,
            address=DeviceAddress(enrolment.site_id, enrolment.device_id),
            keys=agree(own.seal.private_bytes_raw(), _decode(enrolment.seal_public), device_id=enrolment.device_id),
            trusted={key.key_id: Ed25519PublicKey.from_public_bytes(_decode(key.public)) for key in enrolment.voucher_keys},
            key_file=folder / _DEVICE_KEY,
            certificate_file=folder / _CERTIFICATE,
        )
    except ValueError as problem:
        raise PortError(f"the enrolment cannot be used: {problem}", retry=False) from problem


def _read_keys(folder: Path) -> PrivateKeys:
    try:
        device = serialization.load_pem_private_key(_read(folder / _DEVICE_KEY), password=None)
        seal = X25519PrivateKey.from_private_bytes(_decode(_read(folder / _SEAL_KEY).decode("ascii")))
    except ValueError as problem:
        raise PortError(f"a private key in {folder} cannot be used: {problem}", retry=False) from problem
    if not isinstance(device, ec.EllipticCurvePrivateKey):
        raise PortError(f"{folder / _DEVICE_KEY} is not an EC key", retry=False)
    return PrivateKeys(device, seal)


def _read(path: Path) -> bytes:
    try:
        is_open_to_others = path.stat().st_mode & 0o077 != 0
        content = path.read_bytes()
    except OSError as problem:
        raise PortError(f"{path} cannot be read: {problem.strerror}", retry=False) from problem
    if is_open_to_others:
        raise PortError(f"{path} can be read by others: chmod 600 it", retry=False)
    return content


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only, and on the disk when this returns."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as problem:
        raise ValueError("not base64url") from problem
