"""``edge-agent try``: one place of a device, in every decoding at once, until the right one is plain. Entry point: ``cli.add``."""
