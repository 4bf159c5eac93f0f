"""The control room's end: takes in what agents send, commits it into a chained journal, and shows it.

Entry points: ``cli`` (commands), ``app`` (what each process is made of). Data goes ``ingest`` → ``journal``, ``history``
and ``live`` → ``api`` and ``pages``; ``store`` below holds the database.
"""
