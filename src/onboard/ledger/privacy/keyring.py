"""Where people's keys are kept, apart from the database: who has a copy of the one can't read it without the other.

A keyring holds keys by name: a person's opaque id, or `index`. The embedded default is a file; connectors/ has Vault's.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

from onboard.errors import SystemFailed

#: Bytes of a key.
SIZE = 32
SYSTEM = "keyring"


class Keyring(Protocol):
    """Keys by name. Safe from several threads and processes; each call raises SystemFailed where it can't be used."""

    @property
    def place(self) -> str:
        """Where it is, for people to read."""
        ...

    def keys(self, names: Collection[str]) -> Mapping[str, bytes]:
        """The keys of these names; whoever has none is left out."""
        ...

    def make(self, names: Collection[str]) -> frozenset[str]:
        """Give each of these names a fresh key unless it has one; who got one. They last when this returns."""
        ...

    def destroy(self, names: Collection[str]) -> None:
        """Destroy the keys of these names, where there are any, and every older copy that the keyring itself keeps."""
        ...


class FileKeyring:
    """A JSON file, readable by its owner only. A change replaces it as a whole, and is on disk before it counts.

    Readers and writers in all processes of one machine take turns by a lock on a second file, `NAME.lock`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[tuple[int, int, int], dict[str, bytes]] | None = None

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._file)

    def keys(self, names: Collection[str]) -> Mapping[str, bytes]:
        """The keys of these names; none at all where the file isn't there."""
        if not self._file.exists():
            return {}
        with self._locked(fcntl.LOCK_SH):
            known = self._read()
        return {name: known[name] for name in names if name in known}

    def make(self, names: Collection[str]) -> frozenset[str]:
        """As the protocol says; the file is made if need be."""
        with self._locked(fcntl.LOCK_EX):
            known = self._read()
            new = {name: os.urandom(SIZE) for name in names if name not in known}
            if new:
                self._replace({**known, **new})
        return frozenset(new)

    def destroy(self, names: Collection[str]) -> None:
        """As the protocol says. The replaced file is overwritten before its blocks are given free.

        What a disk or a file system keeps of overwritten blocks is beyond this.
        """
        if not self._file.exists():
            return
        with self._locked(fcntl.LOCK_EX):
            known = self._read()
            if known.keys() & set(names):
                with self._file.open("r+b") as old:
                    self._replace({name: key for name, key in known.items() if name not in names})
                    _blank(old.fileno())

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._beside("lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, how)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            self._fail(f"{self._file} can't be used: {error.strerror}")

    def _read(self) -> dict[str, bytes]:
        """What the file holds, parsed once for each state of it. Call it under the lock."""
        try:
            now = self._file.stat()
        except FileNotFoundError:
            return {}
        if stat.S_IMODE(now.st_mode) & 0o077:
            self._fail(f"others may read {self._file}. Make it yours alone: chmod 600")
        state = (now.st_ino, now.st_mtime_ns, now.st_size)
        if self._seen is None or self._seen[0] != state:
            self._seen = (state, self._parsed())
        return self._seen[1]

    def _parsed(self) -> dict[str, bytes]:
        try:
            kept = json.loads(self._file.read_bytes())["keys"]
            return {str(name): base64.b64decode(key, validate=True) for name, key in kept.items()}
        except (ValueError, LookupError, TypeError, AttributeError):
            self._fail(f"{self._file} is damaged, or no keyring. Put back the newest copy of it")

    def _replace(self, keys: Mapping[str, bytes]) -> None:
        """The file with these keys in it, on disk when this returns. Call it under the lock."""
        draft = self._beside("draft")
        draft.unlink(missing_ok=True)
        kept = {name: base64.b64encode(key).decode() for name, key in sorted(keys.items())}
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump({"onboard keyring": 1, "keys": kept}, file, indent=0)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _beside(self, ending: str) -> Path:
        return self._file.with_name(f"{self._file.name}.{ending}")

    def _fail(self, reason: str) -> NoReturn:
        raise SystemFailed(SYSTEM, f"{reason}. Nobody's name, address or account id can be read without it.") from None


class NoKeyring:
    """Stands where the settings name none: a ledger on a server has no folder to keep a file in."""

    place = "nowhere"

    def keys(self, names: Collection[str]) -> Mapping[str, bytes]:
        """Raises SystemFailed, saying which setting is missing."""
        self._fail()

    def make(self, names: Collection[str]) -> frozenset[str]:
        """Raises SystemFailed, saying which setting is missing."""
        self._fail()

    def destroy(self, names: Collection[str]) -> None:
        """Raises SystemFailed, saying which setting is missing."""
        self._fail()

    def _fail(self) -> NoReturn:
        raise SystemFailed(
            SYSTEM,
            "people's keys are kept apart from a database on a server, and no place is set for them. Under [ledger] "
            'set keyring = "vault", or keyring_file to a file that every worker shares.',
        )


def _blank(file: int) -> None:
    """Overwrite a file with zeros, through to the disk."""
    os.pwrite(file, bytes(os.fstat(file).st_size), 0)
    os.fsync(file)
