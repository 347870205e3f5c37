"""How the journal's bodies spell receipts, vendors and engagements, and what is read back from them.

Bodies written before a field was there are read as having none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from onboard.ledger.entries import Json
from onboard.model import (
    AccountKind,
    Classification,
    Engagement,
    EngagementModel,
    Receipt,
    Source,
    Staffing,
    Vendor,
)
from onboard.rota import Shift


def receipt_json(receipt: Receipt) -> dict[str, Json]:
    """The three fields of a receipt that may be kept."""
    return {"status": receipt.status, "request_id": receipt.request_id, "at": receipt.at.astimezone(UTC).isoformat()}


def receipt_of(body: Mapping[str, Any]) -> Receipt:
    """The receipt as far as it was kept."""
    return Receipt(body["status"], datetime.fromisoformat(body["at"]), body["request_id"])


def vendor_json(vendor: Vendor) -> dict[str, Json]:
    """A vendor as the journal spells it."""
    return {
        "id": vendor.id,
        "name": vendor.name,
        "contract_starts": vendor.contract_starts.isoformat(),
        "contract_ends": vendor.contract_ends.isoformat(),
        "data_processing_agreement": _iso(vendor.data_processing_agreement),
        "source": _source_json(vendor.source),
    }


def vendor_of(body: Mapping[str, Any]) -> Vendor:
    """The vendor that a body spells; older ones name no agreement. Raises KeyError, ValueError."""
    starts, ends = date.fromisoformat(body["contract_starts"]), date.fromisoformat(body["contract_ends"])
    agreement = _day(body.get("data_processing_agreement"))
    return Vendor(body["id"], body["name"], starts, ends, Source(**body["source"]), agreement)


_NAMES = ("id", "name", "vendor", "sponsor", "product_owner", "vendor_lead", "company_lead")


def engagement_json(engagement: Engagement) -> dict[str, Json]:
    """An engagement as the journal spells it."""
    return {
        **{name: getattr(engagement, name) for name in _NAMES},
        "model": engagement.model.value,
        "classification": engagement.classification.value,
        "starts": engagement.starts.isoformat(),
        "ends": engagement.ends.isoformat(),
        "staffing": [_staffing_json(line) for line in engagement.staffing],
        "account_kinds": {system: kind.value for system, kind in engagement.account_kinds.items()},
        "locations": list(engagement.locations),
        "rota": [{"person": s.person, "from": _iso(s.starts), "until": _iso(s.ends)} for s in engagement.rota],
        "source": _source_json(engagement.source),
    }


def engagement_of(body: Mapping[str, Any]) -> Engagement:
    """The engagement that a body spells; older ones name no locations and no rota. Raises KeyError, ValueError."""
    return Engagement(
        **{name: body[name] for name in _NAMES},
        model=EngagementModel(body["model"]),
        classification=Classification(body["classification"]),
        starts=date.fromisoformat(body["starts"]),
        ends=date.fromisoformat(body["ends"]),
        staffing=tuple(map(_staffing_of, body["staffing"])),
        account_kinds=MappingProxyType({name: AccountKind(kind) for name, kind in body["account_kinds"].items()}),
        locations=tuple(body.get("locations", ())),
        rota=tuple(map(_shift_of, body.get("rota", ()))),
        source=Source(**body["source"]),
    )


def _staffing_json(line: Staffing) -> dict[str, Json]:
    return {
        "person": line.person,
        "role": line.role,
        "source": _source_json(line.source),
        "starts": _iso(line.starts),
        "ends": _iso(line.ends),
        "location": line.location,
    }


def _staffing_of(body: Mapping[str, Any]) -> Staffing:
    starts, ends = _day(body["starts"]), _day(body["ends"])
    return Staffing(body["person"], body["role"], Source(**body["source"]), starts, ends, body.get("location"))


def _shift_of(body: Mapping[str, str]) -> Shift:
    return Shift(body["person"], date.fromisoformat(body["from"]), date.fromisoformat(body["until"]))


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _source_json(source: Source) -> dict[str, Json]:
    return {"file": source.file, "line": source.line}
