"""From settings to collaborators: the only place that builds clients, and the only one that opens a secret.

What reads and what writes is built from different credentials. A system whose client can't be built (its credential is
in a Vault that doesn't answer, say) takes part as one that fails with that reason, so that the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from onboard.connectors.base import Reader, Writer
from onboard.connectors.limits import limits_of
from onboard.connectors.pacing import UNPACED, Limit, Pace
from onboard.connectors.unavailable import UnavailableReader, UnavailableWriter
from onboard.errors import BadInput, OnboardError, Problem, Refused, SystemFailed, SystemRefused
from onboard.model import Kind
from onboard.sections import VAULT_REFERENCE
from onboard.settings import (
    GitHubSettings,
    JiraSettings,
    Purpose,
    Settings,
    SlackSettings,
    SystemSettings,
    VaultSettings,
    lacking,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

    from onboard.connectors.github.app import AppInstallation
    from onboard.connectors.mail import Mailer
    from onboard.engine.budget import Budget
    from onboard.ledger import Ledger
    from onboard.ledger.readings import Readings
    from onboard.policy.catalogue import Policy

Clock = Callable[[], datetime]
Say = Callable[[str], None]
_Client = TypeVar("_Client")


@dataclass(frozen=True)
class Services:
    """Everything that the rooms above are handed. It holds no credential that could change a system.

    `budgets` are the systems' limits, which readers and writers spend from together with every other worker's.
    `fallen_back`: the policies' folder can't be read, and `policy` is not what stands there but what this says.
    """

    settings: Settings
    ledger: Ledger
    policy: Policy
    readers: Mapping[str, Reader]
    clock: Clock
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    fallen_back: str | None = None

    def close(self) -> None:
        """Give back what isn't spent, and close the ledger."""
        try:
            for budget in self.budgets.values():
                budget.close()
        finally:
            self.ledger.close()

    def writers(self) -> Mapping[str, Writer]:
        """By system, built now, from the credentials for writing. Only what applies calls this.

        A system without them is here too: each call to it raises SystemRefused, saying which setting is missing.
        """
        return writers(self.settings, self.clock, self.budgets)

    def policy_revision(self) -> str | None:
        """The git commit that the policies in force are, where they stand in git unchanged."""
        from onboard.policy.files.revision import revision_of

        return revision_of(self.settings.policies or starter_policies())

    def mailer(self) -> Mailer | None:
        """What sends mail; None where no mail server is configured. Raises as opening its password does."""
        mail = self.settings.mail
        if mail is None:
            return None
        from onboard.connectors.mail import Mailer

        password = Purse(self.settings, self.clock, "reading").open(mail.password) if mail.password else None
        return Mailer(mail.host, mail.sender, mail.port, mail.tls, mail.username, password)

    def vault_identity(self, token: SecretStr) -> tuple[str, str]:
        """Whom somebody's own Vault token speaks for: the Vault's system name and the entity's id.

        Raises NotAuthorised where the token isn't valid or names nobody, SystemFailed, and BadInput without a Vault.
        """
        from onboard.connectors.vault.login import whoami

        name, vault = self.settings.vault
        return name, whoami(vault.addr, token, vault.namespace, clock=self.clock)


def build(settings: Settings, clock: Clock, say: Say, *, regardless: bool = False) -> Services:
    """Open the ledger, load the policy, build the readers. Raises BadInput where one of them is set up wrongly.

    `say` gets a line for people where something has to wait for a vendor's limit. `regardless`: where the policies
    can't be read, the ones last in force hold, so that nobody's removal waits for a typing error.
    """
    settings.require("reading")
    limits(settings)
    ledger = open_ledger(settings, clock)
    policy, fallen_back = in_force(settings, ledger, say) if regardless else (load_policy(settings), None)
    shared = budgets(settings, ledger, clock, say)
    return Services(settings, ledger, policy, readers(settings, clock, shared, ledger), clock, shared, fallen_back)


def limits(settings: Settings) -> dict[str, dict[str, Limit]]:
    """Every system's limits by name. Raises BadInput for each rate in the settings that is none of them."""
    problems: list[Problem] = []
    found: dict[str, dict[str, Limit]] = {}
    for name, system in settings.systems.items():
        address = system.addr if isinstance(system, VaultSettings) else system.base_url
        found[name] = limits_of(system.kind, address, system.rates)
        known = f"Known are {', '.join(sorted(found[name]))}."
        problems += [
            Problem("", 0, f"systems.{name}.rates.{rate} is no limit of {system.kind}. {known}")
            for rate in system.rates.keys() - found[name].keys()
        ]
    if problems:
        raise BadInput(problems)
    return found


def budgets(
    settings: Settings, ledger: Ledger, clock: Clock, say: Say, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Budget]:
    """The budget of every system, shared by all workers on that ledger. Raises BadInput as `limits`.

    `clock` gives real time, as the vendors count.
    """
    from onboard.engine.budget import Budget
    from onboard.ledger.budgets import Budgets

    shared = Budgets(ledger.database)
    return {name: Budget(name, its, shared, clock, sleep, say) for name, its in limits(settings).items()}


