"""The composition root: reads the configuration, opens what a command uses, and puts the parts together.

Nothing else reads configuration or environment, and nothing else knows both a port and its adapter.
"""

import os
import secrets
import signal
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from sqlalchemy import Engine

from cloud import cli
from cloud.adapters.broker import BrokerPlace, write_broker_files
from cloud.adapters.certificates import WORKER_NAME, FleetAuthority
from cloud.adapters.clock import CalendarClock, SystemClock
from cloud.adapters.crash_points import CrashingStore, CrashPoints
from cloud.adapters.log import log_to_stderr
from cloud.adapters.mqtt import BrokerAddress, MqttLine, worker_tls
from cloud.adapters.passwords import Argon2Passwords
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.fleet import SqlFleet
from cloud.adapters.sql.ingest import SqlIngestStore
from cloud.adapters.sql.migrations import check_at_head, migrate
from cloud.adapters.sql.parking import SqlParking
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.programmes import SqlSetupStore
from cloud.adapters.sql.reports import SqlReports
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.vault import Vault, make_vault, make_voucher_key, open_vault, read_voucher_keys
from cloud.config import Config, ConfigError, read_config
from cloud.domain.digits import digit_tag
from cloud.domain.payouts import Originator
from cloud.ingest import CRASH_POINTS, Ingest, IngestParts
from cloud.ports.clock import Clock
from cloud.schedule import LOOK_EVERY_S, LOOK_EVERY_SIMULATED_S, ScheduleParts, run_schedule
from cloud.services.admit import KnownDevices
from cloud.services.answer import answer_batch
from cloud.services.enrol import CloudTerms, EnrolmentRefusal, enrol
from protocol.enrolment import Enrolment, EnrolmentRequest, TrustedKey
from protocol.errors import PortError

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    log_to_stderr()
    parsed = cli.make_parser().parse_args(arguments)
    try:
        cli.run(parsed, Wiring(read_config(parsed.config)))
    except ConfigError as problem:
        return _complain(str(problem), EXIT_USAGE)
    except (cli.CommandError, PortError, ValueError) as problem:
        return _complain(str(problem), EXIT_FAILED)
    return 0


