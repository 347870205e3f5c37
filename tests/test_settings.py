"""Settings: every mistake at once, by the key's name, with a way out, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.model import Kind
from onboard.settings import GitHubSettings, JiraSettings, Settings, SlackSettings, VaultSettings


def write(folder: Path, text: str) -> Path:
    file = folder / "onboard.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        Settings.load(environment or {}, folder)
    return str(caught.value)


def test_every_mistake_is_told_at_once_by_its_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        ledger_ulr = "sqlite:///x.db"
        policies = "nowhere"
        [systems.github]
        tokn = "x"
        [systems.jira-old]
        kind = "jira"
        base_url = "jira.example"
        deployment = "on-premises"
        [systems.chat]
        kind = "teams"
        [limits]
        fraction = 2
        """,
    )

    message = refused(tmp_path, {"ONBOARD_SLACK__BOT_TOKN": "xoxb-1", "ONBOARD_LEDGERURL": "x"})

    assert "ledger_ulr is no setting of onboard. Did you mean ledger_url?" in message
    assert f"policies names {tmp_path}/nowhere, which isn't a folder" in message
    assert "systems.github.tokn is no setting of onboard. Did you mean token?" in message
    assert "systems.github.org is missing. Set it in onboard.toml, or as ONBOARD_GITHUB__ORG." in message
    assert "systems.jira-old.base_url: expected an address" in message
    assert "systems.jira-old.deployment: Input should be 'cloud' or 'data-center'" in message
    assert "systems.chat: its kind must be one of github, jira, slack, vault" in message
    assert "limits.fraction: Input should be less than or equal to 1" in message
    assert "ONBOARD_SLACK__BOT_TOKN is no setting of onboard. Did you mean ONBOARD_SLACK__BOT_TOKEN?" in message
    assert "ONBOARD_LEDGERURL is no setting of onboard. Did you mean ONBOARD_LEDGER_URL?" in message


def test_a_secret_written_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\ntoken = "ghp_verysecret"\n[systems.vault]\nsecret_id = "shh"\n')

    message = refused(tmp_path)

    assert "systems.github.token is a secret in a file that people share. Use ONBOARD_GITHUB__TOKEN" in message
    assert "systems.vault.secret_id is a secret" in message
    assert "verysecret" not in message
    assert "shh" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[systems.github", "onboard.toml  can't be read: Expected ']'"),
        ("x = " + "[" * 5000, "onboard.toml  can't be read: maximum recursion depth"),
        ("systems = 3", "systems: expected a table, and found a value. Write [systems], and its keys below."),
        ("limits = [1]", "limits: expected a table, and found a value. Write [limits]"),
        ("[systems]\ngithub = 'ghp_x'", "systems.github: expected a table, and found a value. Write [systems.github]"),
        ("home = '/'", "home is no setting"),
        ("[systems.GitHub]\nkind = 'github'\norg = 'acme'", "lower-case letters, digits and dashes"),
    ],
)
def test_a_file_of_the_wrong_shape_says_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, text)

    assert expected in refused(tmp_path)


def test_a_config_variable_that_names_no_file_is_refused(tmp_path: Path) -> None:
    assert "ONBOARD_CONFIG names gone.toml, which isn't a file" in refused(tmp_path, {"ONBOARD_CONFIG": "gone.toml"})


def test_a_missing_reading_credential_is_said_and_the_writing_one_never_stands_in(tmp_path: Path) -> None:
    environment = {
        "ONBOARD_GITHUB__ORG": "acme",
        "ONBOARD_GITHUB__TOKEN": "w",
        "ONBOARD_VAULT__ADDR": "https://vault.example",
        "ONBOARD_VAULT__TOKEN": "w",
        "ONBOARD_VAULT__READ_ROLE_ID": "half a pair",
    }
    settings = Settings.load(environment, tmp_path)

    settings.require("writing")
    with pytest.raises(BadInput) as caught:
        settings.require("reading")

    message = str(caught.value)
    assert "github has no credential for reading. Set ONBOARD_GITHUB__READ_TOKEN" in message
    assert "ONBOARD_VAULT__READ_ROLE_ID and ONBOARD_VAULT__READ_SECRET_ID" in message
    assert "never used to read" in message


def test_a_variable_and_its_file_variant_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("t\n", encoding="utf-8")
    environment = {"ONBOARD_GITHUB__ORG": "a", "ONBOARD_GITHUB__TOKEN": "t", "ONBOARD_GITHUB__TOKEN_FILE": "secret"}

    assert "ONBOARD_GITHUB__TOKEN_FILE and token are both set. Keep one of them." in refused(tmp_path, environment)


