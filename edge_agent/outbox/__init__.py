"""Store and forward: what the agent has judged is kept here until every destination has it.

Two SQLite files in one directory. ``events.db`` (synchronous=FULL) holds the chained events, the conditions, the
catalogues and everything that numbers hang on; ``telemetry.db`` (NORMAL) holds chunks of samples, so that a backlog of
trends can neither delay nor crowd out an alarm. Each file has one thread that writes; readers only read.

Entry points: ``event_store.EventStore``, ``telemetry_store.TelemetryStore``, ``reduce.Reducer``, ``ledger.Ledger`` and
the values in ``rows``.
"""
