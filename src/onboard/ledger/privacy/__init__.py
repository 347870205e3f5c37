"""Personal data beside the journal, sealed under a key per person that lies elsewhere."""
