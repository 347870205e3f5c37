"""From settings to the notary: who signs how far the journal goes, and which witnesses are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from onboard.errors import BadInput
from onboard.ledger.proof.checkpoints import Notary, Signer, Taken, Witness, take
from onboard.ledger.proof.notary import FileWitness, LocalSigner
from onboard.model import Actor
from onboard.settings import JiraSettings, Settings, SlackSettings
from onboard.wiring import Clock, Purse, Services

if TYPE_CHECKING:
    from onboard.engine.budget import Budget

FILE = "file:"
CHECKPOINT = "onboard ledger checkpoint"
#: From when on a checkpoint is old: the review that takes one runs every night.
OLD = timedelta(days=2)


def vouch(services: Services, actor: Actor) -> Taken:
    """Take a checkpoint of the ledger and publish it. Raises as `checkpoints.take` and `notary`."""
    made = notary(services.settings, services.clock, services.budgets)
    return take(services.ledger.journal, made, actor, services.clock)


def notary(settings: Settings, clock: Clock, budgets: Mapping[str, Budget] | None = None) -> Notary:
    """The signer and the witnesses that the settings name; nobody is asked yet, but for opening a credential.

    Raises BadInput for what is set up wrongly; SystemFailed or Refused where a credential can't be had.
    """
    writing = Purse(settings, clock, "writing", budgets)
    signer = _signer(settings, writing, Purse(settings, clock, "reading", budgets))
    return Notary(signer, tuple(witness(name, settings, writing) for name in settings.checkpoints.witnesses))


def witness_files(settings: Settings) -> list[Path]:
    """The files among the witnesses."""
    return [Path(name.removeprefix(FILE)) for name in settings.checkpoints.witnesses if name.startswith(FILE)]


def local_key(settings: Settings) -> Path:
    """Where the local signing key is: as set, or beside the ledger's own file. Raises BadInput where it has none."""
    if settings.checkpoints.local_key:
        return settings.checkpoints.local_key
    url = settings.ledger_url.get_secret_value()
    if not url.startswith("sqlite"):
        raise BadInput.one(
            "The ledger has no folder to keep a signing key in. Set checkpoints.local_key to a file of your own, or "
            'checkpoints.signer = "vault:transit/onboard-ledger".'
        )
    ledger = Path(url.partition(":///")[2])
    return ledger.with_name(f"{ledger.stem}-checkpoints.pem")


def doubts(settings: Settings, age: timedelta | None) -> Iterator[str]:
    """What weakens the proof: an old checkpoint, a witness that lies where the ledger does. `age`: the last one's."""
    if age and age > OLD:
        yield "the last is old. Have the access review run every night, or run onboard ledger checkpoint."
    url = settings.ledger_url.get_secret_value()
    beside = Path(url.partition(":///")[2]).parent if url.startswith("sqlite") else None
    for file in witness_files(settings):
        if file.parent == beside:
            yield f"{file} lies beside the ledger: whoever can change one can change both. Keep it elsewhere."


def _signer(settings: Settings, writing: Purse, reading: Purse) -> Signer:
    if settings.checkpoints.signer == "local":
        return LocalSigner(local_key(settings))
    from onboard.connectors.vault.api import Vault
    from onboard.connectors.vault.transit import TransitSigner

    mount, _, key = settings.checkpoints.signer.removeprefix("vault:").rpartition("/")
    name, vault = settings.vault

    def client(purse: Purse, *, retry: bool) -> Vault:
        token = purse.vault_token(name, vault)
        return Vault(name, vault.addr, token, vault.namespace, purse.clock, retry=retry, pace=purse.pace(name))

    return TransitSigner(client(reading, retry=True), client(writing, retry=False), mount, key)


def witness(name: str, settings: Settings, purse: Purse, heading: str = CHECKPOINT) -> Witness:
    """Who is told lines under this heading: a file, a channel, an issue. Raises BadInput for anything else."""
    if name.startswith(FILE):
        return FileWitness(Path(name.removeprefix(FILE)))
    system, _, place = name.partition(":")
    match settings.systems.get(system):
        case SlackSettings() as slack:
            from onboard.connectors.slack.api import Slack
            from onboard.connectors.witnesses import SlackWitness

            pace = purse.pace(system)
            bot = purse.open(slack.bot_token)
            return SlackWitness(Slack(system, slack.base_url, bot, purse.clock, retry=False, pace=pace), place, heading)
        case JiraSettings() as jira:
            from onboard.connectors.jira.client import JiraClient
            from onboard.connectors.witnesses import JiraWitness

            token, pace = purse.open(jira.token), purse.pace(system)
            client = JiraClient(system, jira.base_url, jira.email, token, jira.deployment, purse.clock, pace)
            return JiraWitness(client, place)
    raise BadInput.one(
        f"The witness {name} is none: {system} is neither `file` nor a Slack or Jira that is configured."
    )
