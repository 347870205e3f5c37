"""Somebody with the database in their hands, a file or a server, and in the end with the signing key too."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from onboard.errors import Findings
from onboard.ledger import Head, Ledger, Record, records
from onboard.ledger.entries import GENESIS, seal
from onboard.ledger.proof import checkpoints, proofs, verify_export
from onboard.ledger.proof.checkpoints import Notary, take
from onboard.ledger.proof.notary import FileWitness, LocalSigner
from onboard.ledger.proof.proofs import Checkpoint, Row, Verdict
from onboard.model import OPERATOR
from tests.ledger.builders import START
from tests.ledger.conftest import Clock, raw

TOOL = Path(verify_export.__file__)


@dataclass
class Auditor:
    """A journal of 18 entries. Checkpoints of 4, 10 and 16 entries stand in 5, 11 and 17; the witness saw them all."""

    ledger: Ledger
    folder: Path
    clock: Clock
    raw: Connection

    @property
    def witness(self) -> Path:
        return self.folder / "elsewhere.jsonl"

    @property
    def key(self) -> str:
        return base64.b64encode(LocalSigner(self.folder / "key.pem").public_key()).decode()

    def note(self, *digests: str) -> None:
        told = [records.applied(digest) for digest in digests]
        self.ledger.journal.append_many(told, actor=OPERATOR, at=START)

    def checkpoint(self, key: str = "key.pem") -> Checkpoint:
        notary = Notary(LocalSigner(self.folder / key), (FileWitness(self.witness),))
        return take(self.ledger.journal, notary, OPERATOR, self.clock).checkpoint

    def execute(self, statement: str, **values: object) -> None:
        """By a tool of the tamperer's own, which knows of no ledger."""
        self.raw.execute(text(statement), values)

    def rows(self) -> list[Row]:
        return list(self.ledger.journal.rows())

    def verify(self, *, pinned: bool = False, witnessed: bool = False) -> Verdict:
        """The verdict on the database; the stand-alone tool has to come to the same on an export."""
        seen = proofs.witnesses([self.witness]) if witnessed else {}
        verdict = proofs.verify(self.rows(), [self.key] if pinned else [], seen)
        assert self._alone(pinned=pinned, witnessed=witnessed) == (verdict.problem is not None)
        return verdict

    def _alone(self, *, pinned: bool, witnessed: bool) -> bool:
        """Whether the tool finds an export of it broken."""
        public, export = self.folder / "public.pem", self.folder / "export.jsonl"
        public.write_text(checkpoints.pem(base64.b64decode(self.key)))
        export.write_bytes(b"".join(map(exported, self.rows())))
        more = ["--key", str(public)] * pinned + ["--witness", str(self.witness)] * witnessed
        # -I: nothing of onboard can be imported
        command = [sys.executable, "-I", str(TOOL), str(export), *more]
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
        assert ran.returncode in (0, 4), ran.stderr
        return ran.returncode == 4


def exported(row: Row) -> bytes:
    """A row as it would stand in an export, whatever it holds."""
    cut = row[1].rfind(b',"kind":')
    return row[1][:cut] + f',"hash":"{row[2]}"'.encode() + row[1][cut:] + b"\n"


@pytest.fixture
def auditor(ledger: Ledger, url: str, tmp_path: Path, clock: Clock) -> Iterator[Auditor]:
    triggers = ["journal_never_update", "journal_never_delete"]
    if not url.startswith("sqlite"):
        triggers = ["journal_never_changes ON journal"]
    with raw(url) as connection:
        made = Auditor(ledger, tmp_path, clock, connection)
        for trigger in triggers:
            made.execute(f"DROP TRIGGER {trigger}")
        for first in (1, 5, 9):
            made.note(*(f"d{number}" for number in range(first, first + 4)))
            clock.forward(60)
            made.checkpoint()
        yield made


def store(auditor: Auditor, rows: Iterable[Row]) -> None:
    """Replace the whole table."""
    auditor.execute("DELETE FROM journal")
    for seq, canonical, digest in rows:
        values = {"seq": seq, "hash": digest, "canonical": canonical}
        auditor.execute("INSERT INTO journal (seq, hash, canonical) VALUES (:seq, :hash, :canonical)", **values)


