"""The commands of the cloud: ``python -m cloud --config cloud.toml COMMAND``.

What a command found out goes to stdout, for programs; what it is doing goes to stderr, for people. Exit code 0: done. 1: it
could not be done, and one sentence on stderr says why. 2: the command line or the configuration is wrong.

A command asks one use case. What it needs comes from the composition root as :class:`Parts`, which opens only what is used:
``init`` must run before there is a vault.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, get_args
from uuid import UUID

import msgspec

from cloud.domain.audit import Head, decode_head
from cloud.domain.pay_runs import Hands, PayRunError
from cloud.domain.payouts import Originator, PayoutFormat
from cloud.domain.setup import Setup, decode_setup
from cloud.ports.audit import AuditTrail
from cloud.ports.books import Books
from cloud.ports.clock import Clock
from cloud.ports.confirmations import ConfirmationStore
from cloud.ports.corrections import CorrectionStore
from cloud.ports.fleet import Fleet
from cloud.ports.payouts import PayoutStore
from cloud.ports.people import People
from cloud.ports.programmes import SetupStore
from cloud.ports.reports import Reports
from cloud.ports.retention import RetentionStore
from cloud.ports.settlements import SettlementStore
from cloud.services.audit import verify
from cloud.services.confirm import confirm_all
from cloud.services.correct import Wish, correct
from cloud.services.enrol import make_claim_code, revoke_device
from cloud.services.issue import Issued
from cloud.services.pay import import_return, kept_payout_file, make_payout_file, may_pay, newest_file_no
from cloud.services.purge import purge_due
from cloud.services.reconcile import reconcile
from cloud.services.settle import settle_due
from cloud.services.setup import load_setup

ACTOR: Final = "cli"
"""Who did it, where the database asks for a member of staff."""


class CommandError(Exception):
    """The command cannot be done; the message is one sentence."""


class Parts(Protocol):
    """What commands need."""

    @property
    def clock(self) -> Clock: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def setups(self) -> SetupStore: ...
    @property
    def confirmations(self) -> ConfirmationStore: ...
    @property
    def settlements(self) -> SettlementStore: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def books(self) -> Books: ...
    @property
    def audit_trail(self) -> AuditTrail: ...
    @property
    def payouts(self) -> PayoutStore: ...
    @property
    def corrections(self) -> CorrectionStore: ...
    @property
    def people(self) -> People: ...
    @property
    def retention(self) -> RetentionStore: ...
    @property
    def originator(self) -> Originator: ...

    def initialise(self) -> bool:
        """Make the vault where there is none (True) and bring the database to the newest schema."""

    def hash_password(self, password: str) -> str: ...
    def make_voucher_key(self, key_id: str) -> bool: ...
    def issue(self, programme_id: str, holders_csv: bytes, *, issued_by: str, now: datetime) -> Issued: ...
    def write_sheets(self, issue_id: UUID, folder: Path) -> int: ...
    def randomness(self, length: int) -> bytes: ...
    def leave_room(self) -> bool: ...
    def write_broker_files(self, folder: Path) -> Path: ...
    def run_web(self) -> None: ...
    def run_ingest(self) -> None: ...
    def run_schedule(self) -> None: ...
    def run_webhooks(self) -> None: ...


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m cloud", description="The cloud of voucher-kiosk.")
    parser.add_argument("--config", type=Path, required=True, help="cloud.toml")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace, Parts], None], explained: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=explained, description=explained)
        command.set_defaults(run=run)
        return command

    add("init", _init, "make the vault if there is none, and bring the database to the newest schema")
    add("load", _load, "load programmes, merchants, sites and staff; safe to repeat").add_argument("file", type=Path)
    add("broker-files", _broker_files, "write or renew everything that Mosquitto needs").add_argument("folder", type=Path)
    add("claim-code", _claim_code, "make a one-time code with which one kiosk enrols").add_argument("--site", required=True)
    issue = add("issue", _issue, "issue one voucher per holder and write the sheets to print")
    issue.add_argument("--programme", required=True)
    issue.add_argument("--holders", type=Path, required=True, help="CSV with the columns name and national_id or last_four")
    issue.add_argument("--sheets", type=Path, required=True, help="folder for PDF and PNG")
    add("web", lambda _, parts: parts.run_web(), "serve pages and HTTP interface until stopped")
    add("ingest", lambda _, parts: parts.run_ingest(), "answer kiosks until stopped; several may run on PostgreSQL")
    add("schedule", lambda _, parts: parts.run_schedule(), "close every week once it has ended, until stopped")
    add("webhooks", lambda _, parts: parts.run_webhooks(), "tell merchants' servers what happened, until stopped")
    add("confirm-all", _confirm_all, "confirm everything of one merchant").add_argument("--merchant", required=True)
    add("settle", _settle, "close every week that has ended; safe to repeat")
    add("settlements", _settlements, "list the closed weeks, newest first, one JSON object per line")
    pay = add("pay", _pay, "pay every claim that can be paid, in one file for the bank; no file where there is nothing to pay")
    pay.add_argument("--format", choices=get_args(PayoutFormat), required=True)
    pay.add_argument("--out", type=Path, required=True)
    pay.add_argument("--prepared-by", required=True, metavar="STAFF_ID", help="of finance; stands for what is paid")
    pay.add_argument("--released-by", required=True, metavar="STAFF_ID", help="of finance; somebody else, who has looked at it")
    again = add("payout-file", _payout_file, "write a payout file that was made before once more, byte for byte")
    again.add_argument("--file-no", type=int, required=True)
    again.add_argument("--out", type=Path, required=True)
    heard = add("import-return", _import_return, "take over what the bank answered (ACHR01 or pain.002); safe to repeat")
    heard.add_argument("file", type=Path)
    heard.add_argument("--file-no", type=int, help="payout file that it answers, where the bank's file leaves that open")
    wrong = add(
        "correct", _correct, "take back what a wrong redemption is worth from its merchant's next claims; safe to repeat"
    )
    wrong.add_argument("--redemption", type=UUID, required=True, help="its id")
    wrong.add_argument("--amount", type=int, help="whole TWD; all of it where this is not said")
    wrong.add_argument("--reason", required=True)
    wrong.add_argument("--by", required=True, help="id of somebody of the office's finance, or its admin")
    listed = add("corrections", _corrections, "list what was corrected, newest first, one JSON object per line")
    listed.add_argument("--owed", action="store_true", help="list merchants instead, with what their next claims bear")
    add("purge", _purge, "forget the holders of programmes whose disputes are over; safe to repeat, and while kiosks redeem")
    add("reconcile", _reconcile, "add everything up and print it; fails, naming the first row that breaks a rule")
    audit = add("audit-verify", _audit_verify, "walk the audit log and print its head; fails, naming the first broken link")
    audit.add_argument(
        "--head", type=_noted_head, action="append", default=[], help="a head that was noted before: NUMBER:HASH"
    )
    revoke = add("revoke", _revoke, "take a kiosk's rights away, at once and for ever")
    revoke.add_argument("--device", required=True)
    revoke.add_argument("--reason", required=True)
    return parser


def run(arguments: argparse.Namespace, parts: Parts) -> None:
    """Run the command that was parsed.

    Raises:
        CommandError: it cannot be done.
        PortError: the world broke.
        ValueError: a file that was given is not sound; what was to be written does not fit its format.
    """
    command: Callable[[argparse.Namespace, Parts], None] = arguments.run
    command(arguments, parts)


def _init(_: argparse.Namespace, parts: Parts) -> None:
    made = parts.initialise()
    print("vault made, database ready" if made else "vault kept, database ready")


def _load(arguments: argparse.Namespace, parts: Parts) -> None:
    setup = decode_setup(_read(arguments.file))
    loaded = load_setup(parts.setups, setup, hash_password=parts.hash_password, now=parts.clock.now())
    keys_made = [key_id for key_id in _signing_key_ids(setup) if parts.make_voucher_key(key_id)]
    _print_json(
        {
            "programmes": loaded.programmes,
            "merchants": loaded.merchants,
            "sites": loaded.sites,
            "staff_added": loaded.staff_added,
            "voucher_keys_made": keys_made,
        }
    )


def _broker_files(arguments: argparse.Namespace, parts: Parts) -> None:
    print(parts.write_broker_files(arguments.folder))


def _claim_code(arguments: argparse.Namespace, parts: Parts) -> None:
    code = make_claim_code(parts.fleet, arguments.site, made_by=ACTOR, now=parts.clock.now(), randomness=parts.randomness)
    if code is None:
        raise CommandError(f"There is no site {arguments.site}.")
    print(code)


def _issue(arguments: argparse.Namespace, parts: Parts) -> None:
    _check_writable(arguments.sheets)
    holders = _read(arguments.holders)
    issued = parts.issue(arguments.programme, holders, issued_by=ACTOR, now=parts.clock.now())
    try:
        pages = parts.write_sheets(issued.issue_id, arguments.sheets)
    except OSError as problem:
        # A PortError is one too. What is issued stays issued.
        raise CommandError(f"{problem}; the vouchers are issued, the office page prints issue {issued.issue_id}.") from problem
    _print_json({"issue_id": str(issued.issue_id), "pages": pages, "voucher_nos": list(issued.voucher_nos)})


def _confirm_all(arguments: argparse.Namespace, parts: Parts) -> None:
    done = confirm_all(parts.confirmations, merchant_id=arguments.merchant, staff_id=ACTOR, now=parts.clock.now())
    _print_json({"confirmed": done.redemption_count, "vouchers": done.voucher_count, "amount_twd": done.amount_twd})


def _settle(_: argparse.Namespace, parts: Parts) -> None:
    closed = settle_due(parts.settlements, now=parts.clock.now())
    _print_json(
        {"closed": [one.period.starts_on.isoformat() for one in closed], "claims": sum(one.claim_count for one in closed)}
    )


def _settlements(_: argparse.Namespace, parts: Parts) -> None:
    for row in parts.reports.settlements():
        _print_json(msgspec.to_builtins(row))


def _pay(arguments: argparse.Namespace, parts: Parts) -> None:
    _check_writable(arguments.out)
    hands = Hands(arguments.prepared_by, arguments.released_by)
    if not may_pay(parts.people, hands):
        raise CommandError(str(PayRunError("not_finance")))
    file = make_payout_file(parts.payouts, arguments.format, parts.originator, hands=hands, now=parts.clock.now())
    if file is None:
        _print_json({"file_no": None, "payouts": 0, "total_twd": 0, "newest_file_no": newest_file_no(parts.payouts)})
        return
    _write(arguments.out, file.content)
    _print_json({"file_no": file.file_no, "payouts": len(file.payouts), "total_twd": file.total_twd})


def _payout_file(arguments: argparse.Namespace, parts: Parts) -> None:
    _check_writable(arguments.out)
    file = kept_payout_file(parts.payouts, arguments.file_no)
    if file is None:
        raise CommandError(f"There is no payout file {arguments.file_no}.")
    _write(arguments.out, file.content)
    _print_json({"file_no": file.file_no, "payouts": file.line_count, "total_twd": file.total_twd})


def _import_return(arguments: argparse.Namespace, parts: Parts) -> None:
    done = import_return(parts.payouts, _read(arguments.file), by=ACTOR, now=parts.clock.now(), file_no=arguments.file_no)
    _print_json(
        {
            "file_no": done.file_no,
            "paid": done.paid_count,
            "paid_twd": done.paid_twd,
            "returned": done.returned_count,
            "returned_twd": done.returned_twd,
            "open": done.open_count,
        }
    )


def _correct(arguments: argparse.Namespace, parts: Parts) -> None:
    wish = Wish(arguments.redemption, arguments.reason, arguments.by, arguments.amount)
    _print_json(msgspec.to_builtins(correct(parts.corrections, parts.people, wish, now=parts.clock.now())))


def _corrections(arguments: argparse.Namespace, parts: Parts) -> None:
    if arguments.owed:
        for debt in parts.corrections.debts():
            _print_json({**msgspec.to_builtins(debt), "owed_twd": debt.owed_twd})
        return
    for one in parts.corrections.corrections():
        _print_json(msgspec.to_builtins(one))


def _purge(_: argparse.Namespace, parts: Parts) -> None:
    done = purge_due(parts.retention, now=parts.clock.now(), go_on=parts.leave_room, by="cli")
    _print_json(msgspec.to_builtins(done))


def _reconcile(_: argparse.Namespace, parts: Parts) -> None:
    found = reconcile(parts.books, now=parts.clock.now())
    _print_json({**msgspec.to_builtins(found.totals), "programmes": msgspec.to_builtins(found.programmes)})
    if found.breach is not None:
        raise CommandError(str(found.breach))


def _audit_verify(arguments: argparse.Namespace, parts: Parts) -> None:
    reached, broken = verify(parts.audit_trail, noted=arguments.head)
    _print_json({"entries": reached.entry_no, "head": str(reached)})
    if broken is not None:
        raise CommandError(f"The audit log breaks at entry {broken.entry_no}: {broken.why}.")


def _noted_head(text: str) -> Head:
    try:
        return decode_head(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _revoke(arguments: argparse.Namespace, parts: Parts) -> None:
    if not revoke_device(parts.fleet, arguments.device, reason=arguments.reason, now=parts.clock.now()):
        raise CommandError(f"There is no device {arguments.device}, or it is revoked already.")
    print(f"{arguments.device} revoked; `broker-files` puts it on the broker's list too")


def _signing_key_ids(setup: Setup) -> Sequence[str]:
    return sorted({programme.signing_key_id for programme in setup.programmes if programme.signing_key_id is not None})


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CommandError(f"The file {path} cannot be read: {problem.strerror}.") from problem


def _check_writable(path: Path) -> None:
    # Before anything is done that cannot be done again.
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise CommandError(f"The folder {path.parent} cannot be written.")


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_bytes(content)
        fresh.rename(path)
    except OSError as problem:
        raise CommandError(f"The file {path} cannot be written: {problem.strerror}. It is kept in the database.") from problem


def _print_json(line: dict[str, object]) -> None:
    print(json.dumps(line, ensure_ascii=False))
