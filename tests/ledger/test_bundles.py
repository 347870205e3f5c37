from __future__ import annotations

import pytest

from onboard.errors import BadInput, OnboardError
from onboard.ledger import Ledger

FILES = {"roles/qa-engineer.yaml": "role: qa-engineer\n", "resources.yaml": "größer: ja\n"}


def test_a_bundle_that_was_never_kept_is_bad_input(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="No policy with the hash 4be1d07"):
        ledger.bundles.get("4be1d07")


def test_one_hash_never_stands_for_two_policies(ledger: Ledger) -> None:
    ledger.bundles.keep("4be1d07", FILES)

    with pytest.raises(OnboardError, match="claim the same hash"):
        ledger.bundles.keep("4be1d07", {**FILES, "resources.yaml": ""})


def test_a_bundle_is_kept_once_and_comes_back_as_it_was(ledger: Ledger) -> None:
    ledger.bundles.keep("4be1d07", FILES)
    ledger.bundles.keep("4be1d07", FILES)

    assert ledger.bundles.get("4be1d07") == FILES
