"""Keys and certificate of a kiosk: made here, kept for its owner only, checked against each other."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cloud.adapters.certificates import FleetAuthority, make_ca
from kiosk.adapters.identity import is_enrolled, load_identity, prepare_keys, save_enrolment
from protocol.enrolment import Enrolment, ItemCategory, TrustedKey
from protocol.errors import PortError
from protocol.keys import agree
from tests.support.kiosk_client import _decode, _encode


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 10, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> FleetAuthority:
    return FleetAuthority(*make_ca(FixedClock().now()), clock=FixedClock())


def enrolment_of(folder: Path, authority: FleetAuthority, **changes: object) -> Enrolment:
    cloud_key = X25519PrivateKey.generate()
    answer = Enrolment(
        device_id="kiosk-1",
        site_id="site-1",
        site_name="Test Station",
        certificate_pem=authority.device_certificate(prepare_keys(folder).csr_pem(), "kiosk-1").pem,
        ca_pem=authority.certificate_pem,
        seal_public=_encode(cloud_key.public_key().public_bytes_raw()),
        broker_host="broker.example.tw",
        broker_port=8883,
        voucher_keys=[TrustedKey(key_id="k1", public=_encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()))],
        item_categories=[ItemCategory(code="food", names={"en": "Food"})],
    )
    return msgspec.structs.replace(answer, **changes)


def test_enrolled_kiosk_comes_back_as_it_was(tmp_path: Path, authority: FleetAuthority) -> None:
    assert not is_enrolled(tmp_path)
    answer = enrolment_of(tmp_path, authority)
    saved = save_enrolment(tmp_path, answer)
    loaded = load_identity(tmp_path)
    assert is_enrolled(tmp_path)
    assert loaded.enrolment == saved.enrolment == answer
    assert loaded.keys == saved.keys
    assert set(loaded.trusted) == {"k1"}
    assert loaded.certificate_file.read_text() == answer.certificate_pem


def test_both_sides_agree_on_the_same_keys(tmp_path: Path, authority: FleetAuthority) -> None:
    cloud_key = X25519PrivateKey.generate()
    answer = enrolment_of(tmp_path, authority, seal_public=_encode(cloud_key.public_key().public_bytes_raw()))
    device_public = _decode(prepare_keys(tmp_path).seal_public)
    assert save_enrolment(tmp_path, answer).keys == agree(cloud_key.private_bytes_raw(), device_public, device_id="kiosk-1")


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first, second = prepare_keys(tmp_path / "state"), prepare_keys(tmp_path / "state")
    assert first.seal_public == second.seal_public
    for path in (tmp_path / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert repr(first) == "PrivateKeys(…)"


@pytest.mark.parametrize("name", ["device.key", "seal.key", "enrolment.json"])
def test_file_that_others_may_read_is_refused(tmp_path: Path, authority: FleetAuthority, name: str) -> None:
    save_enrolment(tmp_path, enrolment_of(tmp_path, authority))
    (tmp_path / name).chmod(0o644)
    with pytest.raises(PortError, match="chmod 600"):
        load_identity(tmp_path)


@pytest.mark.parametrize("name", ["device.key", "seal.key", "enrolment.json"])
def test_damaged_or_missing_file_is_refused(tmp_path: Path, authority: FleetAuthority, name: str) -> None:
    save_enrolment(tmp_path, enrolment_of(tmp_path, authority))
    (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(PortError):
        load_identity(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(PortError):
        load_identity(tmp_path)


def test_answer_for_another_key_is_not_kept(tmp_path: Path, authority: FleetAuthority) -> None:
    others = enrolment_of(tmp_path / "other", authority)
    prepare_keys(tmp_path / "own")
    with pytest.raises(PortError, match="not for this device"):
        save_enrolment(tmp_path / "own", others)
    assert not is_enrolled(tmp_path / "own")


@pytest.mark.parametrize(
    "change",
    [
        {"certificate_pem": "none"},
        {"certificate_pem": "ünicode"},
        {"seal_public": "short"},
        {"seal_public": "*"},
        {"device_id": "Not An Id"},
        {"voucher_keys": [TrustedKey(key_id="k1", public="short")]},
    ],
)
def test_answer_that_cannot_be_used_is_not_kept(tmp_path: Path, authority: FleetAuthority, change: dict[str, object]) -> None:
    answer = enrolment_of(tmp_path, authority, **change)
    with pytest.raises(PortError, match="cannot be used"):
        save_enrolment(tmp_path, answer)
    assert not is_enrolled(tmp_path)


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PortError, match="cannot be written"):
        prepare_keys(tmp_path / "file" / "state")
