"""Plant scenarios in simulated time: a scene of ``hil_tests.scenes`` through the agent's own judgement, days in seconds.

``scenario`` reads them, ``play`` lets the agent judge, ``verdicts`` says whether what followed is what had to follow, ``run`` ties
them for ``hil-rig run``, ``picture`` draws what happened.
"""
