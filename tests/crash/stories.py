"""What is disturbed: every lifecycle command there is, each from where it makes the most difference."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from pydantic import SecretStr
from typer.testing import CliRunner

from onboard.adopt.owning import adopt
from onboard.cli.main import app
from onboard.errors import Refused
from onboard.ledger import records
from onboard.ledger.privacy.answers import Answers
from onboard.ledger.projections.delegations import teams_loaded
from onboard.lifecycle import (
    answers,
    approvals,
    delegates,
    discovery,
    erasure,
    extras,
    facts,
    gates,
    nightly,
    notices,
    offboarding,
    proving,
    tasks,
)
from onboard.lifecycle.extras import Ask
from onboard.lifecycle.proposing import bind_everybody
from onboard.lifecycle.ramp_up import ramp_up
from onboard.lifecycle.reconciling import reconcile
from onboard.lifecycle.role_change import change_role
from onboard.model import OPERATOR, SCHEDULER, Phase, Proof
from onboard.policy.catalogue import Policy
from onboard.review.access import review
from onboard.sections import Notices
from onboard.settings import Retention
from tests.cli.house import write_manifest
from tests.crash.laboratory import Scene, Story
from tests.world import IDS, Clock, World

#: A rule by which discovery waits for nobody.
READING = """
@id("reading-in-discovery") @because("It is what discovery is for") @owner("team-platform")
permit (principal, action == Action::"pre_approve", resource) when { context.rank == 0 };
"""

MARTA, JONAS, ADA = IDS["marta"], IDS["jonas"], IDS["ada"]
#: What is asked for beside a role.
MORE = Ask("github:repo:acme/payments-api", "push", timedelta(minutes=30), "a fix")

# What is so before


def signed(world: World) -> None:
    world.signed("marta", "nda_signed", "security_training")


def started(world: World) -> None:
    world.start("marta")


def proposed(world: World) -> dict[str, str]:
    world.standing("marta", Phase.FULL_OPERATION)
    (part,) = world.reconcile("marta").open
    return {"digest": part.digest, "token": world.login("ada").get_secret_value()}


def asked(world: World) -> dict[str, str]:
    """Marta's plan waits for Ada, whose Slack account is shown to be hers."""
    world.standing("marta")
    (part,) = world.reconcile("marta").open
    bind_everybody(world.services, OPERATOR)
    account = world.register.bindings(ADA)["slack"].account
    world.note(records.account_proven(ADA, account, "slack", Proof.WORK_EMAIL))
    return {"digest": part.digest, "user": str(world.sandbox.person("ada").slack["id"])}


def approved_by_one(world: World) -> dict[str, str]:
    left = proposed(world)
    world.approve(left["digest"], "piet")
    return left


def approved(world: World) -> dict[str, str]:
    left = proposed(world)
    world.approve(left["digest"], "ada")
    world.approve(left["digest"], "piet")
    return left


def discovered(world: World) -> None:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    world.signed("marta", "security_training")
    world.note(records.happened("knowledge_transfer_done", MARTA, engagement="payments"))


def ramping_up(world: World) -> None:
    world.onboarded("marta", phase=Phase.RAMP_UP)
    world.note(*(records.happened(name, MARTA, engagement="payments") for name in ("first_merge", "ramp_up_review")))


def onboarded(world: World) -> None:
    world.onboarded("marta", phase=Phase.FULL_OPERATION)
    world.login("marta")


def stepped_back(world: World) -> None:
    onboarded(world)
    world.note(records.advanced(MARTA, "payments", Phase.RAMP_UP))


def logged_in(world: World) -> dict[str, str]:
    token, until = world.login("ada"), world.today + timedelta(days=30)
    approvals.authenticate(world.services, token)
    return {"token": token.get_secret_value(), "until": until.isoformat()}


def owned(world: World) -> None:
    """Marta has started, and somebody gives the word of the team that owns the rule."""
    world.note(teams_loaded({"team-platform": (IDS["lena"],)}))
    world.standing("marta")


def invited(world: World) -> None:
    world.standing("marta", Phase.FULL_OPERATION)
    world.granted(world.reconcile("marta"))


def at_work_before(world: World) -> None:
    """Somebody gave Marta what policy gives her, before onboard did."""
    world.standing("marta", Phase.FULL_OPERATION)
    world.repository("payments-api").add_to_collaborators(world.login_of("marta"), "push")
    bind_everybody(world.services, OPERATOR)


