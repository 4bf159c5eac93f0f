"""Kernels: free functions over record arrays, compiled by numba where it is installed, plain Python otherwise.

Entry points: ``conditions.judge`` (validity, staleness, limits, fault) and ``jit.COMPILED``.
"""
