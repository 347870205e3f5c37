"""A simulated GitHub, as far as access goes, for one organisation."""
