"""Events in, commands out: one small function an event and action."""
