"""The sandbox's folder: what survives a restart, as JSON files that are replaced whole, for one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from onboard.errors import BadInput
from onboard.sandbox.world import World


class Kept(BaseModel):
    """What the sandbox itself remembers: the key that tokens derive from (hex), ports, worlds and clock.

    `world` is the one that it was first started with, `visited` another one that a reset put in its place.
    `seeded` is False while OpenBao doesn't hold the world's starting state completely.
    """

    key: str
    ports: dict[str, int] = {}
    world: World
    visited: World | None = None
    offset_seconds: float = 0.0
    seeded: bool = False


class Store:
    """A folder, kept or temporary. Nothing is saved in a temporary one: nobody comes back to it.

    Raises BadInput where another sandbox runs on the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self.temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="onboard-sandbox-")) if folder is None else folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            message = f"Another sandbox runs on {self.folder}. Stop it first, or give --data another folder."
            raise BadInput.one(message) from error

    def opened(self, world: World | None, default: World) -> Kept:
        """What was kept here, or a beginning with that world.

        Raises BadInput where a world is given and another one is kept.
        """
        if (data := self.read("sandbox")) is None:
            return Kept(key=secrets.token_hex(32), world=world or default)
        kept = Kept.model_validate(data)
        if world is not None and world != kept.world:
            raise BadInput.one(
                f"{self.folder} holds a sandbox of another world. Leave --world out to go on with it, "
                "or give --data another folder."
            )
        return kept

    def read(self, name: str) -> Any:
        """The JSON kept under that name; None for none."""
        file = self.folder / f"{name}.json"
        return json.loads(file.read_text("utf-8")) if file.exists() else None

    def write(self, name: str, data: Any) -> None:
        """Replace what is kept under that name, in one step; readable by this user only."""
        if self.temporary:
            return
        new = self.folder / f"{name}.json.new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(data, file)
        new.replace(self.folder / f"{name}.json")

    def close(self) -> None:
        """Let go of the folder; a temporary one is removed."""
        self._lock.close()
        if self.temporary:
            shutil.rmtree(self.folder)
