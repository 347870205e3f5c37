"""Policy tests: running them, what they never touch, and which mistakes they would miss."""
