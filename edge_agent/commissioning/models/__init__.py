"""``edge-agent models``: which instruments are described, with what can be set and what their manuals leave open.

``sheet`` turns a model into lines, ``cli`` prints them.
"""
