"""Deterministic simulation: the real code of kiosks and cloud in a made-up world, one thread, one seed, no clock but its own.

=============  =====================================================================================
``kernel``     virtual time, the one source of randomness, the trace
``weather``    what goes wrong in a seed, and how often
``network``    broker and lines between kiosks and workers
``kiosks``     machines that run the real app, lose their power, and start again from their outbox
``cloud``      database, ingest workers, and what goes wrong with them
``people``     customers and merchants' staff, honest and otherwise
``office``     confirmations and weekly settlements over virtual weeks
``witness``    sees every message and every screen; says at once what must not be
``checkers``   what must hold at the end
``play``       one seed from the first customer to the last check
``mutants``    planted bugs that the checkers must find
=============  =====================================================================================

``python -m tests.simulation --seeds 200`` plays seeds 1 to 200; ``--seed 17`` plays that one again.
"""
