"""The Prefect entry points: in the wheel they stand here, in a checkout in `flows/` at its top."""

from pathlib import Path

_checkout = Path(__file__).parents[3]
if (_checkout / "pyproject.toml").is_file() and (_checkout / "flows").is_dir():
    __path__.append(str(_checkout / "flows"))
