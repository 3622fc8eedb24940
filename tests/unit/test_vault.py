import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cloud.adapters.vault import SECRET_BYTES, make_vault, make_voucher_key, open_vault
from protocol.errors import PortError

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FILES = ("pepper", "seal", "ca.key", "ca.crt", "web-secret", "web-seal")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "vault"
    assert make_vault(folder, now=NOW)
    return folder


def test_a_new_vault_opens_and_every_secret_differs(folder: Path) -> None:
    vault = open_vault(folder)
    secrets = [vault.pepper, vault.seal_private, vault.web_secret, vault.web_seal_key]
    assert all(len(secret) == SECRET_BYTES for secret in secrets)
    assert len(set(secrets)) == len(secrets)
    assert vault.seal_public == X25519PrivateKey.from_private_bytes(vault.seal_private).public_key().public_bytes_raw()
    assert vault.voucher_keys == {}


def test_a_second_making_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert not make_vault(folder, now=NOW)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o755)
    assert make_vault(folder, now=NOW)
    open_vault(folder)


def test_half_a_vault_is_not_filled_up(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    folder.mkdir(mode=0o700)
    (folder / "pepper").write_bytes(bytes(32))
    assert not make_vault(folder, now=NOW)
    with pytest.raises(PortError):
        open_vault(folder)


def test_everything_is_closed_to_others(folder: Path) -> None:
    make_voucher_key(folder, "2026a")
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_stops_with_a_sentence_that_names_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(PortError, match=re.escape(name)) as refused:
        open_vault(folder)
    assert not refused.value.retry


@pytest.mark.parametrize("name", [*FILES, "voucher-keys/2026a", "voucher-keys", "."])
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o610])
def test_what_others_can_read_is_refused(folder: Path, name: str, mode: int) -> None:
    make_voucher_key(folder, "2026a")
    (folder / name).chmod(mode | 0o100)
    with pytest.raises(PortError, match="closed to all others"):
        open_vault(folder)


@pytest.mark.parametrize("name", ["pepper", "seal", "web-secret", "web-seal", "ca.key", "ca.crt"])
def test_a_damaged_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-40])
    with pytest.raises(PortError, match="damaged"):
        open_vault(folder)


def test_a_foreign_certificate_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_vault(other, now=NOW)
    (folder / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    with pytest.raises(PortError, match="belong together"):
        open_vault(folder)


def test_a_link_is_no_secret(folder: Path, tmp_path: Path) -> None:
    (folder / "pepper").rename(tmp_path / "pepper")
    (folder / "pepper").symlink_to(tmp_path / "pepper")
    with pytest.raises(PortError, match="not a file"):
        open_vault(folder)


def test_voucher_keys_are_made_once_per_id(folder: Path) -> None:
    assert make_voucher_key(folder, "2026a")
    first = open_vault(folder).voucher_keys["2026a"].private_bytes_raw()
    assert not make_voucher_key(folder, "2026a")
    assert make_voucher_key(folder, "2026b")
    keys = open_vault(folder).voucher_keys
    assert sorted(keys) == ["2026a", "2026b"]
    assert keys["2026a"].private_bytes_raw() == first


@pytest.mark.parametrize("key_id", ["", "../pepper", "A", "a b", "a" * 17])
def test_a_key_id_cannot_leave_its_folder(folder: Path, key_id: str) -> None:
    with pytest.raises(ValueError, match="key id"):
        make_voucher_key(folder, key_id)


def test_a_vault_shows_nothing(folder: Path) -> None:
    vault = open_vault(folder)
    shown = f"{vault!r} {vault}"
    assert vault.pepper.hex() not in shown
    assert repr(vault.pepper) not in shown
