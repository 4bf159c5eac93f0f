"""The rig: a site's devices, each in a process of its own, on real sockets.

``site`` describes them (``load_site``), ``rig.Rig`` starts, commands and stops them, ``ledger.read_ledger`` tells what
each of them served and when. ``commands`` is what they can be told. ``modbus_device`` and ``opcua_device`` are the processes that ``Rig`` starts; they end when it does.
"""
