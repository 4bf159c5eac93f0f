"""How a person's wish reaches the one process that writes.

The web process and the command line only read the database. What changes something is a *command*: ``channel`` carries
it to ingest, ``desk`` there finds out who asks, lets the slice that owns the verb decide, and answers once the decision
is committed. ``refusal`` says no, with a code.
"""
