"""``edge-agent backtest``: what detection would have said to recorded values. Entry point: ``cli.add``."""
