"""Devices that misbehave on command, and what then must follow.

``hil_tests.rig`` plays a site's devices on real sockets; ``hil_tests.cli`` is the console script ``hil-rig``. Nothing
of the product imports this package.
"""
