"""The park as it is: enterprise > hazard source > point. ``service`` shows the schematic map, ``points`` knows which
points there are; ``register`` reads the file in which an engineer wrote the sources down."""