def open_ledger(settings: Settings, clock: Clock) -> Ledger:
    """The ledger that the settings name. Raises BadInput where none is there, SystemFailed where it doesn't answer."""
    from onboard.keyrings import keyring
    from onboard.ledger import Ledger

    return Ledger.open(settings.ledger_url.get_secret_value(), clock, keyring(settings, clock))


def begin_ledger(settings: Settings, clock: Clock) -> Ledger:
    """The same, a new one begun where there is none."""
    from onboard.keyrings import keyring
    from onboard.ledger import Ledger

    return Ledger.begin(settings.ledger_url.get_secret_value(), clock, keyring(settings, clock))


def upgrade_ledger(settings: Settings, clock: Clock) -> tuple[str, str]:
    """Bring an older ledger up to date, and people's keys into the keyring; returns its shape before, and where it is.

    Raises as `open_ledger`, and SystemFailed where the keyring can't be used.
    """
    from onboard.ledger.storage.database import Database

    shape = Database.upgraded(settings.ledger_url.get_secret_value())
    with closing(open_ledger(settings, clock)) as ledger:
        ledger.keys.ready()
    return shape


def load_policy(settings: Settings) -> Policy:
    """The policies in force: the configured folder, or the starter policies. Raises BadInput with every problem."""
    from onboard.policy import catalogue
    from onboard.policy.files.standby import completed

    shipped = starter_policies()
    return completed(catalogue.load(settings.policies or shipped, settings.kinds), shipped)


def in_force(settings: Settings, ledger: Ledger, say: Say) -> tuple[Policy, str | None]:
    """The policies as configured; where they can't be read those last in force, and a line that says so."""
    from onboard.policy.files.standby import standby

    try:
        return load_policy(settings), None
    except BadInput as broken:
        hashes = [entry.body["hash"] for entry in ledger.journal.salvaged() if entry.kind == "policy"]
        policy = standby(ledger.bundles.get(hashes[-1]) if hashes else None, starter_policies(), settings.kinds)
        named = "the ones last in force" if hashes else "those that onboard ships"
        told = f"The policies can't be read, so {named} ({policy.hash[:7]}) hold for this."
        say(f"{told} Correct them:\n{broken}")
        return policy, told


def starter_policies() -> Path:
    """The folder of policies that comes with onboard: inside the wheel, or at the top of a checkout."""
    import onboard

    package = Path(onboard.__file__).parent
    packaged = package / "policies"
    return packaged if packaged.is_dir() else package.parents[1] / "policies"


def readers(
    settings: Settings, clock: Clock, budgets: Mapping[str, Budget] | None = None, ledger: Ledger | None = None
) -> dict[str, Reader]:
    """The reader of every system; where one can't be built, one by which everything is unknown.

    Without budgets nobody counts what is called; without a ledger each process finds out anew what it may read in turn.
    """
    purse = Purse(settings, clock, "reading", budgets, ledger)
    return {name: _or(UnavailableReader, _reader, name, system, purse) for name, system in settings.systems.items()}


def writers(settings: Settings, clock: Clock, budgets: Mapping[str, Budget] | None = None) -> dict[str, Writer]:
    """The writer of every system; where one can't be built, one that refuses every call with the reason."""
    purse = Purse(settings, clock, "writing", budgets)
    return {name: _or(UnavailableWriter, _writer, name, system, purse) for name, system in settings.systems.items()}