def resealed(records: Iterable[Record], after: Row | None = None) -> list[Row]:
    """These records as a chain of their own, or one that continues a row: all hashes fit."""
    head, rows = Head(after[0], after[2]) if after else Head(0, GENESIS), []
    for record in records:
        entry, canonical = seal(record, OPERATOR, START, head)
        head = Head(entry.seq, entry.hash)
        rows.append((entry.seq, canonical, entry.hash))
    return rows


def said(rows: Iterable[Row]) -> list[Record]:
    """What rows record."""
    found = [json.loads(canonical) for _, canonical, _ in rows]
    return [Record(entry["kind"], entry["body"], entry["subject"]) for entry in found]


def test_an_untouched_journal_is_proven_as_far_as_the_last_checkpoint_that_the_witness_saw(auditor: Auditor) -> None:
    auditor.note("d13", "d14")

    verdict = auditor.verify(pinned=True, witnessed=True)

    assert (verdict.count, verdict.problem) == (20, None)
    assert verdict.sealed is not None
    assert (verdict.sealed.size, verdict.unsealed) == (16, 4)
    assert [told.size for told in verdict.seen.values()] == [16]


# What the chain alone shows


def change(auditor: Auditor) -> None:
    swapped = auditor.rows()[7][1].replace(b'"d6"', b'"dX"')
    auditor.execute("UPDATE journal SET canonical = :swapped WHERE seq = 8", swapped=swapped)


def change_and_hash_again(auditor: Auditor) -> None:
    rows = auditor.rows()
    store(auditor, [*rows[:7], *resealed([records.applied("dX")], rows[6]), *rows[8:]])


def destroy(auditor: Auditor) -> None:
    auditor.execute("UPDATE journal SET canonical = :noise WHERE seq = 8", noise=b"\x00\xff")


def remove(auditor: Auditor) -> None:
    auditor.execute("DELETE FROM journal WHERE seq = 8")


def remove_and_close_the_gap(auditor: Auditor) -> None:
    rows = auditor.rows()
    store(auditor, [*rows[:7], *((place - 1, *row) for place, *row in rows[8:])])  # type: ignore[list-item]


def insert(auditor: Auditor) -> None:
    rows = auditor.rows()
    moved = [(place + 1, *row) for place, *row in rows[7:]]
    store(auditor, [*rows[:7], *resealed([records.applied("dX")], rows[6]), *moved])  # type: ignore[list-item]


def reorder(auditor: Auditor) -> None:
    for old, new in ((8, 99), (9, 8), (99, 9)):
        auditor.execute("UPDATE journal SET seq = :new WHERE seq = :old", new=new, old=old)


def number_anew(auditor: Auditor) -> None:
    auditor.execute("UPDATE journal SET seq = seq + 100 WHERE seq >= 8")


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (change, "entry 8: was changed"),
        (change_and_hash_again, "entry 8: was replaced; entry 9 continues another entry 8"),
        (destroy, "entry 8: cannot be read as an entry"),
        (remove, "entry 8: is missing; entry 9 stands in its place"),
        (remove_and_close_the_gap, "entry 8: is missing; entry 9 stands in its place"),
        (insert, "entry 8: stands twice or was moved"),
        (reorder, "entry 8: is missing; entry 9 stands in its place"),
        (number_anew, "entry 8: is missing; entry 108 stands in its place"),
    ],
)
def test_what_was_done_to_one_entry_is_named_and_nobody_works_on_with_it(
    auditor: Auditor, tamper: Callable[[Auditor], None], told: str
) -> None:
    tamper(auditor)

    problem = proofs.verify(auditor.rows()).problem

    assert problem is not None
    assert problem.startswith(told)
    with pytest.raises(Findings, match=r"The journal is broken at entry 8: .*onboard ledger verify"):
        list(auditor.ledger.journal.entries())
    with pytest.raises(Findings, match="Nothing was signed: the journal is broken at entry 8"):
        auditor.checkpoint()


def test_only_what_is_read_is_checked_by_a_command_that_goes_on_from_where_it_was(auditor: Auditor) -> None:
    change(auditor)

    assert [entry.seq for entry in auditor.ledger.journal.entries(after=16)] == [17, 18]
    with pytest.raises(Findings, match="entry 8: was changed"):
        list(auditor.ledger.journal.entries(after=7, kinds={"fact"}))


