"""From data to a judged run: what the commands do, callable from Python."""
