"""``edge-agent accept``: somebody has found out at the device what its manual leaves open, and says so with his name.

``decision`` judges what was typed against the devices and their models, ``cli`` writes the entry into ``accepted.toml``.
"""
