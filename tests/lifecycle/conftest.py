from __future__ import annotations

from tests.world import demo_world, starter_policy, world

__all__ = ["demo_world", "starter_policy", "world"]