def in_two_engagements(world: World) -> None:
    onboarded(world)
    world.load("reporting", marta="data-engineer")
    world.onboarded("marta", phase=Phase.RAMP_UP, engagement="reporting")


def wrongly_offboarded(world: World) -> dict[str, str]:
    onboarded(world)
    offboarding.offboard(world.services, MARTA, None, OPERATOR)
    return {"token": world.login("ada").get_secret_value()}


def offboarded(world: World) -> dict[str, str]:
    onboarded(world)
    report = offboarding.offboard(world.services, MARTA, None, OPERATOR)
    return {"task": report.tally.open[0].id}


def lapsed(world: World) -> None:
    world.onboarded("marta", "jonas", phase=Phase.RAMP_UP)
    world.signed("marta", "nda_signed", until=world.today - timedelta(days=1))


def both(world: World) -> None:
    world.onboarded("marta", "jonas", phase=Phase.RAMP_UP)


def claimed(world: World) -> dict[str, str]:
    """Marta's account on GitHub is bound, and she was told a code."""
    world.start("marta")
    account = proving.account_of(world.services, MARTA, "github", OPERATOR)
    return {"code": proving.ask(world.services, account).code or ""}


def dead_and_gone(world: World) -> None:
    world.start("marta")
    offboarding.offboard(world.services, MARTA, None, OPERATOR)


def manifests(world: World) -> None:
    """Marta has started, and a manifest that no longer names her is about to be loaded."""
    ids = {name: IDS[name] for name in ("ada", "piet", "viktor", "lena", "marta", "jonas")}
    folder = world.database.parent
    text = write_manifest(folder, ids).read_text()
    cli(folder, world.sandbox.env, "engagement", "load", "payments.yaml")
    onboarded(world)
    without = [line for line in text.splitlines() if MARTA not in line and line.strip() != "rota:"]
    (folder / "payments.yaml").write_text("\n".join(without))


def bound(world: World) -> None:
    bind_everybody(world.services, OPERATOR)


def in_discovery(world: World) -> dict[str, str]:
    world.onboarded("marta", phase=Phase.DISCOVERY)
    return {"token": world.login("marta").get_secret_value()}


def with_more(world: World) -> None:
    """Marta was granted something beside her role, half an hour of which is over when the story begins."""
    in_discovery(world)
    world.granted(extras.request(world.services, MARTA, MORE, world.actor("marta"))[1])


def asked_for_more(world: World) -> dict[str, int | str]:
    """Marta asked for something beside her role, and nobody gave their word yet."""
    left = in_discovery(world)
    extra, _ = extras.request(world.services, MARTA, replace(MORE, lasting=timedelta(hours=4)), world.actor("marta"))
    return {**left, "entry": extra.entry}


def handed_over(world: World) -> dict[str, str]:
    left = logged_in(world)
    until = date.fromisoformat(left["until"])
    delegates.add(world.services, ADA, IDS["lena"], until, None, world.actor("ada"))
    return left


def held_on_to(world: World) -> None:
    erasure.hold(world.services, MARTA, "case 4711", OPERATOR)


def nobody(_: World) -> None:
    """Just the people and their engagement."""


# What is done


def cli(folder: Path, env: Mapping[str, str], *words: str) -> int:
    """What a command typed in that folder ends with."""
    url = {"ONBOARD_LEDGER_URL": f"sqlite:///{folder / 'onboard.db'}"}
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, list(words), env={**env, **url})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code


def load(scene: Scene) -> int:
    return cli(scene.folder, scene.env, "engagement", "load", "payments.yaml")


def change_handle(scene: Scene) -> int:
    return cli(scene.folder, scene.env, "person", "set", IDS["ada"], "--github", "octo-admin")


def enter(scene: Scene) -> int:
    them = ("--email", "mallory@elsewhere.example", "--github", "mallory")
    return cli(scene.folder, scene.env, "person", "add", "Mallory Moss", *them)


def import_roster(scene: Scene) -> int:
    """Two who are new, and Marta under another handle."""
    new = [f"{name},{name.lower()}@nordwind.example,{name.lower()}-nw" for name in ("Mallory", "Olga")]
    lines = ["name,email,github", *new, "Marta Kowalska,marta@nordwind.example,marta-nw2"]
    (scene.folder / "roster.csv").write_text("\n".join(lines))
    return cli(scene.folder, scene.env, "person", "import", "roster.csv")


