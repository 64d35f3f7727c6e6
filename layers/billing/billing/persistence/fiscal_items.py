"""Fiscal records as items keep them: what is hashed or is no secret, and what is personal."""

from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from billing import config
from billing.domain.parties import FiscalService, Org
from billing.domain.records import Record, instant, to_instant, to_json
from billing.domain.verifactu import (
    SYSTEM_ID,
    SYSTEM_NAME,
    SYSTEM_VERSION,
    AgencyError,
    Amendment,
    CorrectedDocument,
    Declaration,
    FiscalEnd,
    FiscalRecord,
    FiscalSetting,
    IdType,
    KeptRecord,
    Link,
    Recipient,
    RecordState,
    RecordType,
    System,
    TaxRow,
    Verdict,
)
from billing.persistence.dynamodb import Item, Key, int_of, joined, padded
from billing.persistence.numbering import numbered


def fiscal_system(org_id: str) -> System | None:
    """Return the system that issues, with the installation of an org; None where nobody is."""
    if not config.verifactu_producer():
        return None
    return System(
        producer=config.verifactu_producer(),
        producer_tax_id=config.verifactu_producer_tax_id(),
        name=SYSTEM_NAME,
        id=SYSTEM_ID,
        version=SYSTEM_VERSION,
        installation=f"{config.verifactu_installation()}-{org_id}",
    )


def fiscal_setting(org: Org, *, is_sent: bool) -> FiscalSetting | None:
    """
    Return how the records of an org are made; None where nobody answers for the software.

    Those of sandboxes are for the test service only, and for nobody once a clock was set.
    """
    system = fiscal_system(org.id)
    if system is None:
        return None
    service = FiscalService.TEST if org.sandbox else FiscalService(config.verifactu_service())
    return FiscalSetting(system, service, is_sent)


def place_in_fiscal(org_id: str, state: RecordState, position: int) -> dict[str, Any]:
    """Return the attributes that list a record by its state, in the order of the chain."""
    return {
        "fiscal_list": {"S": fiscal_list(org_id, state)},
        "fiscal_place": {"S": padded(position)},
    }


UNSENT = "unsent"
"""The list of the lanes that have unsent records."""


def place_in_unsent(org_id: str) -> dict[str, Any]:
    """Return the attributes that list the lane of an org as one with unsent records."""
    return {"fiscal_list": {"S": UNSENT}, "fiscal_place": {"S": org_id}}


def fiscal_list(org_id: str, state: RecordState) -> str:
    return joined(org_id, state)


def record_attributes(org_id: str, record: FiscalRecord, state: RecordState) -> dict[str, Any]:
    """Return the attributes of a new record, which no other attribute of its item is like."""
    said = record.declaration
    kept = {
        "position": record.position,
        "huella": record.huella,
        "service": record.service.value,
        "generated_at": record.generated_at,
        "previous": _link_record(record.previous),
        "amendment": record.amendment
        and [record.amendment.is_known, record.amendment.after_rejection],
        "system": [
            record.system.producer,
            record.system.producer_tax_id,
            record.system.name,
            record.system.id,
            record.system.version,
            record.system.installation,
        ],
        "seller": [said.seller_tax_id, said.seller_name],
        "number": said.number,
        "issue_date": said.issue_date.isoformat(),
        "type": said.type.value,
        "corrects": said.corrects and [said.corrects.number, said.corrects.issue_date.isoformat()],
        "operation_date": said.operation_date and said.operation_date.isoformat(),
        "without_recipient": said.without_recipient,
        "rows": [
            [row.tax, row.regime, row.treatment, _text(row.rate), str(row.base), _text(row.amount)]
            for row in said.rows
        ],
    }
    personal: Record = {"description": said.description, "recipient": None}
    if said.recipient:
        who = said.recipient
        personal["recipient"] = [who.name, who.tax_id, who.id_type, who.id, who.country]
    return {
        "fiscal": {"S": to_json(kept)},
        "fiscal_personal": {"S": to_json(personal)},
        "fiscal_state": {"S": state.value},
        **place_in_fiscal(org_id, state, record.position),
    }


def verdict_attribute(verdict: Verdict) -> dict[str, str]:
    """Write what the agency answered."""
    return {
        "S": to_json(
            {
                "sent_at": instant(verdict.sent_at),
                "csv": verdict.csv,
                "errors": [[each.code, each.message] for each in verdict.errors],
            }
        )
    }