class Purse:
    """Opens secrets for one purpose, logging in to Vault at most once: an AppRole's secret id may be single-use."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        purpose: Purpose,
        budgets: Mapping[str, Budget] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.clock = clock
        self.purpose: Purpose = purpose
        self._settings = settings
        self._budgets = budgets or {}
        self._ledger = ledger
        self._tokens: dict[str, SecretStr] = {}

    def pace(self, name: str) -> Pace:
        """What clients of that system ask before each call."""
        budget = self._budgets.get(name)
        return budget.paced(self.purpose) if budget else UNPACED

    def memory(self, name: str) -> Readings | None:
        """Where it is kept what of that system was read when; None for in this process only."""
        from onboard.ledger.readings import Readings

        return Readings(self._ledger.database, name) if self._ledger else None

    def open(self, secret: SecretStr | None) -> SecretStr:
        """The secret itself, fetched from Vault where it is a reference. Raises SystemFailed, Refused, BadInput."""
        if secret is None:
            raise OnboardError("a credential was asked for that the settings don't hold")
        text = secret.get_secret_value()
        if not text.startswith(VAULT_REFERENCE):
            return secret
        path, _, field = text.removeprefix(VAULT_REFERENCE).partition("#")
        name, vault = self._settings.vault
        return _fetch(name, vault, self.vault_token(name, vault), path, field, self.clock)

    def vault_token(self, name: str, vault: VaultSettings) -> SecretStr:
        """The token to work with on that Vault: as given, or by logging in with the AppRole."""
        reads = self.purpose == "reading"
        token = vault.read_token if reads else vault.token
        if name not in self._tokens and token is None:
            from onboard.connectors.vault.login import vault_login

            role, secret = (vault.read_role_id, vault.read_secret_id) if reads else (vault.role_id, vault.secret_id)
            if role is None or secret is None:
                raise BadInput.one(lacking(name, self.purpose, vault.lacks(self.purpose)))
            self._tokens[name] = vault_login(vault.addr, role, secret, vault.namespace, clock=self.clock)
        return token or self._tokens[name]


def _fetch(name: str, vault: VaultSettings, token: SecretStr, path: str, field: str, clock: Clock) -> SecretStr:
    """One field of a secret, of KV 2 or 1 (GET /v1/PATH)."""
    from pydantic import SecretStr

    from onboard.connectors.vault.api import Vault

    client = Vault(name, vault.addr, token, vault.namespace, clock, retry=True)
    answer = client.find(f"read the secret {path}", lambda c: c.adapter.get(url=f"/v1/{path}"))
    data = answer.data if answer else {}
    fields = data["data"] if isinstance(data.get("data"), dict) else data
    value = fields.get(field)
    if not isinstance(value, str) or not value:
        raise SystemRefused(
            name, f"the secret {path} has no text in the field {field}. Put it there, or correct the reference."
        )
    return SecretStr(value)


def _reader(name: str, system: SystemSettings, purse: Purse) -> Reader:
    clock, pace = purse.clock, purse.pace(name)
    match system:
        case GitHubSettings():
            from onboard.connectors.github.reader import GitHubReader

            credential = _github_credential(system, purse)
            return GitHubReader(name, system.base_url, system.org, credential, clock, pace, purse.memory(name))
        case JiraSettings():
            from onboard.connectors.jira.reader import JiraReader

            email = system.read_email or system.email
            return JiraReader(
                name, system.base_url, email, purse.open(system.read_token), system.deployment, clock, pace
            )
        case SlackSettings():
            from onboard.connectors.slack.reader import SlackReader

            admin = purse.open(system.read_admin_token) if system.read_admin_token else None
            return SlackReader(name, system.base_url, purse.open(system.read_token), clock, pace, admin_token=admin)
        case VaultSettings():
            from onboard.connectors.vault.reader import VaultReader

            token = purse.vault_token(name, system)
            return VaultReader(name, system.addr, token, system.namespace, clock, system.login_mount, pace)


def _writer(name: str, system: SystemSettings, purse: Purse) -> Writer:
    clock, pace = purse.clock, purse.pace(name)
    match system:
        case GitHubSettings():
            from onboard.connectors.github.writer import GitHubWriter

            return GitHubWriter(name, system.base_url, system.org, _github_credential(system, purse), clock, pace)
        case JiraSettings():
            from onboard.connectors.jira.writer import JiraWriter

            return JiraWriter(
                name, system.base_url, system.email, purse.open(system.token), system.deployment, clock, pace
            )
        case SlackSettings():
            from onboard.connectors.slack.writer import SlackWriter

            admin = purse.open(system.admin_token) if system.admin_token else None
            bot = purse.open(system.bot_token)
            return SlackWriter(name, system.base_url, bot, admin, system.scim_base_url, clock, pace)
        case VaultSettings():
            from onboard.connectors.vault.writer import VaultWriter

            token = purse.vault_token(name, system)
            return VaultWriter(name, system.addr, token, system.namespace, clock, system.login_mount, pace)


def _github_credential(system: GitHubSettings, purse: Purse) -> AppInstallation | SecretStr:
    """The token, or the App as installed, that the settings name for the purse's purpose."""
    from onboard.connectors.github.app import AppInstallation

    if purse.purpose == "reading":
        token, app, installation, key = (
            system.read_token,
            system.read_app_id,
            system.read_installation_id,
            system.read_private_key,
        )
    else:
        token, app, installation, key = system.token, system.app_id, system.installation_id, system.private_key
    if app is None or installation is None or token is not None:
        return purse.open(token)
    return AppInstallation(app, installation, purse.open(key))


def _or(
    unavailable: Callable[[str, Kind, str, Clock], _Client],
    make: Callable[[str, SystemSettings, Purse], _Client],
    name: str,
    system: SystemSettings,
    purse: Purse,
) -> _Client:
    purpose = purse.purpose
    if alternatives := system.lacks(purpose):
        return unavailable(name, system.kind, lacking(name, purpose, alternatives), purse.clock)
    try:
        return make(name, system, purse)
    except (SystemFailed, Refused) as failure:
        return unavailable(name, system.kind, f"its credential for {purpose} can't be had: {failure}", purse.clock)
