"""Whose word a team's is: `teams: {team-payments: [p-…, p-…]}`, a manifest like vendors and engagements.

The teams are those that resources.yaml names as owners; people are full ids, of those on record where that is known.
Vendors' people named here count for nothing: a team's word is given by the company's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from onboard.model import PERSON_ID, SLUG
from onboard.policy.files.strict import Block, Notes, did_you_mean


def teams_in(
    files: Sequence[Block], owners: Collection[str], people: Collection[str] | None, notes: Notes
) -> Mapping[str, tuple[str, ...]] | None:
    """The teams, of which one of these files tells; None where none does."""
    for other in files[1:]:
        notes.add(other.at("teams"), f"teams stand in {files[0].at('teams')} already. Put them into one file.")
    return _teams(files[0], owners, people) if files else None


def _teams(file: Block, owners: Collection[str], people: Collection[str] | None) -> Mapping[str, tuple[str, ...]]:
    """The teams in a file, after noting what is wrong with them."""
    block = file.block("teams", "the teams, each with the ids of its people")
    found: dict[str, tuple[str, ...]] = {}
    for item in block:
        if not SLUG.fullmatch(item.text):
            block.note(item.text, f"team {item.text!r}: use lower-case letters, digits and hyphens only.")
        elif item.text not in owners:
            block.note(item.text, f"{item.text} owns nothing in resources.yaml.{did_you_mean(item.text, owners)}")
        named = tuple(person.text for person in block.items(item.text, required=True))
        for person in block.items(item.text):
            if not PERSON_ID.fullmatch(person.text):
                wanted = "write the person's full id, p- and 32 hex digits: no name, no prefix"
                block.notes.add(person.source, f"{item.text} names {person.text!r}; {wanted}.")
            elif people is not None and person.text not in people:
                enter = "Enter them with onboard person add, or correct the id"
                block.notes.add(person.source, f"{item.text} names {person.text}, who is nobody on record. {enter}.")
        found[item.text] = named
    return MappingProxyType(found)
