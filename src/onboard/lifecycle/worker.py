"""What this process is called where several work on the same ledger."""

from __future__ import annotations

import os
import socket


def worker() -> str:
    """This process's name on leases: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"
