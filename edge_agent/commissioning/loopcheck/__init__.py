"""``edge-agent loopcheck``: proof, point by point, that what is applied at the instrument is what the agent sees.

``check`` leads through one point (answers and readings in, a record out), ``settling`` says when a reading stands still,
``record`` is what is kept, ``sheet`` what is signed and handed over; ``folder`` keeps records between two sessions, ``cli`` asks
the engineer and the running agent. Neither points nor configuration are changed.
"""
