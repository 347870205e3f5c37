"""The simulators under requests made up from the vendors' descriptions: no 500, errors as the vendors word them."""

from __future__ import annotations

import pytest

from onboard.sandbox.client import SandboxClient
from tests.contract.fuzzing import POOLS, Fuzz
from tests.contract.vendors import Rules, Vendors


@pytest.mark.parametrize("api", POOLS)
def test_made_up_requests_are_answered_as_the_vendor_describes(
    api: str, vendors: Vendors, rules: Rules, sandbox: SandboxClient
) -> None:
    fuzz = Fuzz(api, vendors[api], sandbox)

    findings = fuzz.run()

    assert fuzz.sent > 20
    assert rules.left(api, findings) == []
