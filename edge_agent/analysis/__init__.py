"""What an engineer does with the past of an agent: judge it again, and ask why.

Each command is a package of its own with a ``cli.py`` that has ``add``, as those of ``commissioning``. They read recordings
and the agent's store, also while it runs, and change neither.
"""
