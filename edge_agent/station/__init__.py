"""What the gateway knows of itself: ``clock_state`` (is the wall clock to be believed) and ``status`` (the status file)."""
