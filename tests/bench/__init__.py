"""Benchmarks as ratios: every figure stands beside a limit or a peer that was measured in the same minutes.

What is measured:

=============  ===============================================================================================================
``codec``      a message from the wire to a question for the judge, against decoding its bare body
``line``       messages from and to a real broker, against stock paho
``leg``        judging and committing batches, against the database alone, one transaction per order, and the disk
``ingest``     orders end to end on both databases, against an echo, the database alone, pgbench and naive peers
``latency``    how long an answer takes at half load and alone, hop by hop, against the commit of one
``flood``      what the others feel of one kiosk gone mad
``growth``     what an order costs where there are more vouchers: doubled six times, and the exponent
``settle``     closing a week, against the bare ``GROUP BY`` over the same rows
``reconcile``  looking at whole books, against one pass over their tables
``confirm``    one merchant confirming everything at once, against the bare ``INSERT … SELECT`` of the same rows
=============  ===============================================================================================================

What it is measured with: ``stage`` (database, broker, worker), ``stock`` (vouchers, and the books checked), ``load`` and
``generator`` (the load, a process of its own, with ``deck``, ``fleet`` and ``wire``), ``customer`` (one real kiosk), ``peer_…``
and ``pgbench`` (what it is compared with), ``set_sql`` (the database alone), ``processes`` (CPU time), ``measuring`` (rounds,
medians), ``goals`` and ``report`` (what is published).

``python -m tests.bench --only NAME [--redemptions N] [--doc]``. A slow or busy machine makes figures small, never the exit
status bad; wrong answers do. The method is told in ``docs/performance.md``.
"""
