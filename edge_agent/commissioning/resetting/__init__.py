"""``edge-agent reset``: a person who has looked at a head that was over its range ends that condition, at the gateway alone."""
