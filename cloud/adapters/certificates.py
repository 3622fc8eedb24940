"""The fleet's own certificate authority: it certifies the broker, the ingest workers and every kiosk, and nobody else.

No public authority is involved, and no kiosk trusts one for this: a kiosk talks to the broker whose certificate this
authority signed. The kiosk's private key is made on the kiosk; only a request (PKCS #10) comes here, and its subject is
ignored, because the name is the cloud's to give. All keys are EC P-256.

A kiosk may start without knowing the date. Every certificate is therefore valid from 1970 on, so that a clock that is far
behind does not lock it out (RELIABILITY: fault "1970, no RTC"). Kiosk certificates end after 90 days; what is revoked
meanwhile is in the revocation list, and refused by the ingest transaction whatever the broker lets through.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.ports.clock import Clock
from cloud.ports.fleet import IssuedCertificate
from cloud.ports.sessions import SESSIONS_MAX
from protocol.errors import ProtocolError

DEVICE_VALID: Final = timedelta(days=90)
SERVER_VALID: Final = timedelta(days=3650)
WORKER_VALID: Final = timedelta(days=398)
"""The worker's certificate is made anew whenever it begins to hold a session."""
CA_VALID: Final = timedelta(days=7300)
CRL_VALID: Final = timedelta(days=3650)
"""Long, because a broker whose list has run out refuses everybody."""

_SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate_pem: str
    key_pem: str

    def __repr__(self) -> str:
        return "KeyPair(…)"


def session_name(session: int) -> str:
    """Return the CN of whoever serves a session, and thereby the user name and client id at the broker.

    Raises:
        ValueError: the broker knows no such session.
    """
    if not 0 <= session < SESSIONS_MAX:
        raise ValueError(f"sessions are numbered 0 to {SESSIONS_MAX - 1}, not {session}")
    return f"cloud-ingest-{session}"


def make_ca(now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make a new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("voucher-kiosk fleet")
    usage = _usage(signs_certificates=True)
    certificate = (
        _builder(name, name, key.public_key(), now + CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return key, certificate


class FleetAuthority:
    """Signs with the authority's key. Its clock is the machine's own, never a simulated one: TLS compares with that."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, *, clock: Clock) -> None:
        self._key = key
        self._certificate = certificate
        self._clock = clock

    @property
    def certificate_pem(self) -> str:
        """The authority's certificate."""
        return _pem(self._certificate)

    def device_certificate(self, csr_pem: str, device_id: str) -> IssuedCertificate:
        """Certify a kiosk's key as ``CN=device_id``, for TLS clients only, for 90 days.

        Raises:
            ProtocolError: not a request, not signed by its own key, or not an EC P-256 key.
        """
        public_key = _public_key_of(csr_pem)
        certificate = self._sign(device_id, public_key, ExtendedKeyUsageOID.CLIENT_AUTH, DEVICE_VALID)
        return IssuedCertificate(_pem(certificate), f"{certificate.serial_number:x}")

    def server_certificate(self, hosts: Iterable[str]) -> KeyPair:
        """Make a key and certificate for the broker, good for these names and addresses."""
        names = list(dict.fromkeys(hosts))
        alternative = x509.SubjectAlternativeName([_general_name(host) for host in names])
        return self._pair(names[0], ExtendedKeyUsageOID.SERVER_AUTH, SERVER_VALID, alternative)

    def worker_certificate(self, session: int = 0) -> KeyPair:
        """Make a key and certificate for an ingest worker that serves a session."""
        return self._pair(session_name(session), ExtendedKeyUsageOID.CLIENT_AUTH, WORKER_VALID)

    def revocation_list(self, serials: Iterable[str]) -> str:
        """Sign the list of revoked certificates, given their serial numbers in hexadecimal; PEM."""
        now = self._clock.now()
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - timedelta(days=1))
            .next_update(now + CRL_VALID)
        )
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(now - timedelta(days=1))
            crl = crl.add_revoked_certificate(entry.build())
        return crl.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode("ascii")

    def _pair(
        self,
        name: str,
        purpose: x509.ObjectIdentifier,
        valid: timedelta,
        alternative: x509.SubjectAlternativeName | None = None,
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), purpose, valid, alternative=alternative)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        return KeyPair(_pem(certificate), key_pem)

    def _sign(
        self,
        name: str,
        public_key: ec.EllipticCurvePublicKey,
        purpose: x509.ObjectIdentifier,
        valid: timedelta,
        *,
        alternative: x509.SubjectAlternativeName | None = None,
    ) -> x509.Certificate:
        builder = (
            _builder(_name(name), self._certificate.subject, public_key, self._clock.now() + valid)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self._key, SHA256())


def _public_key_of(csr_pem: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode("utf-8", "replace"))
        public_key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as problem:
        raise ProtocolError("not a certificate request") from problem
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP256R1):
        raise ProtocolError("a kiosk's key is EC P-256")
    if not signed:
        raise ProtocolError("the certificate request is not signed by its own key")
    return public_key


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