def test_the_entry_that_a_reader_goes_on_from_may_not_have_been_exchanged(auditor: Auditor) -> None:
    change_and_hash_again(auditor)

    with pytest.raises(Findings, match="entry 8: was replaced"):
        list(auditor.ledger.journal.entries(after=8))


# What only a checkpoint shows


def test_a_tail_rewritten_with_fitting_hashes_is_denied_by_the_checkpoint_after_it(auditor: Auditor) -> None:
    rows = auditor.rows()
    told = said(rows[7:])
    told[0] = records.applied("dX")
    store(auditor, [*rows[:7], *resealed(told, rows[6])])

    verdict = auditor.verify()

    assert verdict.problem == (
        "entry 5: was replaced (it, or one after it up to entry 10); a checkpoint saw another entry 10"
    )
    assert verdict.count == 4
    with pytest.raises(Findings, match="Nothing was signed"):
        auditor.checkpoint()


def test_a_tail_rewritten_without_its_checkpoints_is_denied_by_the_witness(auditor: Auditor) -> None:
    rows = auditor.rows()
    store(auditor, [*rows[:7], *resealed([records.applied(f"x{number}") for number in range(12)], rows[6])])

    blind, told = auditor.verify(pinned=True), auditor.verify(pinned=True, witnessed=True)

    assert blind.problem is None
    assert (blind.count, blind.unsealed) == (19, 15)
    assert told.problem is not None
    assert told.problem.startswith("entry 5: was replaced (it, or one after it up to entry 10); ")
    assert str(auditor.witness) in told.problem


def test_the_newest_entries_cut_off_are_missed_by_the_witness(auditor: Auditor) -> None:
    auditor.execute("DELETE FROM journal WHERE seq > 14")

    blind, told = auditor.verify(pinned=True), auditor.verify(pinned=True, witnessed=True)

    assert (blind.problem, blind.unsealed) == (None, 4)
    assert told.problem == f"entry 15: is missing; {auditor.witness} saw entry 16"
    assert told.count == 14


def test_the_newest_entries_cut_off_or_exchanged_show_against_a_head_that_was_noted(auditor: Auditor) -> None:
    noted = (16, auditor.rows()[15][2])
    auditor.execute("DELETE FROM journal WHERE seq > 14")

    missing = proofs.verify(auditor.rows(), known=noted).problem
    auditor.note("x", "y")
    replaced = proofs.verify(auditor.rows(), known=noted).problem

    assert missing == "entry 15: is missing; the head noted earlier was entry 16"
    assert replaced is not None
    assert replaced.endswith("the head noted earlier was another entry 16")


def test_a_checkpoint_made_up_without_the_key_is_found(auditor: Auditor) -> None:
    forged = auditor.checkpoint()._replace(size=18, root=auditor.rows()[17][2])
    auditor.ledger.journal.record(Record("checkpoint", forged._asdict()), actor=OPERATOR, at=START)

    assert auditor.verify().problem == "entry 19: it holds a checkpoint, but its signature doesn't fit"


def test_what_only_calls_itself_a_checkpoint_is_found(auditor: Auditor) -> None:
    auditor.ledger.journal.record(Record("checkpoint", {"size": 18}), actor=OPERATOR, at=START)

    assert auditor.verify().problem == "entry 19: calls itself a checkpoint and hasn't the form of one"


def test_a_checkpoint_by_another_key_shows_where_the_key_is_known(auditor: Auditor) -> None:
    auditor.note("d13")
    other = auditor.checkpoint("another.pem")

    assert auditor.verify().problem is None
    problem = auditor.verify(pinned=True).problem
    assert problem == f"entry 20: it holds a checkpoint, but it is signed by another key, {other.key}"


def test_a_journal_without_checkpoints_is_no_proof_to_somebody_who_brings_a_key(auditor: Auditor) -> None:
    store(auditor, resealed([records.applied("x")]))

    assert auditor.verify().problem is None
    assert auditor.verify(pinned=True).problem == "entry 1: nothing vouches for it: it holds no checkpoint"


# What only the witness shows


@pytest.mark.parametrize("key", ["new.pem", "key.pem"])
def test_a_journal_replaced_as_a_whole_is_revealed_by_the_witness_alone(auditor: Auditor, key: str) -> None:
    """With a key of the forger's own, and with the true one stolen."""
    kept = auditor.witness.read_text()
    store(auditor, [])
    for first in range(1, 13, 4):
        auditor.note(*(f"x{number}" for number in range(first, first + 4)))
        auditor.checkpoint(key)
    auditor.witness.write_text(kept)

    assert auditor.verify().problem is None
    assert (auditor.verify(pinned=True).problem is None) == (key == "key.pem")
    problem = auditor.verify(witnessed=True).problem
    assert problem == (
        f"entry 1: was replaced (it, or one after it up to entry 4); {auditor.witness} saw another entry 4"
    )


