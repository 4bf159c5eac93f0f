"""The way out: one ``sender.Uplink`` per destination carries the outbox, the snapshot and the live values there.

It only ever connects outward. What may be said when is decided in ``contract.wire.session``.
"""
