"""People's keys apart from the ledger: what a backup can't tell any more, and what is said when they are lost."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from onboard.errors import BadInput, SystemFailed
from onboard.ledger import Ledger, Profile
from onboard.ledger.privacy.keyring import FileKeyring, NoKeyring
from onboard.ledger.storage.backup import back_up, restore
from tests.ledger.builders import ACCOUNT, JONAS, MARTA, START, keyring_of
from tests.ledger.conftest import Clock, raw
from tests.ledger.storage.test_migrations import SHAPES, dumped, said_then

MARTA_IS = Profile("Marta Kowalska", "marta@nordwind.example", {"github": "marta-nw"})
JONAS_IS = Profile("Jonas Brandt", "jonas@nordwind.example", {"github": "jonasb"})


@pytest.fixture
def known(ledger: Ledger) -> Ledger:
    """A ledger that knows two people."""
    ledger.people.add_all({MARTA: MARTA_IS, JONAS: JONAS_IS})
    ledger.people.bind(ACCOUNT, MARTA, "github", "90001", "marta-nw")
    return ledger


def make_many(file: str, names: list[str]) -> None:
    FileKeyring(Path(file)).make(names)


def test_the_file_is_its_owners_alone_and_no_other_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "people.keys"
    keyring = FileKeyring(file)
    keyring.make([MARTA])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    file.chmod(0o640)

    with pytest.raises(SystemFailed, match=r"others may read .* chmod 600"):
        keyring.keys([MARTA])


def test_who_has_a_key_keeps_it(tmp_path: Path) -> None:
    keyring = FileKeyring(tmp_path / "people.keys")
    keyring.make([MARTA])
    before = keyring.keys([MARTA])

    assert keyring.make([MARTA, JONAS]) == {JONAS}
    assert keyring.keys([MARTA, "p-nobody"]) == before


def test_two_who_make_keys_at_once_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "people.keys"
    names = [[f"p-{worker}-{number}" for number in range(20)] for worker in range(3)]
    forked = multiprocessing.get_context("fork")
    workers = [forked.Process(target=make_many, args=(str(file), [one])) for group in names for one in group[:4]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(FileKeyring(file).keys([one for group in names for one in group])) == 12


def test_a_draft_that_a_killed_run_left_stands_in_nobodys_way(tmp_path: Path) -> None:
    keyring = FileKeyring(tmp_path / "people.keys")
    keyring.make([MARTA])
    (tmp_path / "people.keys.draft").write_text('{"onboard keyring": 1, "ke')

    keyring.make([JONAS])

    assert keyring.keys([MARTA, JONAS]).keys() == {MARTA, JONAS}


def test_a_damaged_file_is_said_to_be_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "people.keys"
    file.write_text('{"keys": ["half')
    file.chmod(0o600)

    for use in (lambda: FileKeyring(file).keys([MARTA]), lambda: FileKeyring(file).make([MARTA])):
        with pytest.raises(SystemFailed, match="is damaged, or no keyring"):
            use()
    assert file.read_text() == '{"keys": ["half'


def test_no_key_stands_in_the_database(known: Ledger, url: str) -> None:
    with raw(url) as connection:
        keys = connection.exec_driver_sql("SELECT key FROM person_keys").scalars().all()

    assert [bytes(key) for key in keys] == [b"", b""]


def test_people_are_told_by_no_other_keyring_nor_without(known: Ledger, url: str, clock: Clock, tmp_path: Path) -> None:
    another = FileKeyring(tmp_path / "another.keys")
    gone = FileKeyring(tmp_path / "nowhere.keys")
    another.make(["index"])

    for keyring, complaint in ((another, "isn't the one at"), (gone, "isn't at"), (NoKeyring(), "no place is set")):
        opened = Ledger.open(url, clock, keyring)
        with pytest.raises(SystemFailed, match=complaint) as caught:
            opened.people.all()
        assert caught.value.exit_code == 5
        with pytest.raises(SystemFailed, match=complaint):
            opened.people.add("p-" + "9" * 32, Profile("A", "a@b.example"))
        assert opened.journal.head() == known.journal.head()
        opened.close()
    assert not (tmp_path / "nowhere.keys").exists()


def test_whoever_is_refused_leaves_no_key(known: Ledger, url: str) -> None:
    newcomer = "p-" + "9" * 32

    with pytest.raises(BadInput, match="already that of"):
        known.people.add(newcomer, Profile("M", MARTA_IS.email))
    with pytest.raises(BadInput, match="entered already"):
        known.people.add(MARTA, Profile("M", "m@x.example"))

    assert keyring_of(url).keys([newcomer, MARTA]).keys() == {MARTA}
    assert known.people.get(MARTA) == MARTA_IS


def test_whoever_is_erased_is_erased_from_the_backups_made_before(
    known: Ledger, url: str, empty: str, clock: Clock, tmp_path: Path
) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")

    known.people.erase(MARTA)
    verdict, forgotten = restore(tmp_path / "backup.db", keyring_of(url), empty, START)

    assert (verdict.problem, forgotten) == (None, 1)
    again = Ledger.open(empty, clock, keyring_of(url))
    assert again.people.all() == {JONAS: JONAS_IS}
    assert not again.people.knows(MARTA)
    assert again.register().erased == {MARTA}
    assert again.people.account_by_external("github", "90001") is None
    again.people.add("p-" + "9" * 32, MARTA_IS)
    with pytest.raises(BadInput, match="already that of"):
        again.people.add("p-" + "8" * 32, Profile("J", JONAS_IS.email))
    again.close()


def test_a_backup_alone_confirms_no_guess_about_anybody(known: Ledger, url: str, tmp_path: Path) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")

    with raw(f"sqlite:///{tmp_path / 'backup.db'}") as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM person_index").scalar() == 0
    content = (tmp_path / "backup.db").read_bytes()
    assert not any(key in content for key in keyring_of(url).keys([MARTA, JONAS, "index"]).values())


def test_nothing_is_restored_without_the_keyring_that_the_backup_belongs_to(
    known: Ledger, url: str, empty: str, clock: Clock, tmp_path: Path
) -> None:
    back_up(url, keyring_of(url), tmp_path / "backup.db")

    with pytest.raises(SystemFailed, match=r"isn't at .*nowhere\.keys"):
        restore(tmp_path / "backup.db", FileKeyring(tmp_path / "nowhere.keys"), empty, START)
    with pytest.raises(BadInput, match="There is no ledger at"):
        Ledger.open(empty, clock)


@pytest.mark.parametrize("struck", ["destroyed", "half deleted"])
def test_an_erasure_that_was_killed_is_finished_by_the_next(known: Ledger, url: str, struck: str, clock: Clock) -> None:
    keyring_of(url).destroy([MARTA])
    if struck == "half deleted":
        with raw(url) as connection:
            connection.exec_driver_sql(f"DELETE FROM person_index WHERE person = '{MARTA}'")
    again = Ledger.open(url, clock, keyring_of(url))
    assert again.people.knows(MARTA)
    assert again.people.find(MARTA[:10]) == [MARTA]
    assert again.people.all() == {JONAS: JONAS_IS}

    again.people.erase(MARTA)

    assert not again.people.knows(MARTA)
    again.close()


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A ledger that an older onboard made, its keys in its own tables."""
    file = tmp_path / "old.db"
    with sqlite3.connect(file) as target:
        dumped(SHAPES[0]).backup(target)
    target.close()
    return f"sqlite:///{file}"


