"""The alarms of the control room, after ISA-18.2 / IEC 62682.

The edge reports conditions; what becomes of them here is decided by ``table``, the state machine as data in the words of
``states``.
"""
