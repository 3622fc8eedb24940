"""The cloud: programmes, vouchers, merchants, and the way from a redemption to money on an account.

``domain`` holds pure rules, ``ports`` what they need from the world, ``services`` one use case = one function = one
transaction, ``adapters`` tables, queries, MQTT, files and documents. ``web``, ``ingest`` and ``cli`` are the three ways in;
``wiring`` puts everything together and is the only reader of ``config``.
"""