def checkpoint(scene: Scene) -> int:
    told = {"ONBOARD_CHECKPOINTS__WITNESSES": f"file:{scene.folder / 'witness.jsonl'}"}
    return cli(scene.folder, {**scene.env, **told}, "ledger", "checkpoint")


def bind(scene: Scene) -> int:
    bind_everybody(scene.services, OPERATOR)
    return 0


def prove(scene: Scene) -> int:
    return cli(scene.folder, scene.env, "person", "confirm", MARTA, "--system", "github", "--code", scene.left["code"])


def erase(scene: Scene) -> int:
    erasure.erase(scene.services, MARTA, OPERATOR)
    return 0


def hold(scene: Scene) -> int:
    return cli(scene.folder, scene.env, "person", "hold", MARTA, "--because", "case 4711")


def release(scene: Scene) -> int:
    erasure.release(scene.services, MARTA, OPERATOR)
    return 0


def retain(scene: Scene) -> int:
    """Three months later, where nothing is kept for longer than one."""
    settings = scene.services.settings.model_copy(update={"retention": Retention(left_days=30)})
    erasure.retain(replace(scene.services, settings=settings, clock=Clock(timedelta(days=90))), SCHEDULER)
    return 0


def start(scene: Scene) -> int:
    return discovery.start(scene.services, MARTA, None, OPERATOR).exit_code


def start_everyone(scene: Scene) -> int:
    return discovery.start_everyone(scene.services, "payments", OPERATOR).exit_code


def record(scene: Scene) -> int:
    return facts.record(scene.services, MARTA, "nda_signed", OPERATOR).exit_code


def delegate(scene: Scene) -> int:
    """What the sponsor types."""
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    delegates.add(scene.services, ADA, IDS["lena"], date.fromisoformat(scene.left["until"]), None, actor)
    return 0


def end_delegation(scene: Scene) -> int:
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    delegates.end(scene.services, ADA, IDS["lena"], actor)
    return 0


def by_rule(scene: Scene) -> int:
    """Reconcile where a rule pre-approves what discovery gives."""
    files = {**scene.services.policy.files, "authority/own.cedar": READING}
    policy = Policy.from_files(files, scene.services.settings.kinds)
    return reconcile(replace(scene.services, policy=policy), [MARTA], OPERATOR).exit_code


def approve_and_apply(scene: Scene) -> int:
    """What the sponsor types: approve with her login, then apply, whatever approving says."""
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    with contextlib.suppress(Refused):
        approvals.approve(scene.services, scene.left["digest"], actor)
    return approvals.apply_digest(scene.services, scene.left["digest"], OPERATOR).exit_code


def refuse(scene: Scene) -> int:
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    approvals.refuse(scene.services, scene.left["digest"], actor)
    return 0


def answer(scene: Scene) -> int:
    """Ada is asked in Slack, presses her button once, and it is carried out."""
    settings = scene.services.settings.model_copy(update={"notices": Notices(slack="slack")})
    services = replace(scene.services, settings=settings)
    notices.tell(services)
    said = answers.Said(
        "1" * 40, "slack", scene.left["user"], scene.left["digest"], "approve", (), services.clock(), "reply"
    )
    answers.accept(services.ledger, said)
    answers.work_off(services, lambda _where, _text: None)
    return 5 if notices.tell(services).failed or Answers(services.ledger).open() else 0


def apply(scene: Scene) -> int:
    return approvals.apply_digest(scene.services, scene.left["digest"], OPERATOR).exit_code


def again(scene: Scene) -> int:
    return reconcile(scene.services, [MARTA], OPERATOR).exit_code


def advance(scene: Scene) -> int:
    return gates.advance(scene.services, MARTA, None, OPERATOR).exit_code


def into_full_operation(scene: Scene) -> int:
    return ramp_up(scene.services, MARTA, None, OPERATOR).exit_code


def take_on(scene: Scene) -> int:
    return len(adopt(scene.services, [MARTA], OPERATOR).unknown)


def to_quality(scene: Scene) -> int:
    return change_role(scene.services, MARTA, None, "qa-engineer", OPERATOR).exit_code


def leave(scene: Scene) -> int:
    return offboarding.offboard(scene.services, MARTA, None, OPERATOR).exit_code


