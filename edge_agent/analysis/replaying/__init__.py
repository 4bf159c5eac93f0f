"""``edge-agent replay``: the same detectors over the same rows, and the first difference to what was reported then."""
