"""`onboard` as a user runs it: the console script, as a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onboard

SCRIPT = Path(sys.executable).with_name("onboard")
PROGRAM = [str(SCRIPT)] if SCRIPT.is_file() else [sys.executable, "-P", "-m", "onboard"]
INHERITED = ("PATH", "LANG", "TMPDIR")


@dataclass
class Shell:
    """A terminal in `folder`, whose user has `env` and nothing else of this machine's environment."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, *words: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"HOME": str(self.folder), "COLUMNS": "80", "PYTHONPATH": str(Path(onboard.__file__).parents[1])}
        return subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            cwd=self.folder,
            env={**inherited, **own, **self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that what a command leaves running can be found
        )

    def __call__(self, *words: str | Path, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it has to leave with this exit code and never with a traceback."""
        child = self.start(*words, **env)
        out, err = child.communicate(timeout=120)
        assert child.returncode == code, f"onboard {' '.join(map(str, words))}: {child.returncode}\n{out}\n{err}"
        assert "Traceback" not in err
        return subprocess.CompletedProcess(list(map(str, words)), child.returncode, out, err)


def kill_9(child: subprocess.Popen[str]) -> None:
    """End a process as a power cut would, and wait for that."""
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def leftovers(child: subprocess.Popen[str]) -> bool:
    """Whether a process that ended has left others running."""
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True