def names_in(ledger: Ledger) -> dict[str, object]:
    return {person: [p.name, p.email, dict(p.handles)] for person, p in ledger.people.all().items()}


def keys_in(url: str) -> list[bytes]:
    with raw(url) as connection:
        rows = connection.exec_driver_sql("SELECT key FROM person_keys UNION SELECT key FROM ledger_keys").scalars()
        return [bytes(key) for key in rows]


def test_keys_move_out_of_an_older_ledger_and_no_trace_of_them_stays(old: str, tmp_path: Path, clock: Clock) -> None:
    keys = keys_in(old)
    assert len(keys) > 1

    ledger = Ledger.open(old, clock)
    people = names_in(ledger)
    ledger.close()

    assert people == said_then(SHAPES[0])["people"]
    left = b"".join(file.read_bytes() for file in tmp_path.glob("old.db*"))
    assert not any(key in left for key in keys)


@pytest.mark.parametrize("moment", ["keys made", "moved, not yet scrubbed"])
def test_a_move_that_was_killed_is_finished_by_the_next_run(
    old: str, moment: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keys_in(old)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            "onboard.ledger.privacy.moving.reindex" if moment == "keys made" else "onboard.ledger.storage.sqlite.scrub",
            killed,
        )
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(old, clock).people.all()

    ledger = Ledger.open(old, clock)
    assert {p: [q.name, q.email, dict(q.handles)] for p, q in ledger.people.all().items()} == said_then(SHAPES[0])[
        "people"
    ]
    ledger.close()
    left = b"".join(file.read_bytes() for file in Path(old.removeprefix("sqlite:///")).parent.glob("old.db*"))
    assert not any(key in left for key in keys)


def test_what_is_written_after_the_move_no_older_backup_opens(old: str, tmp_path: Path, clock: Clock) -> None:
    kept = Path(shutil.copyfile(tmp_path / "old.db", tmp_path / "kept.db"))
    ledger = Ledger.open(old, clock)
    ledger.people.all()
    ledger.close()

    with raw(f"sqlite:///{kept}") as connection:
        then = dict(connection.exec_driver_sql("SELECT person, key FROM person_keys").tuples().all())
    now = keyring_of(old).keys(list(then))
    assert now.keys() == then.keys()
    assert not set(map(bytes, then.values())) & set(now.values())
