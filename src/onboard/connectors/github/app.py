"""Acting as a GitHub App's installation: its tokens live an hour, are shared by all threads and renewed in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from github import Auth
from jwt import PyJWTError
from pydantic import SecretStr

from onboard.connectors.http import Rejected, documented

#: A token is renewed while it still has this long to live, so that none expires under way.
_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """A GitHub App as installed on the organisation: its id, the installation's, and the App's private key (PEM).

    `permissions` narrows what its tokens may do (`{"members": "read"}`); empty, they may do all that the App may.
    """

    app_id: int
    installation_id: int
    private_key: SecretStr
    permissions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def signature(self, system: str) -> Auth.Auth:
        """What the App itself signs requests with: a JSON web token made anew for each.

        Raises Rejected where the private key can't sign.
        """
        auth = Auth.AppAuth(self.app_id, self.private_key.get_secret_value())
        try:
            auth.create_jwt()
        except (ValueError, PyJWTError):
            raise Rejected(system, "the GitHub App's private key isn't an RSA key in PEM. Set it again.") from None
        return auth


class InstallationAuth(Auth.Auth):
    """PyGithub's view of an installation. `renew` makes a token; it raises SystemFailed as any request does."""

    def __init__(
        self, app: AppInstallation, renew: Callable[[], Mapping[str, Any]], clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._renew = renew
        self._clock = clock
        self._lock = threading.Lock()
        self._token: SecretStr | None = None
        self._until: datetime | None = None
        self._permissions: Mapping[str, str] = {}

    @property
    def permissions(self) -> Mapping[str, str]:
        """What the token may do, as GitHub told it with the token: permission → read, write or admin."""
        return self._permissions if self.token else {}

    @property
    def token_type(self) -> str:
        """`token`, as in `Authorization: token …`."""
        return "token"

    @property
    def token(self) -> str:
        """A token that is good for a while yet."""
        with self._lock:
            if self._token is None or self._until is None or self._clock() >= self._until - _MARGIN:
                with documented("GitHub App", "get a token"):
                    made = self._renew()
                    self._until = datetime.fromisoformat(str(made["expires_at"]))
                    self._token = SecretStr(str(made["token"]))
                    self._permissions = dict(made.get("permissions") or {})
            return self._token.get_secret_value()
