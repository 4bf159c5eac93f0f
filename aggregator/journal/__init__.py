"""The record of everything that happened: one chain per writing process, append-only, signed every hour.

``log`` appends, ``cursor`` names a place in it, ``followers`` read on from there, ``checkpoints`` sign, ``verify`` checks.
The journal is the only bus: whoever wants to know what happens follows it.
"""
