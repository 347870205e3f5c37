from __future__ import annotations

from tests.world import starter_policy, world

__all__ = ["starter_policy", "world"]