def test_an_unreadable_secret_file_is_named(tmp_path: Path) -> None:
    environment = {"ONBOARD_GITHUB__ORG": "acme", "ONBOARD_GITHUB__READ_TOKEN_FILE": "gone"}

    message = refused(tmp_path, environment)

    assert f"ONBOARD_GITHUB__READ_TOKEN_FILE: {tmp_path}/gone can't be read: No such file or directory." in message


def test_variables_count_only_where_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONBOARD_LEDGER_URL", "sqlite:////elsewhere.db")
    monkeypatch.setenv("ONBOARD_LIMITS__REMOVALS", "many")

    assert Settings.load({}, tmp_path).ledger_url.get_secret_value() == f"sqlite:///{tmp_path}/onboard.db"


def test_secrets_come_from_the_environment_from_files_or_as_references_to_vault(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\ntoken = "vault:secret/data/o#t"\nread_token_file = "read"\n')
    (tmp_path / "read").write_text("from a file\n", encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    environment = {"ONBOARD_SLACK__BOT_TOKEN": "from the environment"}

    settings = Settings.load(environment, below)

    github, slack = settings.systems["github"], settings.systems["slack"]
    assert isinstance(github, GitHubSettings)
    assert isinstance(slack, SlackSettings)
    assert github.token is not None
    assert github.token.get_secret_value() == "vault:secret/data/o#t"
    assert github.read_token is not None
    assert github.read_token.get_secret_value() == "from a file"
    assert slack.bot_token is not None
    assert slack.bot_token.get_secret_value() == "from the environment"
    assert "from a file" not in repr(settings)
    assert "from the environment" not in repr(settings)


def test_a_variable_wins_over_the_file_whichever_way_either_gives_the_secret(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\ntoken_file = "gone"\nread_token = "vault:secret/data/o#t"\n')
    (tmp_path / "read").write_text("read\n", encoding="utf-8")

    settings = Settings.load({"ONBOARD_GITHUB__TOKEN": "t", "ONBOARD_GITHUB__READ_TOKEN_FILE": "read"}, tmp_path)

    github = settings.systems["github"]
    assert isinstance(github, GitHubSettings)
    assert github.token is not None
    assert github.token.get_secret_value() == "t"
    assert github.read_token is not None
    assert github.read_token.get_secret_value() == "read"


def test_a_ledger_url_from_a_file_begins_at_that_file(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger").write_text("sqlite:///ledger.db\n", encoding="utf-8")

    settings = Settings.load({"ONBOARD_LEDGER_URL_FILE": "run/ledger"}, tmp_path)

    assert settings.ledger_url.get_secret_value() == f"sqlite:///{tmp_path}/run/ledger.db"


def test_the_environment_alone_configures_the_default_four(tmp_path: Path) -> None:
    settings = Settings.load(
        {
            "ONBOARD_GITHUB__ORG": "acme",
            "ONBOARD_JIRA__BASE_URL": "https://acme.example/",
            "ONBOARD_JIRA__DEPLOYMENT": "data-center",
            "ONBOARD_SLACK__BASE_URL": "http://127.0.0.1:9/api",
            "ONBOARD_VAULT__ADDR": "http://127.0.0.1:8200",
            "ONBOARD_VAULT__NAMESPACE": "",
            "ONBOARD_LIMITS__REMOVALS": "3",
            "ONBOARD_DEBUG": "1",
            "HOME": "/root",
        },
        tmp_path,
    )

    jira, slack, vault = (settings.systems[name] for name in ("jira", "slack", "vault"))
    assert isinstance(jira, JiraSettings)
    assert isinstance(slack, SlackSettings)
    assert isinstance(vault, VaultSettings)
    assert (jira.base_url, jira.deployment) == ("https://acme.example", "data-center")
    assert slack.base_url == "http://127.0.0.1:9/api/"
    assert (vault.namespace, vault.login_mount) == (None, "userpass")
    assert settings.limits.removals == 3


def test_two_systems_of_one_kind_have_names_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\n[systems.github-eu]\nkind = "github"\norg = "acme-eu"\n')
    environment = {
        "ONBOARD_SYSTEMS__GITHUB_EU__READ_TOKEN": "r",
        "ONBOARD_SYSTEMS__GITHUB_EU__PROTECTED": "bot, 583231",
    }

    settings = Settings.load(environment, tmp_path)

    assert settings.kinds["github-eu"] is Kind.GITHUB
    assert settings.systems["github-eu"].protected == ("bot", "583231")
    assert settings.systems["github"].lacks("reading")[0] == ("read_token",)
    assert settings.systems["github-eu"].lacks("reading") == ()


def test_ledger_and_policies_stand_beside_the_file_unless_said_otherwise(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "policies").mkdir()
    below = tmp_path / "below"
    (below / "rules").mkdir(parents=True)

    default = Settings.load({}, below)
    told = Settings.load({"ONBOARD_LEDGER_URL": "sqlite:///mine.db", "ONBOARD_POLICIES": "rules"}, below)

    assert default.ledger_url.get_secret_value() == f"sqlite:///{tmp_path}/onboard.db"
    assert default.policies == tmp_path / "policies"
    assert told.ledger_url.get_secret_value() == f"sqlite:///{below}/mine.db"
    assert told.policies == below / "rules"


def test_mail_is_set_by_variables_or_by_a_table_and_its_password_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("hush\n", encoding="utf-8")
    write(tmp_path, '[mail]\nhost = "mail.acme.example"\nsender = "onboard@acme.example"\npassword_file = "mail"\n')

    mail = Settings.load({"ONBOARD_MAIL__USERNAME": "onboard"}, tmp_path).mail

    assert mail is not None
    assert (mail.username, mail.tls) == ("onboard", "starttls")
    assert mail.password is not None
    assert mail.password.get_secret_value() == "hush"
    assert "hush" not in repr(mail)


def test_what_is_wrong_with_mail_is_told_by_its_key(tmp_path: Path) -> None:
    write(tmp_path, '[mail]\npassword = "hush"\nsendr = "x"\n')

    message = refused(tmp_path, {"ONBOARD_MAIL__HOTS": "x"})

    assert "mail.password is a secret in a file that people share. Use ONBOARD_MAIL__PASSWORD" in message
    assert "mail.host is missing. Set it in onboard.toml, or as ONBOARD_MAIL__HOST." in message
    assert "mail.sendr is no setting of onboard. Did you mean sender?" in message
    assert "ONBOARD_MAIL__HOTS is no setting of onboard. Did you mean ONBOARD_MAIL__HOST?" in message
    assert "hush" not in message


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"HOST": "mail.acme.example", "TLS": "none"}, "is for a server on this machine"),
        ({"HOST": "127.0.0.1", "TLS": "none", "USERNAME": "u", "PASSWORD": "hush"}, "that wants no password"),
        ({"HOST": "mail.acme.example", "PASSWORD": "hush"}, "set username and password, or neither"),
        ({"HOST": "mail.acme.example", "SENDER": "nobody"}, "ONBOARD_MAIL__SENDER"),
    ],
)
def test_no_code_and_no_password_travels_in_the_clear(
    tmp_path: Path, variables: dict[str, str], complaint: str
) -> None:
    given = {"SENDER": "onboard@acme.example", **variables}

    message = refused(tmp_path, {f"ONBOARD_MAIL__{name}": value for name, value in given.items()})

    assert complaint in message
    assert "hush" not in message


