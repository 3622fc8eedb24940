"""Pure state machines of one kiosk: the visit, the outbox row, and what the screen shows of them."""
