"""One kiosk: camera, keypad, screen, durable outbox, link to the cloud.

``domain`` is pure: state machines and what they show, no I/O and no clock. ``ports`` says what the machine needs from the
world; ``adapters`` are one device or library each. ``app`` is the one loop that joins them, ``config`` the one file that is
read, ``__main__`` the only place where everything is put together.
"""
