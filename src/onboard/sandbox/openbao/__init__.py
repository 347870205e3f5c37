"""A real OpenBao behind a proxy, set up as a company's Vault."""
