"""Policy bundles by the hash of their content, so that any past decision can be explained."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import insert, select

from onboard.errors import BadInput, OnboardError
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import bundles


class Bundles:
    """What each policy hash stood for: file paths and their texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, digest: str, files: Mapping[str, str]) -> None:
        """Keep a bundle; a second time changes nothing. Raises OnboardError where the hash stands for other files."""
        with self._database.writing() as connection:
            kept = connection.scalar(select(bundles.c.files).where(bundles.c.hash == digest))
            if kept is None:
                text = json.dumps(dict(files), sort_keys=True, ensure_ascii=False)
                connection.execute(insert(bundles).values(hash=digest, files=text))
            elif json.loads(kept) != dict(files):
                raise OnboardError(f"two policies with different files claim the same hash {digest}")

    def get(self, digest: str) -> dict[str, str]:
        """The files of a bundle. Raises BadInput where none is kept under this hash."""
        with self._database.reading() as connection:
            kept = connection.scalar(select(bundles.c.files).where(bundles.c.hash == digest))
        if kept is None:
            raise BadInput.one(f"No policy with the hash {digest} was ever in force here.")
        return {str(path): str(text) for path, text in json.loads(kept).items()}
