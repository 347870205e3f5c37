"""Which git revision a folder of policies is, so that an auditor finds the commit behind a decision."""

from __future__ import annotations

import subprocess
from pathlib import Path

#: Seconds until git is no longer waited for.
PATIENCE = 5.0


def revision_of(folder: Path) -> str | None:
    """The commit (40 hex digits) that these files are exactly; None outside git, or where something was changed since.

    Never raises: the policy's own hash identifies it anyway.
    """
    if _git(folder, "status", "--porcelain", "--", ".") != "":
        return None
    return _git(folder, "rev-parse", "HEAD") or None


def _git(folder: Path, *command: str) -> str | None:
    """What git answers, stripped; None where it fails or isn't there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
