"""Benchmarks as ratios: every figure stands beside a limit or a peer that was measured in the same minutes.

=============  =====================================================================================
``measuring``  rounds, medians, and how far they spread
``codec``      a message from the wire to a question for the judge, against decoding its bare body
``line``       messages from and to a real broker, against stock paho
``ingest``     judging and committing batches, against the database alone, the naive worker and the disk
``set_sql``    the database alone
=============  =====================================================================================

``python -m tests.bench --only codec|line|ingest|all``. A slow or busy machine makes figures small, never the exit status bad;
wrong answers do.
"""