def verdict_without_words(item: Item) -> dict[str, Any]:
    """Return the verdict of an item, if it has one, without the agency's words about a buyer."""
    if "fiscal_verdict" not in item:
        return {}
    kept = orjson.loads(item["fiscal_verdict"]["S"])
    wordless = [[code, ""] for code, _ in kept["errors"]]
    return {"fiscal_verdict": {"S": to_json({**kept, "errors": wordless})}}


def is_record(item: Item) -> bool:
    return "fiscal" in item


def amendment_key(org_id: str, position: int) -> Key:
    """Return the key of a record that takes the place of another."""
    return joined("fiscal", org_id), padded(position)


def amendments_of(item: Item) -> list[int]:
    """Return the positions of the records that amend that of an item, oldest first."""
    positions: list[int] = []
    if "fiscal_amendments" in item:
        positions = orjson.loads(item["fiscal_amendments"]["S"])
    return positions


def to_kept_record(org_id: str, item: Item) -> KeptRecord:
    """Read the record of an item."""
    state = RecordState(item["fiscal_state"]["S"])
    personal = orjson.loads(item["fiscal_personal"]["S"]) if "fiscal_personal" in item else None
    return KeptRecord(
        key=numbered(org_id, item),
        record=_to_record(orjson.loads(item["fiscal"]["S"]), personal),
        state=state,
        verdict=_to_verdict(state, item["fiscal_verdict"]["S"])
        if "fiscal_verdict" in item
        else None,
        amended="fiscal_list" not in item,
        erased=personal is None,
    )


def _to_record(kept: Record, personal: Record | None) -> FiscalRecord:
    corrects, operation_date = kept["corrects"], kept["operation_date"]
    return FiscalRecord(
        position=kept["position"],
        declaration=Declaration(
            seller_tax_id=kept["seller"][0],
            seller_name=kept["seller"][1],
            number=kept["number"],
            issue_date=date.fromisoformat(kept["issue_date"]),
            type=RecordType(kept["type"]),
            corrects=corrects and CorrectedDocument(corrects[0], date.fromisoformat(corrects[1])),
            operation_date=operation_date and date.fromisoformat(operation_date),
            description=personal["description"] if personal else "",
            without_recipient=kept["without_recipient"],
            recipient=_to_recipient(personal["recipient"]) if personal else None,
            rows=tuple(
                TaxRow(tax, regime, treatment, _decimal(rate), Decimal(base), _decimal(charged))
                for tax, regime, treatment, rate, base, charged in kept["rows"]
            ),
        ),
        amendment=kept["amendment"] and Amendment(*kept["amendment"]),
        system=System(*kept["system"]),
        service=FiscalService(kept["service"]),
        generated_at=kept["generated_at"],
        previous=_to_link(kept["previous"]),
        huella=kept["huella"],
    )


def _to_recipient(kept: list[Any] | None) -> Recipient | None:
    if kept is None:
        return None
    name, tax_id, id_type, id_, country = kept
    return Recipient(name, tax_id, id_type and IdType(id_type), id_, country)


def _to_verdict(state: RecordState, text: str) -> Verdict:
    kept = orjson.loads(text)
    errors = tuple(AgencyError(*each) for each in kept["errors"])
    return Verdict(state, to_instant(kept["sent_at"]), kept["csv"], errors)


def end_attributes(end: FiscalEnd) -> dict[str, Any]:
    """Return the attributes of a lane that say where its chain of fiscal records ends."""
    kept = [_link_record(end.link), end.generated_at, end.installation]
    return {"fiscal_position": {"N": str(end.position)}, "fiscal_end": {"S": to_json(kept)}}


def to_fiscal_end(lane: Item) -> FiscalEnd:
    """Read the end of the chain of fiscal records from the item of its lane."""
    if "fiscal_end" not in lane:
        return FiscalEnd()
    link, generated_at, installation = orjson.loads(lane["fiscal_end"]["S"])
    return FiscalEnd(int_of(lane, "fiscal_position"), _to_link(link), generated_at, installation)


def _link_record(link: Link | None) -> list[str] | None:
    return [link.number, link.issue_date.isoformat(), link.huella] if link else None


def _to_link(kept: list[str] | None) -> Link | None:
    return Link(kept[0], date.fromisoformat(kept[1]), kept[2]) if kept else None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
