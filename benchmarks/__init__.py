"""A module per promised figure, each with ``run() -> list[Row]``; ``python -m benchmarks.run`` prints them all.

Figures are ratios within one run wherever that is possible, so that they mean the same on another machine.
"""
