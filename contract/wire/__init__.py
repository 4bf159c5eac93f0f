"""What crosses the network: ``frames`` (messages), ``codec`` (their bytes), ``chunk`` (telemetry, made of ``timetable``,
``series`` and ``planes``), ``session`` (who may say what when, for both ends). No socket lives here; whoever owns one
feeds bytes in and sends the bytes that come out.
"""
