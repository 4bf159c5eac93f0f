"""Device models: an instrument described once, from its manual, and used as often as there are of it.

Entry points: ``library.find`` (the models there are), ``uses.read_devices_file`` (``devices.csv``), ``expansion.expand`` (a use of a
model becomes the keys of a device and rows of points). The way of a model: ``template`` (TOML to a checked description) ->
``expansion`` (parameters put in by ``expression``, items that the manual leaves open by ``accepted``) -> ``io_list``, which judges
the rows like those of ``points.csv``.
"""
