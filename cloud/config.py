"""The one configuration file of the cloud: TOML, read once by the composition root.

Unknown keys are errors, because a misspelt setting that is silently ignored is found on the worst day. Secrets are not here:
they are files of their own in ``vault_dir`` (:mod:`cloud.adapters.vault`).
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence for the person who wrote it."""


class Web(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the pages and the HTTP interface listen."""

    host: str = "127.0.0.1"
    port: Port = 8080
    https: bool = False
    """Whether browsers come over HTTPS, ended in front of this program: cookies then travel over nothing else."""
    second_factor: Literal["optional", "required"] = "optional"
    """Whether the office's people and the merchants' admins must set one up before they see anything else."""
    trusted_proxy: str = ""
    """Address of what ends HTTPS in front of this program, as this program sees it. Its ``X-Forwarded-For`` is then believed,
    and nobody else's: sign-ins and questions are slowed down per address, which without this is the proxy's for everybody."""


class Broker(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The MQTT broker: where it listens, and under which name kiosks reach it."""

    host: str = "127.0.0.1"
    port: Port = 8883
    public_host: str = "127.0.0.1"
    region: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")] = "main"
    """Which of several brokers this is. Workers of one region share its sessions out; regions may share a database."""


class Ingest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the kiosks of a region are shared out among its ingest workers."""

    sessions: Literal[1, 2, 4, 8, 16] = 1
    """Into how many parts; so many workers can be at work at once. Every worker of a region must say the same."""


class Metrics(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where Prometheus reads what the programs count. Whoever reaches these ports may read; no password is asked for."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_000)] = 9470
    """The first of several: ``web`` listens on it, ``schedule`` on the next one, ``ingest`` on the one after, or the first
    free one after that where several run on one machine."""


class Log(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a line of the log looks like; its content is the same."""

    format: Literal["line", "json"] = "line"
    """``json``: one object per line, for programs that collect logs."""
    requests: bool = False
    """Whether the ingest worker writes a line for every answer too: its request's id and trace. Not for peaks."""


class Webhooks(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may be told what happened."""

    private: bool = False
    """For demonstrations and tests only: whether plain HTTP and addresses of this machine and network will do."""


class Originator(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who pays the merchants, as the bank knows them."""

    bank_code: Annotated[str, Meta(pattern="^[0-9]{7}$")] = "0040037"
    """Bank and branch."""
    account_no: Annotated[str, Meta(pattern="^[0-9]{1,16}$")] = "1234567890"
    ubn: Annotated[str, Meta(pattern="^[0-9]{8}$")] = "04595257"
    """Unified business number."""
    txid: Annotated[str, Meta(pattern="^[0-9]{3}$")] = "101"
    """Transaction code that the clearing house assigned."""
    name: Annotated[str, Meta(min_length=1, max_length=70)] = "TOURISM VOUCHER PROGRAMME"


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    database_url: str
    """``sqlite:////absolute/path``; ``postgresql://user@host:port/name``,
    or of several hosts ``…@host1:port,host2:port/name``."""
    vault_dir: str
    public_host: str = "127.0.0.1:8080"
    """Printed into voucher codes: where the staff scan page is reached."""
    calendar_file: str = ""
    """Empty for the real calendar."""
    holidays_file: str = ""
    """A newer list of public holidays than the one that is shipped, in the same form."""
    bank_branches_file: str = ""
    """The published list of bank branches (open data 6041); empty: a branch's digits are checked for their form alone."""
    web: Web = msgspec.field(default_factory=Web)
    broker: Broker = msgspec.field(default_factory=Broker)
    ingest: Ingest = msgspec.field(default_factory=Ingest)
    metrics: Metrics | None = None
    """Absent: nothing is served."""
    log: Log = msgspec.field(default_factory=Log)
    webhooks: Webhooks = msgspec.field(default_factory=Webhooks)
    originator: Originator = msgspec.field(default_factory=Originator)


def read_config(path: Path) -> Config:
    """Read and check the file.

    Raises:
        ConfigError: it is missing, is not TOML, or a key is unknown, missing or out of range.
    """
    try:
        text = path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"The configuration {path} cannot be read: {problem.strerror}.") from problem
    try:
        config = msgspec.toml.decode(text, type=Config)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"The configuration {path} cannot be used: {problem}.") from problem
    if not config.database_url.startswith(("sqlite:///", "postgresql://")):
        raise ConfigError(f"The configuration {path} cannot be used: database_url must begin with sqlite:/// or postgresql://.")
    return config
