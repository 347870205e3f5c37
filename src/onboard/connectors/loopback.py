"""Whether an address is this machine: the sandbox is reached directly there, never through a company's proxy."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether `url` names localhost or a loopback address; False for what isn't an address at all."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
