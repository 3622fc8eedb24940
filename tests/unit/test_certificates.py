from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.adapters.certificates import DEVICE_VALID, FleetAuthority, make_ca, session_name
from cloud.ports.sessions import SESSIONS_MAX
from protocol.errors import ProtocolError

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class Fixed:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def authority() -> FleetAuthority:
    return FleetAuthority(*make_ca(NOW), clock=Fixed())


def csr_of(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, name: str = "kiosk-aaaaaa") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm).public_bytes(Encoding.PEM).decode()
    )


def common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def test_a_device_gets_the_name_that_the_cloud_chose_for_its_own_key(authority: FleetAuthority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.device_certificate(csr_of(key, "cloud-ingest"), "kiosk-abcdef")
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    assert common_name(certificate) == "kiosk-abcdef"
    assert certificate.public_key() == key.public_key()
    assert int(issued.serial, 16) == certificate.serial_number


def test_a_device_certificate_is_for_clients_lasts_90_days_and_holds_for_a_clock_in_1970(authority: FleetAuthority) -> None:
    issued = authority.device_certificate(csr_of(ec.generate_private_key(ec.SECP256R1())), "kiosk-abcdef")
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_before_utc <= datetime(1970, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc == NOW + DEVICE_VALID


def test_the_chain_verifies_and_a_foreign_one_does_not(authority: FleetAuthority) -> None:
    issued = authority.device_certificate(csr_of(ec.generate_private_key(ec.SECP256R1())), "kiosk-abcdef")
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
    foreign = FleetAuthority(*make_ca(NOW), clock=Fixed())
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(foreign.certificate_pem.encode()))


def test_the_brokers_certificate_is_good_for_its_names_only(authority: FleetAuthority) -> None:
    pair = authority.server_certificate(["127.0.0.1", "mqtt.example.tw", "127.0.0.1"])
    certificate = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
    ca = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["mqtt.example.tw"]
    certificate.verify_directly_issued_by(ca)
    assert "PRIVATE KEY" in pair.key_pem
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize("number", [0, 1, SESSIONS_MAX - 1])
def test_every_session_has_a_name_of_its_own_that_no_device_gets(authority: FleetAuthority, number: int) -> None:
    certificate = x509.load_pem_x509_certificate(authority.worker_certificate(number).certificate_pem.encode())
    assert common_name(certificate) == session_name(number) == f"cloud-ingest-{number}"
    assert not session_name(number).startswith("kiosk-")


@pytest.mark.parametrize("number", [-1, SESSIONS_MAX])
def test_a_session_that_the_broker_does_not_know_gets_no_certificate(authority: FleetAuthority, number: int) -> None:
    with pytest.raises(ValueError, match="numbered"):
        authority.worker_certificate(number)


@pytest.mark.parametrize(
    "pem", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "\ud800"]
)
def test_what_is_no_request_is_refused(authority: FleetAuthority, pem: str) -> None:
    with pytest.raises(ProtocolError):
        authority.device_certificate(pem, "kiosk-abcdef")


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["p384", "ed25519", "rsa"],
)
def test_other_kinds_of_key_are_refused(
    authority: FleetAuthority, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
) -> None:
    with pytest.raises(ProtocolError, match="P-256"):
        authority.device_certificate(csr_of(key), "kiosk-abcdef")


def test_a_request_that_was_changed_is_refused(authority: FleetAuthority) -> None:
    request = x509.load_pem_x509_csr(csr_of(ec.generate_private_key(ec.SECP256R1()), "a" * 12).encode())
    der = request.public_bytes(Encoding.DER).replace(b"a" * 12, b"b" * 12)
    changed = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()
    with pytest.raises(ProtocolError, match="signed by its own key"):
        authority.device_certificate(changed, "kiosk-abcdef")


def test_the_revocation_list_names_what_is_revoked_and_does_not_run_out_soon(authority: FleetAuthority) -> None:
    issued = authority.device_certificate(csr_of(ec.generate_private_key(ec.SECP256R1())), "kiosk-abcdef")
    crl = x509.load_pem_x509_crl(authority.revocation_list([issued.serial]).encode())
    ca = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    assert crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
    assert crl.get_revoked_certificate_by_serial_number(int(issued.serial, 16)) is not None
    assert crl.get_revoked_certificate_by_serial_number(12345) is None
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - NOW > timedelta(days=3000)