def test_a_tenants_other_rates_are_read_from_the_file_and_from_variables(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\n[systems.github.rates]\ninvitations = 500\n')

    settings = Settings.load({"ONBOARD_GITHUB__RATES__CONTENT": "40"}, tmp_path)

    assert settings.systems["github"].rates == {"invitations": 500, "content": 40}


def test_a_rate_is_a_number_above_nothing(tmp_path: Path) -> None:
    write(tmp_path, '[systems.github]\norg = "acme"\nrates = {content = 0}\n')

    assert "systems.github.rates.content: Input should be greater than 0" in refused(tmp_path)


APP = {"ONBOARD_GITHUB__ORG": "acme", "ONBOARD_GITHUB__APP_ID": "7", "ONBOARD_GITHUB__INSTALLATION_ID": "70"}


def test_an_app_without_its_key_is_no_credential_and_both_alternatives_are_named(tmp_path: Path) -> None:
    settings = Settings.load(APP, tmp_path)

    with pytest.raises(BadInput) as missing:
        settings.require("writing")

    app = "ONBOARD_GITHUB__APP_ID and ONBOARD_GITHUB__INSTALLATION_ID and ONBOARD_GITHUB__PRIVATE_KEY"
    assert f"Set ONBOARD_GITHUB__TOKEN, or {app} (or the same with _FILE)" in str(missing.value)


def test_a_token_beside_an_app_or_one_app_for_both_purposes_is_refused(tmp_path: Path) -> None:
    assert "leave out one of them" in refused(tmp_path, {**APP, "ONBOARD_GITHUB__TOKEN": "t"})
    assert "read by another one" in refused(tmp_path, {**APP, "ONBOARD_GITHUB__READ_APP_ID": "7"})


def test_an_apps_key_comes_from_a_file_and_stays_a_secret(tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\n", encoding="utf-8")

    settings = Settings.load({**APP, "ONBOARD_GITHUB__PRIVATE_KEY_FILE": "app.pem"}, tmp_path)

    settings.require("writing")
    assert "BEGIN RSA" not in repr(settings)
