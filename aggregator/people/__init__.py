"""Who may do what: people, their roles and scopes, and the sessions in which they act.

``rights`` is the matrix, ``passwords`` and ``attempts`` guard the door, ``queries`` reads who acts, ``commands`` decides
in ingest, ``service`` is what the web process asks, ``cli`` what is typed in the control room.
"""
