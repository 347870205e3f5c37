"""Fresh opaque ids, long enough never to collide."""

from __future__ import annotations

import secrets


def new_person_id() -> str:
    """A fresh opaque person id: `p-` and 128 random bits in hex."""
    return f"p-{secrets.token_hex(16)}"


def new_account_id() -> str:
    """A fresh opaque account id: `a-` and 128 random bits in hex."""
    return f"a-{secrets.token_hex(16)}"
