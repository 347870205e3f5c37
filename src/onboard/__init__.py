"""Gives outsourced engineers exactly the access they need, and takes it back the moment they don't."""

__version__ = "0.1.0"
