"""What is true right now: latest values, sessions, processes. ``board`` writes and reads it; nothing here is a record."""
