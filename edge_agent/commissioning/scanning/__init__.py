"""``edge-agent scan``: which units answer, and what each of the four tables gives, found politely. Entry point: ``cli.add``."""
