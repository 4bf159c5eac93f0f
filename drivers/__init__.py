"""Field protocols behind one interface: ``base`` says what a driver is, ``catalogue`` finds one by name.

Settings and points come in from the edge agent, sample batches go out to it. A driver only ever reads from its device,
knows nothing of detection, storage or the control room, and turns every trouble of the bus into the quality of a
sample. A new protocol is a new folder here and a line in ``catalogue``.
"""
