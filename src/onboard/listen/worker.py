"""Carries out what came in, one answer after another, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from onboard.errors import OnboardError, Waiting
from onboard.ledger import Ledger
from onboard.ledger.privacy.answers import Answers
from onboard.lifecycle import answers, notices
from onboard.wiring import Services

#: Seconds between two looks at what is open: what failed is tried again then, and what other listeners left.
EVERY = 15.0
log = logging.getLogger("onboard.listen")


class Worker:
    """`build` makes the services anew for each batch, so that the policies are those in force then."""

    def __init__(self, ledger: Ledger, build: Callable[[], Services], tell: answers.Tell, every: float = EVERY) -> None:
        self._ledger = ledger
        self._build = build
        self._tell = tell
        self._every = every
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="onboard-answers", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it is at work."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Something came in."""
        self._due.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """At work as long as this lasts. At the end it finishes the batch it is at; what is open stays so."""
        self._due.set()
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._due.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._due.wait(self._every)
            self._due.clear()
            if not self._stop.is_set():
                self._batch()

    def _batch(self) -> None:
        """Whatever goes wrong, the next batch comes. Logged is what kind of error it was: its text may name people."""
        try:
            if Answers(self._ledger).open():
                self._work_off()
        except Waiting:
            log.info("another worker is at it")
        except OnboardError as failure:
            log.error("answers could not be carried out, and stay open: %s", type(failure).__name__)
        except Exception as fault:  # noqa: BLE001 - a fault in one batch must not end the listener
            log.error("a fault while carrying out answers, which stay open: %s", type(fault).__name__)

    def _work_off(self) -> None:
        """Carry out what is open, then bring the messages about it up to date."""
        services = self._build()
        try:
            try:
                answers.work_off(services, self._tell)
            finally:
                told = notices.tell(services)
        finally:
            services.close()
        for failure in told.failed:
            log.warning("an approver could not be told: %s", failure)
