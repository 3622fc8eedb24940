from pathlib import Path

import pytest

from cloud.config import Config, ConfigError, read_config

WHOLE = """
database_url = "sqlite:////srv/cloud.sqlite3"
vault_dir = "/srv/vault"
public_host = "pay.example.tw"
calendar_file = "/srv/calendar"
holidays_file = "/srv/holidays.toml"
bank_branches_file = "/srv/branches.csv"
[web]
host = "0.0.0.0"
port = 80
second_factor = "required"
[broker]
host = "10.0.0.1"
port = 8884
public_host = "mqtt.example.tw"
[originator]
bank_code = "8120012"
account_no = "42"
ubn = "12345675"
txid = "530"
name = "SOMEBODY ELSE"
[metrics]
host = "127.0.0.2"
port = 9000
[log]
format = "json"
requests = true
"""


def read(folder: Path, text: str) -> Config:
    path = folder / "cloud.toml"
    path.write_text(text, "utf-8")
    return read_config(path)


def test_every_key_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert (config.database_url, config.vault_dir) == ("sqlite:////srv/cloud.sqlite3", "/srv/vault")
    assert (config.public_host, config.calendar_file) == ("pay.example.tw", "/srv/calendar")
    assert (config.holidays_file, config.bank_branches_file) == ("/srv/holidays.toml", "/srv/branches.csv")
    assert (config.web.host, config.web.port, config.web.second_factor) == ("0.0.0.0", 80, "required")
    assert (config.broker.host, config.broker.port, config.broker.public_host) == ("10.0.0.1", 8884, "mqtt.example.tw")
    assert (config.originator.bank_code, config.originator.txid) == ("8120012", "530")
    assert config.metrics is not None
    assert (config.metrics.host, config.metrics.port) == ("127.0.0.2", 9000)
    assert (config.log.format, config.log.requests) == ("json", True)


def test_the_rest_has_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, 'database_url = "postgresql://vk@db/vk"\nvault_dir = "/v"\n')
    assert (config.web.port, config.broker.port, config.calendar_file) == (8080, 8883, "")
    assert (config.web.second_factor, config.holidays_file, config.bank_branches_file) == ("optional", "", "")
    assert config.metrics is None
    assert (config.log.format, config.log.requests) == ("line", False)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('public_host = "pay', 'public_hots = "pay', "public_hots"),
        ("[web]", "[wep]", "wep"),
        ("port = 80\n", "port = 0\n", "web.port"),
        ("port = 80\n", 'port = "80"\n', "web.port"),
        ('vault_dir = "/srv/vault"', "", "vault_dir"),
        ('txid = "530"', 'txid = "53"', "originator.txid"),
        ("[broker]", "[broker", "cloud.toml"),
        ('"json"', '"yaml"', "log.format"),
        ("port = 9000\n", "port = 65001\n", "metrics.port"),
        ("sqlite:///", "mysql:///", "database_url"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence_that_names_the_place(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, WHOLE.replace(old, new, 1))
    sentence = str(refused.value)
    assert named in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        read_config(tmp_path / "nowhere.toml")
