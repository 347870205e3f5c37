"""The ledger under load: appends from many writers, and reading a long journal.

    python benchmarks/ledger.py [--entries 1000000] [--writers 8] [--batch 50] [--appends 16000]

Appends: writer processes on one ledger, each batch a transaction that is on disk when it returns. PostgreSQL runs with
its settings as shipped (fsync on), from the wheel that the tests use. Reading: a journal of grants and revocations over
three years by 5,000 people, stored as the ledger stores it, in SQLite. Verifying is what `onboard ledger verify` does.
The projection of who held what when is read from the journal once; then questions are asked of it. So is what still
matters, from which every later command starts: that is measured in a process of its own, with its memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeVar

from common import conclude, now, peak_memory_mb
from sqlalchemy import func, insert, select

from onboard.ledger import ChangeRecord, Ledger, Record, Result, records
from onboard.ledger.entries import GENESIS, Head, seal
from onboard.ledger.proof.proofs import verify
from onboard.ledger.storage.tables import journal, matters
from onboard.model import OPERATOR, Receipt, Resource

sys.path.append(str(Path(__file__).parents[1]))
from tests.postgres import postgres

BEGAN = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
PEOPLE = 5000
#: What each person is given and, once they have it all, loses again.
RESOURCES = [Resource("github", "repo", f"acme/service-{number}") for number in range(10)]
SOMEONE = f"p-{7:032x}"
#: The day that is asked about.
DAY = BEGAN + YEARS * 0.55
#: Rows that are stored at once.
PAGE = 10_000

T = TypeVar("T")


def appending(url: str, batch: int, batches: int, begin: Barrier) -> None:
    """One writer: batches of facts, each a transaction."""
    ledger = Ledger.open(url, now)
    told = [records.happened("nda_signed", f"p-{number:032x}") for number in range(batch)]
    begin.wait()
    for _ in range(batches):
        ledger.journal.append_many(told, actor=OPERATOR, at=now())
    ledger.close()


def appends(url: str, writers: int, batch: int, total: int) -> float:
    """Entries per second of all writers together, from when all of them were ready."""
    Ledger.begin(url, now).close()
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(writers + 1)
    each = (url, batch, max(1, total // writers // batch), begin)
    processes = [spawn.Process(target=appending, args=each) for _ in range(writers)]
    for process in processes:
        process.start()
    begin.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - began
    ledger = Ledger.open(url, now)
    written, problem = ledger.journal.head().seq, verify(ledger.journal.rows()).problem
    ledger.close()
    if problem or written != writers * batch * each[2] or any(process.exitcode for process in processes):
        raise SystemExit(f"{written} entries were written; {problem or 'a writer failed'}")
    return written / seconds


def story(entries: int) -> Iterator[tuple[Record, datetime]]:
    """Grants and revocations, each intended and done, by all people in turn."""
    writes = entries // 2
    for number in range(writes):
        turn, who = divmod(number, PEOPLE)
        round_, place = divmod(turn, len(RESOURCES))
        levels = (None, "push") if round_ % 2 == 0 else ("push", None)
        person, at = f"p-{who:032x}", BEGAN + YEARS * number / writes
        change = ChangeRecord(person, "github", f"a-{who:032x}", RESOURCES[place], *levels)
        yield records.intended("d" * 64, change), at
        done = at + timedelta(seconds=1)
        yield records.outcome(2 * number + 1, Result.DONE, Receipt("204", done, f"req-{number}")), done


def fill(ledger: Ledger, entries: int) -> None:
    """Store the story as the journal would, without a transaction for each entry."""
    head, rows = Head(0, GENESIS), []
    for record, at in story(entries):
        entry, canonical = seal(record, OPERATOR, at, head)
        head = Head(entry.seq, entry.hash)
        rows.append({"seq": entry.seq, "hash": entry.hash, "canonical": canonical})
        if len(rows) == PAGE:
            _store(ledger, rows)
            rows = []
    _store(ledger, rows)


def _store(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    if rows:
        with ledger.database.writing() as connection:
            connection.execute(insert(journal), rows)


def timed(what: str, work: Callable[[], T]) -> tuple[T, float]:
    """What the work returned, and how many seconds it took. Of those the processor's tell it from a busy machine."""
    began, busy = time.perf_counter(), time.process_time()
    result = work()
    seconds, busy = round(time.perf_counter() - began, 3), time.process_time() - busy
    print(f"{what:<50} {seconds:>9.3f} s, {busy:.3f} s of a processor", flush=True)
    return result, seconds