def test_a_line_missing_from_the_witness_is_named(auditor: Auditor) -> None:
    lines = auditor.witness.read_text().splitlines(keepends=True)
    auditor.witness.write_text(lines[0] + lines[2])

    problem = auditor.verify(witnessed=True).problem

    assert problem == f"entry 11: its checkpoint isn't in {auditor.witness}: removed there, or never published"


def test_a_line_made_up_in_the_witness_is_named(auditor: Auditor) -> None:
    lines = auditor.witness.read_text().splitlines(keepends=True)
    auditor.witness.write_text(lines[0] + lines[1].replace('"size":10', '"size":9') + lines[2])

    problem = auditor.verify(witnessed=True).problem

    assert problem == f"entry 9: {auditor.witness} holds a checkpoint, but its signature doesn't fit"


def test_a_witness_that_was_emptied_vouches_for_nothing(auditor: Auditor) -> None:
    auditor.witness.write_text("")

    problem = auditor.verify(witnessed=True).problem

    assert problem == f"entry 1: nothing vouches for it: {auditor.witness} holds no checkpoint"


def test_what_was_copied_from_a_channel_counts_as_a_witness(auditor: Auditor) -> None:
    """As people copy it, and as an export of the channel quotes it."""
    lines = auditor.witness.read_text().splitlines()
    auditor.witness.write_text(
        f"onboard, 09:12\n```{lines[0]}```\nthanks!\n" + json.dumps({"text": lines[1]}) + lines[2]
    )

    verdict = auditor.verify(pinned=True, witnessed=True)

    assert verdict.problem is None
    assert verdict.seen[str(auditor.witness)].size == 16


# Any tampering


@st.composite
def tampered(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """A chain, and what became of it by a few blows."""
    digests = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
    rows = resealed(map(records.applied, digests))
    hit = list(rows)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(hit)))
        forged = resealed(
            map(records.applied, draw(st.lists(st.sampled_from("ab"), min_size=1, max_size=3))), *hit[at - 1 : at]
        )
        match draw(st.sampled_from(["remove", "insert", "replace", "repeat", "swap", "rewrite", "cut"])):
            case "remove":
                del hit[at : at + 1]
            case "insert":
                hit[at:at] = forged
            case "replace":
                hit[at : at + len(forged)] = forged
            case "repeat":
                hit[at:at] = hit[at : at + 2]
            case "swap":
                hit[at : at + 2] = reversed(hit[at : at + 2])
            case "rewrite":
                hit[at:] = resealed(said(hit[at + 1 :]), *hit[at - 1 : at])
            case "cut":
                del hit[at:]
    return rows, hit


SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


def signed(row: Row) -> Checkpoint:
    """A checkpoint of a journal that ends with this row."""
    key = base64.b64encode(SIGNER.public_key().public_bytes_raw()).decode()
    draft = Checkpoint(f"{START:%Y-%m-%dT%H:%M:%S.%fZ}", key, row[2], "", row[0])
    return draft._replace(signature=base64.b64encode(SIGNER.sign(draft.statement())).decode())


@given(tampered())
def test_the_first_entry_that_was_touched_is_named_whatever_was_done(case: tuple[list[Row], list[Row]]) -> None:
    """By a witness of every entry, exactly; one of the last alone still shows that something was touched."""
    rows, hit = case
    places = [(place, canonical, digest) for place, (_, canonical, digest) in enumerate(hit, start=1)]
    touched = [n for n, (was, is_) in enumerate(zip_longest(rows, places), start=1) if was != is_ and n <= len(rows)]
    head = (len(rows), rows[-1][2])

    vague = proofs.verify(places, known=head)
    exact = proofs.verify(places, witnesses={"w": [signed(row) for row in rows]})

    if touched:
        assert vague.problem is not None
        assert exact.problem is not None
        named = int(exact.problem.removeprefix("entry ").partition(":")[0])
        assert named == touched[0] or (named < touched[0] and "stands twice" in exact.problem)
