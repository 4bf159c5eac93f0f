"""``edge-agent watch``: what a running agent sees, live in a terminal.

``rows`` makes lines of what the agent tells, ``head`` the lines above them, ``view`` says which are shown in which order; ``screen``
shows them and takes keys, ``cli`` asks the agent. A value that nobody confirms is marked, never shown as if it were good.
"""
