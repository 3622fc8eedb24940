"""The demo: the whole system on one machine, every part real but the hardware, which is simulated honestly.

It stands among the tests because it is the largest of them: the chaos and leak tests start the same :class:`World`.
Real: Mosquitto with mTLS and ACL, the cloud's processes and database, a kiosk process with its outbox, printed voucher
sheets turned into camera frames, keys through gpiozero's mock pins, a bank that reads the payout file and returns some.
"""
