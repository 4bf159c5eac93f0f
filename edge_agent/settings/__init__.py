"""An agent's configuration: a folder with ``agent.toml`` and ``points.csv`` becomes an ``AgentConfig``, or a list of faults.

Entry points: ``load.load`` (everything, refused whole with all faults at once), ``load.read_identity`` (name and key file
only, for making the keys), ``preview.check_report`` (what was understood, in lines for a person), ``model`` (the result).
Nothing here touches the network. A record's way: ``table`` (bytes to records) -> ``cells`` (text to typed values) ->
``point_rules`` (what must hold between columns) -> ``io_list`` (points); ``agent_file`` does the same for TOML. ``models`` makes
devices and rows of described instruments, which go the same way from ``io_list`` on.
"""
