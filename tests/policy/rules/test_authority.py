"""Who may do what, as the shipped rules say it; and what a rule has to be to be read at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from onboard.errors import BadInput, NotAuthorised
from onboard.ledger import Register
from onboard.lifecycle.authority import permit
from onboard.model import OPERATOR, SCHEDULER, Actor
from onboard.policy.files.strict import Notes
from onboard.policy.rules.authority import SCHEMA, Authority, compile_authority
from onboard.policy.rules.deeds import About, Action, ActorIs, GrantIs, Handover, PersonIs, Plan, Question, ResourceIs
from onboard.wiring import starter_policies

SHIPPED = {f"authority/{path.name}": path.read_text() for path in (starter_policies() / "authority").glob("*.cedar*")}
ADA = ActorIs("p-ada", "person", "vault login")
ENGINEER = replace(ADA, id="p-marta", outsourced=True, vendors=frozenset({"nordwind"}))
SHELL = ActorIs("operator", "operator", "local shell")
MARTA = PersonIs("p-marta", outsourced=True, vendors=frozenset({"nordwind"}))
NAMED = Plan(need="sponsor", named=True)
REMOVALS = (Action.CUTOFF, Action.OFFBOARD)
READS_DISCOVERY = """
@id("reading-in-discovery") @because("It is what discovery is for") @owner("team-platform")
permit (principal, action == Action::"pre_approve", resource)
when { context.rank == 0 && context.level == "pull" };
"""


def rules(**more: str) -> Authority:
    """The shipped rules, with files added or replaced."""
    notes = Notes("policies")
    found = compile_authority({**SHIPPED, **{f"authority/{name}.cedar": text for name, text in more.items()}}, notes)
    notes.raise_all()
    return found


AS_SHIPPED = rules()


def says(action: Action, actor: ActorIs = ADA, context: About | None = None, by: Authority = AS_SHIPPED) -> list[str]:
    """`yes` or `no`, and the rules that say so."""
    answer = by.ask(Question(action, actor, MARTA, context or About()))
    return ["yes" if answer.allowed else "no", *(rule.id for rule in answer.rules)]


def test_whom_a_plan_names_approves_it_and_nobody_else() -> None:
    assert says(Action.APPROVE, context=NAMED) == ["yes", "whom-a-plan-names"]
    assert says(Action.APPROVE, context=replace(NAMED, named=False)) == ["no"]


def test_the_company_lead_approves_what_is_overdue_but_accepts_no_hazard() -> None:
    lead = Plan(capacities=frozenset({"company-lead"}), need="sponsor")

    assert says(Action.APPROVE, context=lead) == ["no"]
    assert says(Action.APPROVE, context=replace(lead, overdue=True)) == ["yes", "the-company-lead-once-overdue"]
    assert says(Action.ACCEPT_HAZARD, context=replace(lead, overdue=True)) == ["no"]


@pytest.mark.parametrize("action", [Action.APPROVE, Action.REFUSE, Action.ACCEPT_HAZARD])
@pytest.mark.parametrize(
    ("actor", "context", "rule"),
    [
        (ADA, replace(NAMED, is_self=True), "nobody-for-themselves"),
        (ADA, replace(NAMED, same_vendor=True), "nobody-for-their-own-vendor"),
        (ENGINEER, NAMED, "only-the-companys-own-people"),
        (replace(ADA, left=True), NAMED, "who-left-decides-nothing"),
    ],
)
def test_a_word_on_a_plan_is_forbidden_though_the_plan_names_them(
    action: Action, actor: ActorIs, context: Plan, rule: str
) -> None:
    assert says(action, actor, context) == ["no", rule]


@pytest.mark.parametrize("action", sorted(set(Action) - {Action.PRE_APPROVE, Action.REQUEST, Action.BREAK_GLASS}))
def test_an_engineer_of_a_vendors_may_do_nothing_for_themselves(action: Action) -> None:
    forms: dict[Action, About] = {Action.DELEGATE: Handover(is_self=True)}
    forms |= dict.fromkeys((Action.APPROVE, Action.REFUSE, Action.ACCEPT_HAZARD), Plan(is_self=True, named=True))

    assert says(action, ENGINEER, forms.get(action, About(is_self=True)))[0] == "no"


def test_a_shell_without_a_login_removes_and_enters_until_one_rule_is_deleted() -> None:
    strict = SHIPPED["authority/who-may.cedar"]
    begin = strict.index('@id("the-local-shell")')
    strict = strict[:begin] + strict[strict.index(";", begin) + 1 :]
    for action in (*REMOVALS, Action.EDIT_PEOPLE, Action.RECORD):
        assert says(action, SHELL) == ["yes", "the-local-shell"]
        assert says(action, SHELL, by=rules(**{"who-may": strict})) == ["no"]
    assert says(Action.APPROVE, SHELL, NAMED) == ["no"]


def test_a_delegate_is_never_a_vendors_engineer() -> None:
    own = Handover(is_self=True, days=7)

    assert says(Action.DELEGATE, context=own)[0] == "yes"
    assert says(Action.DELEGATE, context=replace(own, is_self=False)) == ["no"]
    outsourced = replace(own, delegate_outsourced=True)
    assert says(Action.DELEGATE, context=outsourced) == ["no", "a-delegate-is-of-the-company"]


def grant(*, high_risk: bool) -> Question:
    resource = ResourceIs(
        "github:repo:acme/x", "github", "github", "repo", "team", "internal", 1, frozenset(), high_risk
    )
    asked = GrantIs("pull", "backend-engineer", "discovery", 0, "dedicated-team", "payments", 2)
    return Question(Action.PRE_APPROVE, MARTA, resource, asked)


def test_nothing_is_pre_approved_as_shipped_and_what_is_high_risk_never() -> None:
    assert not AS_SHIPPED.ask(grant(high_risk=False)).allowed
    reads = rules(own=READS_DISCOVERY)
    assert [(rule.id, rule.owner) for rule in reads.ask(grant(high_risk=False)).rules] == [
        ("reading-in-discovery", "team-platform")
    ]
    assert [rule.id for rule in reads.ask(grant(high_risk=True)).rules] == ["high-risk-is-never-pre-approved"]


def test_nobody_of_the_company_is_kept_from_a_cut_off_whatever_the_rules_say() -> None:
    never = '@id("never") @because("No") forbid (principal, action, resource);'

    permit(rules(own=never), Register(), Action.CUTOFF, Actor("p-ada", "vault login"), "p-marta")
    for action, actor in ((Action.CUTOFF, OPERATOR), (Action.OFFBOARD, Actor("p-ada", "vault login"))):
        with pytest.raises(NotAuthorised, match=r"No \(rule never, authority/own.cedar:1\)"):
            permit(rules(own=never), Register(), action, actor, "p-marta")


def test_a_no_without_a_rule_says_what_would_permit_it() -> None:
    with pytest.raises(
        NotAuthorised, match=r"No rule permits you to erase somebody. What would: .*the-company-records"
    ):
        permit(AS_SHIPPED, Register(), Action.ERASE, SCHEDULER, "p-marta")
    with pytest.raises(NotAuthorised, match="No rule permits anybody to offboard somebody"):
        permit(Authority(), Register(), Action.OFFBOARD, OPERATOR, "p-marta")


def test_a_forbid_that_can_not_be_evaluated_forbids() -> None:
    overflow = '@id("big") @because("No") forbid (principal, action == Action::"delegate", resource)'
    overflow += " when { context.days + 9223372036854775807 > 0 };"

    assert says(Action.DELEGATE, context=Handover(is_self=True, days=1), by=rules(own=overflow)) == ["no", "big"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('permit (principal, action == Action::"approve", resource);', "own.cedar:1  this rule lacks @id, @because"),
        ('@id("a") @because("b") permit (principal, action, resource);', "this permit names no action"),
        (
            '@id("a") @because("b") permit (principal, action == Action::"pre_approve", resource);',
            "permits pre_approve; write @owner",
        ),
        (READS_DISCOVERY.replace("team-platform", "The Platform Team"), "@owner is 'The Platform Team'"),
        (READS_DISCOVERY.replace("context.rank", "context.rnak"), "this rule is wrong: attribute `rnak`"),
        (
            READS_DISCOVERY.replace("reading-in-discovery", "nobody-for-themselves"),
            "@id nobody-for-themselves is taken",
        ),
    ],
)
def test_a_rule_that_is_wrong_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(BadInput, match="authority/") as refused:
        rules(own=text)
    assert problem in str(refused.value)


def test_a_schema_that_is_not_what_is_asked_by_is_refused() -> None:
    other: Mapping[str, str] = {**SHIPPED, SCHEMA: SHIPPED[SCHEMA].replace("is_self: Bool,", "")}
    notes = Notes("policies")

    compile_authority(other, notes)

    with pytest.raises(BadInput, match="authority/"):
        notes.raise_all()
