"""The rig: a site's devices, each in a process of its own, on real sockets.

``site`` describes them (``load_site``), ``rig.Rig`` starts, commands and stops them, ``ledger.read_ledger`` tells what
each of them served and when. ``modbus_device`` is the process that ``Rig`` starts; it ends when its parent does.
"""
