"""``make ha``: the PostgreSQL primary of a three-node Patroni cluster killed again and again while kiosks redeem."""