def ledger_url(folder: Path) -> str:
    """The long journal."""
    return f"sqlite:///{folder / 'long.db'}"


def starting(url: str, asked: Callable[[Ledger], object]) -> tuple[float, int, int]:
    """What a process of its own takes for that: seconds, most memory in MB; and how many entries matter."""
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[tuple[float, int, int]] = spawn.Queue()
    process = spawn.Process(target=_start, args=(url, asked, told))
    process.start()
    found = told.get(timeout=600)
    process.join()
    return found


def _start(url: str, asked: Callable[[Ledger], object], told: multiprocessing.Queue[tuple[float, int, int]]) -> None:
    began, ledger = time.perf_counter(), Ledger.open(url, now)
    asked(ledger)
    seconds = round(time.perf_counter() - began, 3)
    with ledger.database.reading() as connection:
        count = connection.scalar(select(func.count()).select_from(matters)) or 0
    told.put((seconds, peak_memory_mb(), count))
    ledger.close()


def that_day(ledger: Ledger) -> None:
    """What `onboard access PERSON --as-of DAY` reads: people and policies then, what was held, what it rested on."""
    then, held = ledger.as_of(DAY), ledger.history.held(DAY, person=SOMEONE)
    behind = ledger.archive.of_attempts(held)
    if not held or not then.seq or any(behind.episode(one.entry).intent.outcome is None for one in held):
        raise SystemExit(f"of that day {len(held)} grants were found, or not all that they rested on")


def reading(folder: Path, entries: int) -> dict[str, float]:
    """Seconds that a long journal takes to verify, to project, to ask and to start from."""
    ledger = Ledger.begin(ledger_url(folder), now)
    timed(f"(storing {entries:,} entries)", lambda: fill(ledger, entries))
    verdict, verifying = timed("verifying them over their stored bytes", lambda: verify(ledger.journal.rows()))
    if verdict.problem or verdict.count != entries // 2 * 2:
        raise SystemExit(f"verified {verdict.count} of {entries}: {verdict.problem}")
    _, projecting = timed("reading the projection from the journal, once", ledger.history.catch_up)
    held, everybody = timed("who held what on that day: everybody", lambda: ledger.history.held(DAY))
    resource = str(RESOURCES[3])
    mine, person = timed("what one person held that day", lambda: ledger.history.held(DAY, person=SOMEONE))
    theirs, who = timed("who held one resource that day", lambda: ledger.history.held(DAY, resource=resource))
    print(f"    {len(held):,} grants of everybody, {len(mine):,} of one person, {len(theirs):,} on one resource")
    ledger.close()
    first, building = timed("the first command on it, which sorts out what matters", ledger.register)
    again, memory, started = starting(ledger_url(folder), Ledger.register)
    print(f"    {started:,} entries matter; a command that begins takes {again} s and {memory} MB")
    asking, most, _ = starting(ledger_url(folder), that_day)
    print(f"    what one person held that day, and on what it rested, takes a command {asking} s and {most} MB")
    _, within = timed("the register asked again in the same process", ledger.register)
    ledger.close()
    if first.seq != verdict.count:
        raise SystemExit(f"the register stopped at entry {first.seq}")
    return {
        "verify_seconds": verifying,
        "project_seconds": projecting,
        "held_by_all_seconds": everybody,
        "held_by_one_seconds": person,
        "holders_of_one_seconds": who,
        "first_register_seconds": building,
        "start_seconds": again,
        "start_memory_mb": memory,
        "as_of_seconds": asking,
        "as_of_memory_mb": most,
        "register_again_seconds": within,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("entries", 1_000_000), ("writers", 8), ("batch", 50), ("appends", 16_000)):
        options.add_argument(f"--{name}", type=int, default=default)
    given = options.parse_args()
    load = (given.writers, given.batch, given.appends)
    with postgres({}) as server, tempfile.TemporaryDirectory() as folder:
        print(f"{given.writers} writers, batches of {given.batch}, entries a second:", flush=True)
        on_server = round(appends(server.create("appends"), *load))
        print(f"    PostgreSQL {on_server:,}", flush=True)
        in_file = round(appends(f"sqlite:///{folder}/appends.db", *load))
        print(f"    SQLite     {in_file:,}", flush=True)
        figures = reading(Path(folder), given.entries)
    sizes = {name: getattr(given, name) for name in ("entries", "writers", "batch", "appends")}
    rates = {"postgresql_appends_per_second": on_server, "sqlite_appends_per_second": in_file}
    conclude({"benchmark": "ledger", **sizes, **rates, **figures, "peak_memory_mb": peak_memory_mb()})


if __name__ == "__main__":
    main()
