"""What the installation is told: `onboard.toml` and the environment, checked together, every problem at once.

The file is the one that `ONBOARD_CONFIG` names, or the nearest `onboard.toml` in the working directory or above it. A
variable wins over the file: `ONBOARD_LEDGER_URL`, `ONBOARD_LIMITS__REMOVALS`, `ONBOARD_MAIL__HOST`,
`ONBOARD_SYSTEMS__NAME__FIELD` (a dash in NAME is typed as an underscore) and, for the four systems that carry the name
of their kind, `ONBOARD_GITHUB__TOKEN`.
A secret stands in the environment, in a file (`ONBOARD_GITHUB__TOKEN_FILE`, or `token_file` in onboard.toml), or in
Vault (`token = "vault:secret/data/onboard/github#token"`); written out in onboard.toml it is refused. A path begins at
the folder of the file that it stands in, or at the working directory if it stands in a variable.

Where the sources come from, and how their problems are told, stands in `sources.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from onboard.errors import BadInput, Problem
from onboard.model import SLUG, Kind
from onboard.sections import (
    VAULT_REFERENCE,
    Alarms,
    Listen,
    Notices,
    Reviews,
    Secret,
    Section,
    Text,
    contents,
    split,
    told,
)

FILE = "onboard.toml"
PREFIX = "ONBOARD_"
#: Hosts that are this machine.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Purpose = Literal["reading", "writing"]


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("expected an address that begins with https:// (or http://)")
    return value.rstrip("/")


def anchored(url: str, folder: Path) -> str:
    """The database URL, a relative path of an SQLite file in it begun at `folder`."""
    scheme, slashes, path = url.partition(":///")
    return f"{scheme}:///{folder / path}" if slashes and scheme.startswith("sqlite") else url


def _ledger(value: object) -> object:
    return anchored(str(contents(value)), value.parent) if isinstance(value, Path) else value


def _signer(value: str) -> str:
    if value != "local" and not re.fullmatch(r"vault:[\w-]+(/[\w-]+)+", value):
        raise ValueError('expected "local", or vault:MOUNT/KEY, like vault:transit/onboard-ledger')
    return value


def _keyring(value: str) -> str:
    if value == "vault":
        return "vault:secret/onboard-people"
    if value != "file" and not re.fullmatch(r"vault:[\w-]+(/[\w-]+)+", value):
        raise ValueError('expected "file", "vault", or vault:MOUNT/FOLDER, like vault:secret/onboard-people')
    return value


Address = Annotated[str, AfterValidator(_address)]
#: slack-sdk joins paths to its addresses, which must end in a slash.
SlashedAddress = Annotated[str, AfterValidator(lambda value: _address(value) + "/")]
Names = Annotated[tuple[str, ...], BeforeValidator(split)]
SystemName = Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]


class _System(Section):
    """What the four kinds share. `protected` names accounts, by handle or by id, that are never changed there.

    `rates` names limits of the vendor's that are other than usual for this tenant; see connectors/limits.py.
    """

    #: The credentials that each purpose needs: alternatives, each a set of fields.
    credentials: ClassVar[Mapping[Purpose, tuple[tuple[str, ...], ...]]] = {
        "reading": (("read_token",),),
        "writing": (("token",),),
    }

    protected: Names = ()
    rates: Mapping[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)

    def lacks(self, purpose: Purpose) -> tuple[tuple[str, ...], ...]:
        """The alternatives of credentials for that purpose, if none of them is there; empty if one is."""
        alternatives = self.credentials[purpose]
        complete = any(all(getattr(self, name) is not None for name in names) for names in alternatives)
        return () if complete else alternatives


class GitHubSettings(_System):
    """A GitHub organisation, by token or as a GitHub App's installation; `private_key` is the App's, in PEM.

    An App that reads is another one than the App that writes: whoever holds an App's key can do all that the App may.
    """

    credentials: ClassVar = {
        "reading": (("read_token",), ("read_app_id", "read_installation_id", "read_private_key")),
        "writing": (("token",), ("app_id", "installation_id", "private_key")),
    }

    kind: Literal[Kind.GITHUB]
    org: Text
    base_url: Address = "https://api.github.com"
    token: Secret | None = None
    app_id: int | None = None
    installation_id: int | None = None
    private_key: Secret | None = None
    read_token: Secret | None = None
    read_app_id: int | None = None
    read_installation_id: int | None = None
    read_private_key: Secret | None = None

    @model_validator(mode="after")
    def _a_token_or_an_app(self) -> GitHubSettings:
        for prefix in ("", "read_"):
            named = [name for name in ("app_id", "installation_id", "private_key") if getattr(self, prefix + name)]
            if named and getattr(self, f"{prefix}token"):
                raise ValueError(f"{prefix}token and {prefix}{named[0]} are two credentials: leave out one of them")
        if self.app_id is not None and self.app_id == self.read_app_id:
            raise ValueError("app_id and read_app_id are the same App, which can write: read by another one")
        return self


class JiraSettings(_System):
    """A Jira site. On Cloud a token belongs to an e-mail address; `read_email` is `email` unless given."""

    kind: Literal[Kind.JIRA]
    base_url: Address
    email: str = ""
    read_email: str = ""
    deployment: Literal["cloud", "data-center"] = "cloud"
    token: Secret | None = None
    read_token: Secret | None = None

    @model_validator(mode="after")
    def _cloud_wants_an_email(self) -> JiraSettings:
        if self.deployment == "cloud" and not self.email:
            raise ValueError("Jira Cloud wants the e-mail address that the token belongs to: set email")
        return self


class SlackSettings(_System):
    """A Slack workspace. Without `admin_token` (SCIM) accounts can't be deactivated there by us.

    `read_admin_token` is an administrator's that can't write (admin.users:read): with it sessions can be read, where
    the plan has them.
    """

    credentials: ClassVar = {"reading": (("read_token",),), "writing": (("bot_token",),)}

    kind: Literal[Kind.SLACK]
    base_url: SlashedAddress = "https://slack.com/api/"
    scim_base_url: SlashedAddress = "https://api.slack.com/scim/v1/"
    bot_token: Secret | None = None
    admin_token: Secret | None = None
    read_token: Secret | None = None
    read_admin_token: Secret | None = None


class VaultSettings(_System):
    """A Vault or OpenBao, by token or by AppRole; `login_mount` is the auth mount that people log in at."""

    credentials: ClassVar = {
        "reading": (("read_token",), ("read_role_id", "read_secret_id")),
        "writing": (("token",), ("role_id", "secret_id")),
    }

    kind: Literal[Kind.VAULT]
    addr: Address
    namespace: str | None = None
    login_mount: Text = "userpass"
    token: Secret | None = None
    role_id: str | None = None
    secret_id: Secret | None = None
    read_token: Secret | None = None
    read_role_id: str | None = None
    read_secret_id: Secret | None = None

    @model_validator(mode="after")
    def _keys_lie_outside(self) -> VaultSettings:
        secrets = (self.token, self.secret_id, self.read_token, self.read_secret_id)
        if any(secret and secret.get_secret_value().startswith(VAULT_REFERENCE) for secret in secrets):
            raise ValueError("a credential for Vault can't be kept in Vault: use the environment or a file")
        return self


SystemSettings = Annotated[GitHubSettings | JiraSettings | SlackSettings | VaultSettings, Field(discriminator="kind")]
BY_KIND: Mapping[str, type[_System]] = {
    "github": GitHubSettings,
    "jira": JiraSettings,
    "slack": SlackSettings,
    "vault": VaultSettings,
}


class Limits(Section):
    """From where on a plan's removals on one system are a hazard that somebody has to accept by name.

    More than `removals` of them, or, from `fraction_from` on, more than `fraction` of what those in scope hold there.
    """

    removals: int = Field(default=25, ge=0)
    fraction: float = Field(default=0.5, ge=0, le=1)
    fraction_from: int = Field(default=10, ge=0)


class MailSettings(Section):
    """The mail server that one-time codes are sent by. `port` is 587, or 465 with `tls = "implicit"`, unless given.

    `tls` is "starttls", "implicit" or "none": in the clear nothing is sent to another machine, and no password at all.
    """

    host: Text
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    port: int = Field(default=0, ge=0, le=65535)
    username: str | None = None
    password: Secret | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"

    @model_validator(mode="after")
    def _nothing_secret_in_the_clear(self) -> MailSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("a login at the mail server is both: set username and password, or neither")
        if self.tls == "none" and (self.password or self.host not in LOOPBACK):
            raise ValueError('tls = "none" is for a server on this machine that wants no password')
        return self


class Tasks(Section):
    """What people have to do by hand where no system lets us: `due_days` is how many days they have for it."""

    due_days: int = Field(default=2, ge=0)


class Approvals(Section):
    """How long things wait for people: an approval that isn't spent counts for `expires_days`, and what nobody approved
    for `escalate_after_days` is overdue, so that those may approve whom the rules of authority name for that.
    """

    expires_days: int = Field(default=14, ge=1)
    escalate_after_days: int = Field(default=3, ge=0)


class Retention(Section):
    """For how many days personal data is kept, by what it is kept for; 0 keeps it until somebody erases it.

    `left_days`: everything about a person, from the day on which they left or were cut off. `notes_days`: free text,
    such as a justification. The nightly review applies it.
    """

    left_days: int = Field(default=0, ge=0)
    notes_days: int = Field(default=0, ge=0)


class LedgerSettings(Section):
    """Where people's keys are kept, apart from the database.

    `keyring`: "file", one that is this machine's (`keyring_file`, beside the ledger's own file unless given), or
    "vault", Vault's key-value engine (version 2); "vault:MOUNT/FOLDER" where that isn't secret/onboard-people.
    """

    keyring: Annotated[str, AfterValidator(_keyring)] = "file"
    keyring_file: Path | None = None


class Checkpoints(Section):
    """Who signs how far the journal goes, and who is told.

    `signer`: "local", an ed25519 key in the file `local_key` (beside the ledger's own file unless given), or
    "vault:MOUNT/KEY", a key of Vault's transit engine. `witnesses`: "file:PATH", "SYSTEM:CHANNEL" for a Slack and
    "SYSTEM:ISSUE" for a Jira.
    """

    signer: Annotated[str, AfterValidator(_signer)] = "local"
    local_key: Path | None = None
    witnesses: Annotated[tuple[Annotated[str, AfterValidator(told)], ...], BeforeValidator(split)] = ()


class Settings(BaseSettings):
    """The whole of it."""

    model_config = SettingsConfigDict(
        frozen=True, hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False
    )

    systems: Mapping[SystemName, SystemSettings] = Field(default_factory=dict)
    ledger_url: Annotated[SecretStr, BeforeValidator(_ledger)]
    policies: DirectoryPath | None = None
    limits: Limits = Limits()
    tasks: Tasks = Tasks()
    review: Reviews = Reviews()
    approvals: Approvals = Approvals()
    retention: Retention = Retention()
    ledger: LedgerSettings = LedgerSettings()
    checkpoints: Checkpoints = Checkpoints()
    mail: MailSettings | None = None
    notices: Notices = Notices()
    alarms: Alarms = Alarms()
    listen: Listen = Listen()

    @classmethod
    def settings_customise_sources(cls, *_: Any, **given: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources that the constructor is given, and no others: never the process's own environment."""
        sources: tuple[PydanticBaseSettingsSource, ...] = given["init_settings"]().get("sources", ())
        return sources

    @classmethod
    def load(cls, environment: Mapping[str, str], directory: Path | None = None) -> Settings:
        """The settings that hold in `directory` (the working directory unless given) with these variables.

        Raises BadInput with every problem at once.
        """
        from onboard.sources import load

        return load(environment, directory or Path.cwd())

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of every system that policy may name: those configured, and the default four."""
        return {kind.value: kind for kind in Kind} | {name: system.kind for name, system in self.systems.items()}

    @property
    def vault(self) -> tuple[str, VaultSettings]:
        """The Vault that people log in to and that keeps secrets: the one named vault, or the only one.

        Raises BadInput where there is none, or several with other names.
        """
        vaults = {name: system for name, system in self.systems.items() if isinstance(system, VaultSettings)}
        name = "vault" if "vault" in vaults or len(vaults) != 1 else next(iter(vaults))
        if name not in vaults:
            raise BadInput.one(
                "No Vault is configured. Add [systems.vault] to onboard.toml, or set ONBOARD_VAULT__ADDR."
            )
        return name, vaults[name]

    def require(self, purpose: Purpose) -> None:
        """Raise BadInput unless every system has the credentials for that purpose; neither stands in for the other."""
        problems = [
            Problem("", 0, lacking(name, purpose, alternatives))
            for name, system in self.systems.items()
            if (alternatives := system.lacks(purpose))
        ]
        if problems:
            raise BadInput(problems)


def variable(system: str, field: str) -> str:
    """The environment variable of a field of a system, or of a section that holds secrets."""
    short = system if system in BY_KIND or system in ("mail", "listen") else f"systems__{system.replace('-', '_')}"
    return f"{PREFIX}{short}__{field}".upper()


def lacking(name: str, purpose: Purpose, alternatives: Iterable[tuple[str, ...]]) -> str:
    """Say that a system has none of these alternatives of credentials, and how to give it one."""
    ways = ", or ".join(" and ".join(variable(name, field) for field in fields) for fields in alternatives)
    hint = " A credential for writing is never used to read." if purpose == "reading" else ""
    return f"{name} has no credential for {purpose}. Set {ways} (or the same with _FILE).{hint}"
