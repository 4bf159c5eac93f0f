"""Takes in what agents send: from the socket to one transaction and its acknowledgement.

``receiver`` is the process: ``link`` (socket, keys) → ``sessions`` (who may speak) → ``streams`` (what it means, by the
pure ``accept`` and ``present``) → ``group`` (what one transaction holds) → ``queries`` → ACK.
"""