class Wiring:
    """Everything, each part opened when it is first asked for."""

    def __init__(self, config: Config) -> None:
        self._config = config

    # Parts of the commands -----------------------------------------------------------------------------------------------

    @cached_property
    def clock(self) -> Clock:
        """The programme's calendar."""
        return CalendarClock(Path(self._config.calendar_file)) if self._config.calendar_file else SystemClock()

    @cached_property
    def engine(self) -> Engine:
        """The database, of this program's schema."""
        engine = self._any_engine()
        check_at_head(engine)
        return engine

    @cached_property
    def vault(self) -> Vault:
        """The secrets."""
        return open_vault(self._vault_folder)

    @cached_property
    def authority(self) -> FleetAuthority:
        """The fleet's certificate authority; lives by the real clock, as TLS does."""
        return FleetAuthority(self.vault.ca_key, self.vault.ca_certificate, clock=SystemClock())

    @cached_property
    def fleet(self) -> SqlFleet:
        """The kiosks."""
        return SqlFleet(self.engine)

    @cached_property
    def setups(self) -> SqlSetupStore:
        """Programmes, merchants, sites, people."""
        return SqlSetupStore(self.engine)

    @cached_property
    def confirmations(self) -> SqlConfirmationStore:
        """The merchants' confirmations."""
        return SqlConfirmationStore(self.engine)

    @cached_property
    def settlements(self) -> SqlSettlementStore:
        """The weekly closings."""
        return SqlSettlementStore(self.engine)

    @cached_property
    def reports(self) -> SqlReports:
        """What is read, never written."""
        return SqlReports(self.engine)

    @cached_property
    def payouts(self) -> SqlPayoutStore:
        """Payout files and the bank's answers."""
        return SqlPayoutStore(self.engine)

    @cached_property
    def originator(self) -> Originator:
        """Who pays the merchants."""
        own = self._config.originator
        return Originator(own.bank_code, own.account_no, own.ubn, own.txid, own.name)

    def initialise(self) -> bool:
        """Make the vault and bring the database to its newest schema."""
        made = make_vault(self._vault_folder, now=SystemClock().now())
        open_vault(self._vault_folder)
        engine = self._any_engine()
        migrate(engine)
        engine.dispose()
        return made

    def hash_password(self, password: str) -> str:
        """Hash a password; slow on purpose."""
        return Argon2Passwords().hash(password)

    def make_voucher_key(self, key_id: str) -> bool:
        """Make a key that signs voucher codes, where there is none of this id."""
        return make_voucher_key(self._vault_folder, key_id)

    def randomness(self, length: int) -> bytes:
        """Return that many random bytes."""
        return secrets.token_bytes(length)

    def write_broker_files(self, folder: Path) -> Path:
        """Write everything that Mosquitto needs."""
        broker = self._config.broker
        place = BrokerPlace(broker.host, broker.port, [broker.public_host, broker.host])
        return write_broker_files(folder, place, self.authority, revoked=self.fleet.revoked_certificate_serials())

    # Processes -----------------------------------------------------------------------------------------------------------

    def run_web(self) -> None:
        """Serve until SIGTERM."""
        raise NotImplementedError

    def run_ingest(self) -> None:
        """Answer kiosks until SIGTERM."""
        points = _crash_points()
        stop = _stop_on_signals()
        tls = worker_tls(self.authority.certificate_pem, self.authority.worker_certificate())
        address = BrokerAddress(self._config.broker.host, self._config.broker.port)
        store = CrashingStore(SqlIngestStore(self.engine), points)
        with MqttLine(address, tls, client_id=WORKER_NAME) as line:
            parts = IngestParts(
                line=line,
                judge=partial(answer_batch, store),
                fleet=self.fleet,
                parking=SqlParking(self.engine),
                devices=KnownDevices(self.fleet, self.vault.seal_private),
                digit_tag=partial(digit_tag, self.vault.pepper),
                clock=self.clock,
                elapsed_s=time.monotonic,
                reach=points.reach,
                stop=stop,
            )
            Ingest(parts).run()

    def run_schedule(self) -> None:
        """Close weeks until SIGTERM."""
        look_every_s = LOOK_EVERY_SIMULATED_S if self._config.calendar_file else LOOK_EVERY_S
        run_schedule(ScheduleParts(self.settlements, self.clock, _stop_on_signals(), look_every_s))

    def enrol(self, request: EnrolmentRequest) -> Enrolment | EnrolmentRefusal:
        """Enrol one kiosk."""
        keys = read_voucher_keys(self._vault_folder)
        terms = CloudTerms(
            seal_public=self.vault.seal_public,
            broker_host=self._config.broker.public_host,
            broker_port=self._config.broker.port,
            voucher_keys=[
                TrustedKey(key_id=key_id, public=_encode(key.public_key().public_bytes_raw())) for key_id, key in keys.items()
            ],
        )
        return enrol(self.fleet, self.authority, terms, request, now=self.clock.now(), randomness=self.randomness)

    # ---------------------------------------------------------------------------------------------------------------------

    @property
    def _vault_folder(self) -> Path:
        return Path(self._config.vault_dir)

    def _any_engine(self) -> Engine:
        try:
            engine = make_engine(self._config.database_url)
        except ValueError as problem:
            raise ConfigError(f"database_url cannot be used: {problem}.") from problem
        # An exception's text may reach a log; the values of a statement must not.
        engine.hide_parameters = True
        return engine


def _crash_points() -> CrashPoints:
    try:
        return CrashPoints.from_environment(os.environ, known=CRASH_POINTS)
    except ValueError as problem:
        raise ConfigError(f"{problem}.") from problem


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code
