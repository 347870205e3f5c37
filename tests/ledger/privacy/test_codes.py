"""One-time codes: once, for a day, for one account, five wrong tries; nothing of them can be read anywhere."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from onboard.errors import BadInput
from onboard.ledger import Ledger, Profile
from onboard.ledger.privacy.codes import LIFE, TRIES, Claim, Codes, Verdict
from tests.ledger.builders import ACCOUNT, MARTA, START
from tests.ledger.conftest import only_sqlite

CLAIM = Claim(MARTA, ACCOUNT, "90001", "marta-nw")
SOON = START + timedelta(hours=1)


@pytest.fixture
def codes(ledger: Ledger) -> Codes:
    ledger.people.add(MARTA, Profile("Marta Kowalska", "marta@nordwind.example"))
    return Codes(ledger.database, ledger.keys)


def made(codes: Codes) -> str:
    code, until = codes.make(CLAIM, "work-email", START)
    assert until == START + LIFE
    return code


def verdict(codes: Codes, typed: str, claim: Claim = CLAIM) -> Verdict:
    return codes.redeem(claim, typed, SOON).verdict


def wrong(code: str) -> str:
    return ("B" if code[0] == "A" else "A") + code[1:]


def test_a_used_code_is_worth_nothing(codes: Codes) -> None:
    code = made(codes)

    assert codes.redeem(CLAIM, code, SOON).proof == "work-email"
    assert verdict(codes, code) is Verdict.NONE


def test_five_wrong_tries_end_a_code_and_the_right_one_comes_too_late(codes: Codes) -> None:
    code = made(codes)

    tries = [codes.redeem(CLAIM, wrong(code), SOON) for _ in range(TRIES)]

    assert [(one.verdict, one.left) for one in tries[:-1]] == [(Verdict.WRONG, left) for left in (4, 3, 2, 1)]
    assert tries[-1].verdict is Verdict.LAST
    assert verdict(codes, code) is Verdict.NONE


def test_asking_again_makes_the_first_code_a_wrong_one(codes: Codes) -> None:
    first = made(codes)
    second = made(codes)

    assert first != second
    assert verdict(codes, first) is Verdict.WRONG
    assert verdict(codes, second) is Verdict.RIGHT


def test_a_code_ends_after_a_day_to_the_second(codes: Codes) -> None:
    code = made(codes)

    assert codes.redeem(CLAIM, code, START + LIFE).verdict is Verdict.EXPIRED
    assert verdict(codes, code) is Verdict.NONE


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (replace(CLAIM, external_id="90002"), Verdict.VOID),
        (replace(CLAIM, handle="marta-k"), Verdict.VOID),
        (replace(CLAIM, account="a-" + "2" * 32), Verdict.NONE),
    ],
)
def test_a_code_is_for_one_account_under_one_id_and_name(codes: Codes, other: Claim, expected: Verdict) -> None:
    code = made(codes)

    assert verdict(codes, code, other) is expected


def test_of_several_who_type_it_at_once_one_is_right(codes: Codes) -> None:
    code, found = made(codes), []
    threads = [threading.Thread(target=lambda: found.append(verdict(codes, code))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [Verdict.NONE, Verdict.NONE, Verdict.NONE, Verdict.RIGHT]


def test_guesses_made_at_once_are_all_counted(codes: Codes) -> None:
    code, found = made(codes), []
    threads = [threading.Thread(target=lambda: found.append(verdict(codes, wrong(code)))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (found.count(Verdict.WRONG), found.count(Verdict.LAST)) == (TRIES - 1, 1)


def test_spaces_dashes_and_small_letters_do_not_matter(codes: Codes) -> None:
    code = made(codes)

    assert verdict(codes, f" {code.replace('-', ' ').lower()} ") is Verdict.RIGHT


@only_sqlite
def test_neither_the_code_nor_its_hash_stands_on_disk_and_erasing_the_person_ends_it(
    codes: Codes, ledger: Ledger, url: str
) -> None:
    code = made(codes)
    kept = b"".join(file.read_bytes() for file in Path(url.removeprefix("sqlite:///")).parent.iterdir())

    assert code.encode() not in kept
    assert code.replace("-", "").encode() not in kept
    assert b'"salt"' not in kept
    ledger.people.erase(MARTA)
    assert verdict(codes, code) is Verdict.NONE
    with pytest.raises(BadInput, match="Nothing is known"):
        codes.make(CLAIM, "work-email", START)
