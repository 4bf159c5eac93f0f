"""What the gateway knows of itself: ``clock_state`` (is the wall clock to be believed), ``machine`` (what runs, on which boot),
``status`` (the status file) and ``control`` (the socket at which a running agent is asked and told)."""
