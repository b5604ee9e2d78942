"""What a running service is made of: its desk, its guard, its supervisor, its measurements."""
