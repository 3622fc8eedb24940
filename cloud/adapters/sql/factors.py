"""Second factors and passkeys, for :mod:`cloud.ports.accounts`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, update

from cloud.adapters.sql.accounts import note
from cloud.adapters.sql.tables import passkey, recovery_code, second_factor
from cloud.adapters.sql.transactions import reading, upsert, writing
from cloud.ports.accounts import AccountEvent, Factors, Passkey


class SqlFactorStore:
    """``FactorStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, staff_id: str) -> Factors:
        codes = select(recovery_code.c.code).where(recovery_code.c.staff_id == staff_id).order_by(recovery_code.c.position)
        keys = select(passkey).where(passkey.c.staff_id == staff_id).order_by(passkey.c.made_at, passkey.c.credential_id)
        with reading(self._engine) as connection:
            totp = connection.execute(select(second_factor).where(second_factor.c.staff_id == staff_id)).one_or_none()
            return Factors(
                None if totp is None else totp.totp_secret,
                0 if totp is None else totp.totp_counter,
                tuple(connection.scalars(codes)),
                tuple(Passkey(**row) for row in connection.execute(keys).mappings()),
            )

    def save_totp(self, staff_id: str, totp_secret: str | None, event: AccountEvent) -> None:
        with writing(self._engine) as connection:
            if totp_secret is None:
                for table in (second_factor, recovery_code):
                    connection.execute(delete(table).where(table.c.staff_id == staff_id))
            else:
                upsert(connection, second_factor, [{"staff_id": staff_id, "totp_secret": totp_secret, "totp_counter": 0}])
            note(connection, event)

    def spend_counter(self, staff_id: str, counter: int) -> bool:
        which = (second_factor.c.staff_id == staff_id) & (second_factor.c.totp_counter < counter)
        with writing(self._engine) as connection:
            return connection.execute(update(second_factor).where(which).values(totp_counter=counter)).rowcount > 0

    def save_codes(self, staff_id: str, codes: Sequence[str], event: AccountEvent) -> None:
        rows = [{"staff_id": staff_id, "position": position, "code": code} for position, code in enumerate(codes, start=1)]
        with writing(self._engine) as connection:
            connection.execute(delete(recovery_code).where(recovery_code.c.staff_id == staff_id))
            connection.execute(insert(recovery_code), rows)
            note(connection, event)

    def spend_code(self, staff_id: str, code: str, event: AccountEvent) -> bool:
        which = (recovery_code.c.staff_id == staff_id) & (recovery_code.c.code == code)
        with writing(self._engine) as connection:
            was_there = connection.execute(delete(recovery_code).where(which)).rowcount > 0
            if was_there:
                note(connection, event)
        return was_there

    def find_passkey(self, credential_id: bytes) -> Passkey | None:
        wanted = select(passkey).where(passkey.c.credential_id == credential_id)
        with reading(self._engine) as connection:
            row = connection.execute(wanted).mappings().one_or_none()
        return None if row is None else Passkey(**row)

    def add_passkey(self, passkey_: Passkey, event: AccountEvent) -> None:
        with writing(self._engine) as connection:
            connection.execute(insert(passkey).values(**asdict(passkey_)))
            note(connection, event)

    def use_passkey(self, credential_id: bytes, *, sign_count: int, backed_up: bool, at: datetime) -> None:
        values = {"sign_count": sign_count, "backed_up": backed_up, "used_at": at}
        with writing(self._engine) as connection:
            connection.execute(update(passkey).where(passkey.c.credential_id == credential_id).values(**values))

    def drop_passkey(self, credential_id: bytes, event: AccountEvent) -> None:
        with writing(self._engine) as connection:
            if connection.execute(delete(passkey).where(passkey.c.credential_id == credential_id)).rowcount:
                note(connection, event)
