"""What first contact with a Modbus device needs, whichever command makes it: shared by ``trying`` and ``scanning``.

``place`` reads what was typed; ``folder`` and ``agents`` look up what is configured and what runs; ``asking`` holds the connection;
``failures`` says what an answer means and what to try next; ``decodings`` and ``ranking`` say which numbers registers may hold.
"""