def leave_one(scene: Scene) -> int:
    return offboarding.offboard(scene.services, MARTA, "payments", OPERATOR).exit_code


def sponsor_leaves(scene: Scene) -> int:
    return offboarding.offboard(scene.services, ADA, None, OPERATOR).exit_code


def cut_off(scene: Scene) -> int:
    return offboarding.cut_off(scene.services, MARTA, OPERATOR).exit_code


def cut_off_vendor(scene: Scene) -> int:
    return offboarding.cut_off_vendor(scene.services, "nordwind", OPERATOR).exit_code


def finish_task(scene: Scene) -> int:
    proof = scene.folder / "proof.txt"
    proof.write_text("deactivated by hand")
    tasks.done(scene.services, scene.left["task"], proof, OPERATOR)
    return 0


def restore(scene: Scene) -> int:
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    report = offboarding.restore(scene.services, MARTA, actor)
    return approvals.approve_and_apply(scene.services, report, actor).exit_code


def request(scene: Scene) -> int:
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    return extras.request(scene.services, MARTA, MORE, actor)[1].exit_code


def withdraw(scene: Scene) -> int:
    actor = approvals.authenticate(scene.services, SecretStr(scene.left["token"]))
    return extras.withdraw(scene.services, scene.left["entry"], actor).exit_code


def break_glass(scene: Scene) -> int:
    """Where a rule lets Marta; its owner is the sponsor."""
    rule = f'@id("glass") @because("b") @owner("{ADA}") permit (principal, action == Action::"break_glass", resource);'
    files = {**scene.services.policy.files, "authority/glass.cedar": rule}
    services = replace(scene.services, policy=Policy.from_files(files, scene.services.settings.kinds))
    actor = approvals.authenticate(services, SecretStr(scene.left["token"]))
    return extras.break_glass(services, MARTA, MORE, actor)[1].exit_code


def sweep(scene: Scene) -> int:
    report = extras.sweep(scene.services, SCHEDULER).report
    return report.exit_code if report else 0


def by_night(scene: Scene) -> int:
    nightly.correct(scene.services, SCHEDULER)
    return review(scene.services, SCHEDULER).exit_code


STORIES: dict[str, Story] = {
    "enter a person": Story(nobody, enter),
    "import a roster": Story(nobody, import_roster),
    "change a handle": Story(bound, change_handle),
    "bind everybody": Story(nobody, bind),
    "prove an account": Story(claimed, prove),
    "load a manifest": Story(manifests, load),
    "checkpoint": Story(onboarded, checkpoint),
    "hold": Story(bound, hold),
    "release": Story(held_on_to, release, refuses=True),
    "erase": Story(dead_and_gone, erase, refuses=True),
    "retain": Story(dead_and_gone, retain),
    "start": Story(signed, start, 6),
    "start everyone": Story(signed, start_everyone, 6),
    "record": Story(started, record, 6),
    "approve and apply": Story(approved_by_one, approve_and_apply),
    "refuse": Story(approved_by_one, refuse, refuses=True),
    "answer in Slack": Story(asked, answer),
    "apply": Story(approved, apply),
    "delegate": Story(logged_in, delegate),
    "end a delegation": Story(handed_over, end_delegation, refuses=True),
    "grant by rule": Story(owned, by_rule),
    "adopt": Story(at_work_before, take_on),
    "take back": Story(stepped_back, again),
    "advance": Story(discovered, advance, 6, refuses=True),
    "full operation": Story(ramping_up, into_full_operation, 6),
    "change role": Story(onboarded, to_quality, 6),
    "offboard": Story(onboarded, leave, 6),
    "offboard from one": Story(in_two_engagements, leave_one),
    "offboard whom nobody accepted": Story(invited, leave, 6),
    "offboard a sponsor": Story(both, sponsor_leaves, 6),
    "cut off": Story(onboarded, cut_off, 6, repeats=True),
    "cut off a vendor": Story(both, cut_off_vendor, 6),
    "finish a task": Story(offboarded, finish_task, refuses=True),
    "restore": Story(wrongly_offboarded, restore, 6, refuses=True),
    "request": Story(in_discovery, request, 6),
    "withdraw a request": Story(asked_for_more, withdraw),
    "break the glass": Story(in_discovery, break_glass),
    "sweep": Story(with_more, sweep),
    "night": Story(lapsed, by_night, 4),
}
