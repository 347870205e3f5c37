"""`python -m onboard.sandbox`: the sandbox without the rest of the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from onboard.errors import OnboardError
from onboard.sandbox.command import start


def main() -> int:
    """Run it until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m onboard.sandbox", description=start.__doc__)
    parser.add_argument("--world", type=Path, help="a world file; without it the kept or the demo world")
    parser.add_argument("--generate", metavar="SIZES", help="a world of that size: people=1000,repos=100")
    parser.add_argument("--data", type=Path, help="a folder to keep everything in; without it nothing is kept")
    parser.add_argument("--latency", type=int, default=0, metavar="MS", help="milliseconds before each answer")
    parser.add_argument("--json", action="store_true", help="print one line of JSON once ready")
    given = parser.parse_args()
    try:
        start(given.world, given.data, given.latency, given.generate, json_output=given.json)
    except OnboardError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
