"""What an engineer does on site before and beside the running agent: lists, first contact with devices, proof of each point.

Each command is a package of its own here: a pure core, a thin shell, and ``cli.py`` with ``add``, which ``edge_agent.cli`` calls
to put the command into its parser. They use ``settings``, ``drivers`` and the agent's control socket (``station``); they know
nothing of each other, and the running agent knows nothing of them.
"""
