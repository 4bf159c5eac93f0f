"""Detection: samples in, changes of condition out.

Entry points: ``engine.Engine`` (one per catalogue version), ``engine.Transition`` (what changed, and why in numbers),
``kernels.jit.COMPILED`` (whether the kernel runs compiled). Pure: time enters only as data (``mono_ns`` of samples and
TICK rows), so the same rows give the same transitions bit for bit.
"""
