"""What must hold after every kill, whatever happened; each breach is one sentence."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Engine, select

from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.tables import inbox, redemption, redemption_line
from tests.ha.load import Order


def breaches(orders: Sequence[Order], engine: Engine) -> list[str]:
    """Compare everything that kiosks have ever heard with what the database holds now."""
    with for_reading(engine).connect() as connection:
        answers = {row[0]: row[1] for row in connection.execute(select(inbox.c.request_id, inbox.c.answer))}
        lines = [
            (row[0], row[1])
            for row in connection.execute(select(redemption_line.c.voucher_no, redemption_line.c.redemption_id))
        ]
        redemptions = set(connection.execute(select(redemption.c.redemption_id)).scalars())
    accepted = {order.id: order for order in orders if order.is_accepted}
    used = Counter(number for order in accepted.values() for number in order.vouchers)
    held_for = dict(lines)
    found = {
        "orders without an answer": [order for order in orders if order.answer is None],
        "orders with two different answers": [order for order in orders if order.other],
        "accepted orders that the database does not know": accepted.keys() - redemptions,
        "redemptions that no kiosk was told of": redemptions - accepted.keys(),
        "answers that differ from the stored one": [
            order for order in orders if order.answer is not None and answers.get(order.id) != order.answer.body
        ],
        "vouchers accepted twice": [number for number, count in used.items() if count > 1],
        "vouchers with two redemptions": [
            number for number, count in Counter(number for number, _ in lines).items() if count > 1
        ],
        "vouchers of accepted orders that are not redeemed by them": [
            number for order in accepted.values() for number in order.vouchers if held_for.get(number) != order.id
        ],
        "redeemed vouchers of orders that were not accepted": [number for number in held_for if number not in used],
    }
    return [f"{len(which)} {what}" for what, which in found.items() if which]
