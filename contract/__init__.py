"""What the edge and the control room agree on, and nothing else.

Points, quality, sample batches, events, the hash chain, units, errors and time live here; ``contract.wire`` holds what
crosses the network. This package knows no database, no socket and no device. A thing enters only if both ends must
agree on it.
"""
