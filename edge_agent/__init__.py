"""The edge agent: polls devices, judges samples, keeps events and telemetry, and sends them to the control room.

``detect`` judges samples. It reads devices and never writes to them; nothing that comes back from a control room changes
what is polled, judged or kept.
"""
