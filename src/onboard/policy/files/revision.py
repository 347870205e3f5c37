"""Which git revision a folder of policies is, so that the commit behind a decision is found; and what stood there."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from onboard.errors import BadInput

#: Seconds until git is no longer waited for.
PATIENCE = 5.0

#: What policies are written in. Other files that git ignores (an editor's, the desktop's) don't matter.
_POLICY = ("*.yaml", "*.cedar", "*.cedarschema")

_FETCH = "A shallow clone may lack it: fetch it, or name a folder with --base-policies."


def revision_of(folder: Path) -> str | None:
    """The commit (40 hex digits) that these files are exactly.

    None outside git, where git ignores one of them, or where something was changed since.

    Never raises: the policy's own hash identifies it anyway.
    """
    changed, ignored = ("status", "--porcelain", "--", "."), ("status", "--porcelain", "--ignored", "--", *_POLICY)
    if _git(folder, *changed) != "" or _git(folder, *ignored) != "":
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


def files_at(folder: Path, revision: str) -> dict[str, bytes]:
    """What stood in the folder at a git revision: paths relative to it, and contents. Git writes nothing for it.

    Raises BadInput where git knows no such revision, the folder isn't in git, or wasn't at that time.
    """
    if revision.startswith("-"):
        raise BadInput.one(f"{revision!r} is no git revision. Write a branch, a tag or a commit, like origin/main.")
    command = ["git", "-C", str(folder), "archive", "--format=tar", revision, "."]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1].removeprefix("fatal: ") if said else f"git ended with {error.returncode}"
        raise BadInput.one(f"{folder} at {revision} can't be read from git: {why}. {_FETCH}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput.one(f"{folder} at {revision} can't be read from git: {error}") from None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        members = ((member, tar.extractfile(member)) for member in tar if member.isfile())
        return {member.name.removeprefix("./"): file.read() for member, file in members if file is not None}
