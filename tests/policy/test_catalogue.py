"""Policies are read strictly, and everything wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.model import AccountKind, Phase, Resource
from onboard.policy.catalogue import Policy, bundle_hash, load
from tests.policy.small import FACTS, FILES, NO_ADMIN, PLAYBOOK, RESOURCES, ROLE, SYSTEMS, complaints, edited, policy

PAYS = "; roles use jira:project:PAY. Use it or delete it."
QUOTED = " (quoted, if it looks like a date)."
ROLE_FILE = "roles/engineer.yaml"
LEVELS = "a GitHub repo has pull, triage, push, maintain, admin. Did you mean push?"

RULE = '@id("deep") @because("b") @control("c") forbid (principal, action, resource) when {{ {} }};'


def test_five_mistakes_in_four_files_give_five_messages_with_file_and_line() -> None:
    files = {
        **FILES,
        "resources.yaml": RESOURCES + "  jira:project:PAYS: {owner: team-pay, classification: internal, levels: [V]}\n",
        ROLE_FILE: ROLE.replace("level: push", "level: write").replace("title:", "tittle:"),
        "facts.yaml": FACTS + "milstones: {}\n",
        "playbooks/default.yaml": PLAYBOOK.replace("minutes: 60", "minutes: an hour"),
    }

    assert complaints(files) == [
        "policies/facts.yaml:6  facts.yaml has no setting 'milstones'. Did you mean milestones?",
        "policies/playbooks/default.yaml:6  'minutes' of a session is text ('an hour'); write a whole number above 0.",
        "policies/resources.yaml:9  resource jira:project:PAYS is declared but no role uses it" + PAYS,
        "policies/roles/engineer.yaml:1  the role lacks 'title': add title: with a text" + QUOTED,
        "policies/roles/engineer.yaml:2  the role has no setting 'tittle'. Did you mean title?",
        "policies/roles/engineer.yaml:16  grants level 'write' on github:repo:acme/api; " + LEVELS,
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "expected"),
    [
        (ROLE_FILE, "title: Engineer", "title: Engineer\ntitle: Other", 3, "'title' stands twice, first in line 2"),
        (ROLE_FILE, "title: Engineer", "title: 2027-01-01", 2, "is a date ('2027-01-01'); write a text"),
        (ROLE_FILE, "title: Engineer", "title: [a", 3, "this is not YAML"),
        (ROLE_FILE, "  ramp-up:", "  rampup:", 15, "it can be discovery, tooling-setup, ramp-up, full-operation."),
        (ROLE_FILE, "level: pull}", "level: pul}", 8, "level 'pul' on github:repo:acme/api"),
        (ROLE_FILE, "level: Developers", "level: Testers", 17, "jira:project:PAY has Viewers, Developers, by"),
        (ROLE_FILE, "acme/docs", "acme/doc", 9, "doesn't declare. Did you mean github:repo:acme/docs?"),
        (ROLE_FILE, "github:org:acme,", "acme,", 7, "'acme' is no resource. Write system:type:name"),
        (ROLE_FILE, "[nda_signed]", "[nda_singed]", 4, "nda_singed is no fact that facts.yaml declares. Did you mean"),
        (ROLE_FILE, "[nda_signed]", "[first_merge]", 4, "first_merge is a milestone by facts.yaml:5; it belongs under"),
        (
            ROLE_FILE,
            "after: first",
            "after: frist",
            16,
            "frist_merge is no fact that facts.yaml declares. Did you mean",
        ),
        (ROLE_FILE, "after: first_merge", "after: nda_signed", 16, "is a prerequisite by facts.yaml:2; it belongs"),
        (ROLE_FILE, "level: push, after: first_merge", "level: pull", 16, "line 8 gives pull already, from discovery"),
        (ROLE_FILE, "- {resource: github:org:acme, level: member}", "", 8, "doesn't hold github:org:acme by then"),
        (ROLE_FILE, "level: enabled,", "level: enabled, after: first_merge,", 14, "doesn't hold vault:login:MOUNT by"),
        (ROLE_FILE, "because:", "playbook: fast\nbecause:", 1, "follows the playbook 'fast', which isn't there"),
        (
            ROLE_FILE,
            "because:",
            "max_days: 0\nbecause:",
            3,
            "'max_days' of the role is 0; write a whole number above 0",
        ),
        (ROLE_FILE, "role: engineer", "role: qa", 1, "role qa stands in roles/engineer.yaml. Rename one of the two."),
        ("resources.yaml", "github:org:acme:", "gitlab:org:acme:", 2, "'gitlab', which isn't configured. Did you mean"),
        ("resources.yaml", "github:repo:acme/api", "github:repos:acme/api", 3, "no type of resource 'repos'. Did you"),
        ("resources.yaml", "acme/docs:", "acme/API:", 4, "github:repo:acme/API is line 3 in other letters"),
        ("resources.yaml", "acme/api:", "api:", 3, "'api' is no GitHub repo name. Write it like acme/payments-api."),
        ("resources.yaml", "confidential}", "secret}", 3, "it can be public, internal, confidential, restricted."),
        ("resources.yaml", ", levels: [Viewers, Developers]", "", 5, "needs levels: the names of its roles"),
        ("resources.yaml", "internal}", "internal, levels: [a]}", 2, "can't have levels of its own"),
        ("resources.yaml", "internal}", "internal, reaches: [secret/a]}", 2, "only a Vault group's policies"),
        ("resources.yaml", "exclusive: true", "reaches: [/secret/a]", 8, "write a path as Vault's policies do"),
        ("resources.yaml", "internal}", "internal, exclusive: true}", 2, "everybody else in it would count as drift"),
        (
            "resources.yaml",
            "admits: [member, outside-collaborator]",
            "admits: [guest]",
            4,
            "admits guest; a GitHub repo",
        ),
        ("resources.yaml", "exclusive: true", "exclusive: yes", 8, "'exclusive' of resource vault:group:dev is text"),
        (
            "playbooks/default.yaml",
            "[security_training]",
            "[trained]",
            9,
            "trained is no fact that facts.yaml declares",
        ),
        ("playbooks/default.yaml", "company-lead", "lead", 6, "it can be sponsor, product-owner, vendor-lead"),
        ("playbooks/default.yaml", "name: read", "name: tour", 8, "tour stands twice in this phase, first in line 6"),
        ("facts.yaml", "first_merge:", "nda_signed:", 5, "nda_signed is a prerequisite already, in line 2"),
    ],
)
def test_each_mistake_is_named_with_its_line(file: str, old: str, new: str, line: int, expected: str) -> None:
    found = complaints(edited(file, old, new))

    assert any(each.startswith(f"policies/{file}:{line}  ") and expected in each for each in found), found


def test_a_slack_user_group_that_admits_guests_is_refused() -> None:
    files = edited("resources.yaml", "slack:channel:dev", "slack:usergroup:dev")
    files[ROLE_FILE] = ROLE.replace("slack:channel:dev", "slack:usergroup:dev")

    assert complaints(files) == [
        "policies/resources.yaml:6  slack:usergroup:dev admits guest; a Slack usergroup takes member only."
    ]


def test_a_team_needs_its_organisation_at_the_same_phase_or_earlier() -> None:
    files = {
        **FILES,
        "resources.yaml": RESOURCES + "  github:team:acme/readers: {owner: team-pay, classification: internal}\n",
        ROLE_FILE: ROLE.replace("github:org:acme", "github:team:acme/readers").replace(
            "  ramp-up:\n", "  ramp-up:\n    - {resource: github:org:acme, level: member}\n"
        ),
    }

    (found,) = (each for each in complaints(files) if "readers" in each)

    assert found == (
        "policies/roles/engineer.yaml:7  grants github:team:acme/readers from discovery, but engineer doesn't hold"
        " github:org:acme by then (same conditions, same phase or earlier). Grant that first."
    )


def test_a_role_in_two_files_names_both() -> None:
    files = {**FILES, "roles/other.yaml": ROLE}

    assert "role engineer is defined in roles/engineer.yaml:1 already" in complaints(files)[0]


def test_a_file_that_nothing_would_read_is_a_problem_and_not_ignored() -> None:
    assert complaints({**FILES, "roles/qa.yml": ROLE})[0].startswith("policies/roles/qa.yml  nothing reads this file.")


def test_a_broken_file_is_not_blamed_on_the_files_that_refer_to_it() -> None:
    assert len(complaints({**FILES, "resources.yaml": "resources: ["})) == 1
    assert len(complaints({**FILES, "facts.yaml": "{"})) == 1
    assert len(complaints({**FILES, ROLE_FILE: ""})) == 1


def test_a_missing_file_is_said() -> None:
    files = {name: text for name, text in FILES.items() if name != "facts.yaml"}

    assert any(each.startswith("policies/facts.yaml  this file is missing") for each in complaints(files))


def test_text_that_is_not_utf8_is_reported_beside_everything_else(tmp_path: Path) -> None:
    (tmp_path / "policies" / "roles").mkdir(parents=True)
    (tmp_path / "policies" / "roles" / "a.yaml").write_bytes(b"role: \xff")

    with pytest.raises(BadInput) as caught:
        load(tmp_path / "policies", SYSTEMS)

    assert [problem.file for problem in caught.value.problems] == [
        "policies/facts.yaml",
        "policies/resources.yaml",
        "policies/roles/a.yaml",
    ]


def test_a_file_that_cannot_be_read_is_bad_input_so_that_removals_go_on_under_the_last_policy(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles/gone.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "roles/loop.yaml").symlink_to("loop.yaml")

    with pytest.raises(BadInput, match="can't be read: No such file") as caught:
        load(tmp_path, SYSTEMS)

    assert len(caught.value.problems) == 2


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        load(tmp_path / "nowhere", SYSTEMS)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("context.level ==", "context.levl ==", 2, "attribute `levl` in context"),
        ("forbid", "forbit", 2, "this rule is wrong"),
        ("forbid", "permit", 2, "guardrails only forbid"),
        ("principal,", "principal == ?principal,", 2, "this is a template"),
        ('@because("An administrator decides for others")\n', "", 2, "lacks @because"),
        ('"no-admin"', '"No admin"', 2, "@id is 'No admin'"),
        ('context.level == "admin"', "context.level > 3", 2, "expected Long but saw String"),
    ],
)
def test_a_wrong_guardrail_is_named_with_its_line(old: str, new: str, line: int, expected: str) -> None:
    (found,) = complaints(edited("guardrails/admin.cedar", old, new))

    assert found.startswith(f"policies/guardrails/admin.cedar:{line}  ")
    assert expected in found


def test_two_guardrails_cannot_share_an_id_and_the_second_one_is_pointed_at() -> None:
    found = complaints({**FILES, "guardrails/admin.cedar": NO_ADMIN + "\n\n" + NO_ADMIN})

    assert found == [
        "policies/guardrails/admin.cedar:10  @id no-admin is taken by guardrails/admin.cedar:2. Choose another."
    ]


@pytest.mark.parametrize("schema", [None, "entity {", "entity Person; entity Resource; action hold;"])
def test_guardrails_without_the_schema_they_are_asked_by_are_refused(schema: str | None) -> None:
    files = {name: text for name, text in FILES.items() if not name.endswith("schema")}
    if schema is not None:
        files["guardrails/schema.cedarschema"] = schema

    assert any(each.startswith("policies/guardrails/") for each in complaints(files))


def test_a_bundle_out_of_the_ledger_is_the_same_policy_with_the_same_hash(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "README.md").write_text("Read by people, no part of the policy.")

    loaded = load(tmp_path, SYSTEMS)
    again = Policy.from_files(loaded.files, SYSTEMS)

    assert loaded.files == FILES
    assert again.hash == loaded.hash == bundle_hash(FILES)
    assert again.roles == loaded.roles


def test_the_hash_tells_apart_what_moved_between_files() -> None:
    assert bundle_hash({"a": "bc", "d": ""}) != bundle_hash({"a": "b", "cd": ""})
    assert bundle_hash({"a": "x", "b": "y"}) != bundle_hash({"a": "y", "b": "x"})


def test_terms_carry_what_the_files_say() -> None:
    it = policy()
    role = it.roles["engineer"]
    push = next(line for line in role.entitlements if line.level == "push")
    vault = next(line for line in role.entitlements if line.resource.type == "login")

    assert (push.phase, push.after, push.needs, str(push.source)) == (
        Phase.RAMP_UP,
        "first_merge",
        ("nda_signed",),
        "roles/engineer.yaml:16",
    )
    assert vault.needs == ("nda_signed", "security_training")
    assert push.because == "Builds the API"
    assert it.resources[Resource.parse("vault:group:dev")].exclusive
    assert it.resources[Resource.parse("slack:channel:dev")].admits == {AccountKind.MEMBER, AccountKind.GUEST}
    assert it.stage("engineer", Phase.DISCOVERY).leave == ("security_training",)
    assert it.stage("engineer", Phase.FULL_OPERATION).leave == ()
    assert it.facts["first_merge"].milestone


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("roles/deep.yaml", "role: " + "[" * 50_000, "nests more than 100 deep"),
        ("roles/deep.yaml", "- " * 50_000 + "x", "nests more than 100 deep"),
        ("guardrails/deep.cedar", RULE.format("(" * 5000 + "true" + ")" * 5000), "nests brackets more than 100 deep"),
        ("guardrails/deep.cedar", RULE.format("true" + " || true" * 20_000), "more than 2000 operators"),
        ("guardrails/schema.cedarschema", "entity A {a:" + "{a:" * 5000, "nests brackets more than 100 deep"),
    ],
)
def test_what_would_overflow_a_parsers_stack_is_named_instead(file: str, text: str, expected: str) -> None:
    (found,) = [line for line in complaints({**FILES, file: text}) if f"{file}:1 " in line]
    assert expected in found
