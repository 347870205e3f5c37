"""The notary of the embedded default: a signing key in a file, and a file elsewhere as a witness."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from onboard.errors import BadInput, SystemFailed


class LocalSigner:
    """Signs with an ed25519 key in a file (PKCS #8, PEM), made when it is first needed, readable by its owner only.

    Every call raises BadInput where the file can't be made, read or trusted.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def public_key(self) -> bytes:
        """The raw public key."""
        return self._key().public_key().public_bytes_raw()

    def sign(self, statement: bytes) -> bytes:
        """The signature."""
        return self._key().sign(statement)

    def _key(self) -> Ed25519PrivateKey:
        try:
            return self._read() if self._file.exists() else self._make()
        except OSError as error:
            raise BadInput.one(f"The signing key {self._file} can't be used: {error.strerror}.") from None

    def _read(self) -> Ed25519PrivateKey:
        if stat.S_IMODE(self._file.stat().st_mode) & 0o077:
            raise BadInput.one(f"Others may read the signing key {self._file}. Make it yours alone: chmod 600.")
        try:
            key = load_pem_private_key(self._file.read_bytes(), None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInput.one(f"{self._file} holds no ed25519 private key in PEM without a password.")
        return key

    def _make(self) -> Ed25519PrivateKey:
        """A new key, whole or not there at all: a run that dies half-way must not leave half a key."""
        key = Ed25519PrivateKey.generate()
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        try:
            os.link(draft, self._file)  # unlike a rename it never replaces the key of a run that was quicker
        except FileExistsError:
            return self._read()
        finally:
            draft.unlink()
        return key


class FileWitness:
    """A file that is only ever appended to, one checkpoint a line (JSON Lines). It belongs on a disk elsewhere."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def name(self) -> str:
        """`file:` and its path."""
        return f"file:{self._file}"

    def publish(self, line: str) -> None:
        """Append the line unless it is there; when this returns it is on disk. Raises SystemFailed."""
        try:
            kept = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
            if line in kept.splitlines():
                return
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{'' if not kept or kept.endswith(chr(10)) else chr(10)}{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SystemFailed(self.name, f"the checkpoint can't be appended: {reason}.", uncertain=True) from None
