"""How plain scalars of a policy file are read: as YAML 1.2 says, whoever composes them."""

from __future__ import annotations

import pytest

from onboard.policy.files.nodes import TAG, MappingNode, composed


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("no", "str"),  # Norway, not false
        ("on", "str"),
        ("12:30", "str"),
        ("1_000", "str"),
        ("true", "bool"),
        ("7", "int"),
        ("1.5", "float"),
        ("~", "null"),
        ("", "null"),
        ("2027-02-30", "timestamp"),
        ("'2027-02-28'", "str"),
    ],
)
def test_a_plain_scalar_is_what_yaml_1_2_says_of_it(written: str, kind: str) -> None:
    node = composed(f"key: {written}\n")

    assert isinstance(node, MappingNode)
    assert node.value[0][1].tag == TAG + kind


def test_nothing_is_merged_into_a_mapping() -> None:
    node = composed("role: {<<: {title: x}}\n")

    assert isinstance(node, MappingNode)
    assert node.value[0][1].value[0][0].tag == f"{TAG}str"
