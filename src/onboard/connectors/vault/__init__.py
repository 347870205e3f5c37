"""Vault and OpenBao (hvac): who may log in, who is in which identity group, and whom a token speaks for."""
