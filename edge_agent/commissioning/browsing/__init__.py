"""``edge-agent browse``: what an OPC UA server has, as a list to read and as rows of points.csv.

``tree`` decides what to ask next and what was found, ``crawl`` asks, over ``server`` (the driver's own connection and
security); ``nodes`` writes nodes and values as people read them, ``units`` says which of our units a server means, ``sheet``
makes rows of points.csv. Nothing is written to a server.
"""
