"""
The tax agency's schemas, and its checks as an independent program makes them.

Both come with the package django-verifactu. It finds the schema of signatures beside the others, so
that nothing is asked of the network.
"""

from decimal import Decimal

from django_verifactu.aeat import codes, domain  # type: ignore[import-untyped]
from django_verifactu.aeat.schemas import schema_violations  # type: ignore[import-untyped]
from django_verifactu.aeat.validation import (  # type: ignore[import-untyped]
    validate_chain,
    validate_invoice,
    validate_software,
)
from kreyo_verifactu_hash_calculator import RegistroAltaInput, compute_registro_alta
from lxml import etree  # type: ignore[import-untyped]

from billing.domain.verifactu import FiscalRecord, Recipient, TaxRow, amount, day
from billing.verifactu.record import record_xml


def broken(record: FiscalRecord) -> list[str]:
    """Return what the schema and the checks find wrong with a record."""
    said, previous = record.declaration, record.previous
    software = domain.BillingSoftware(
        producer=domain.Party(record.system.producer, record.system.producer_tax_id),
        name=record.system.name,
        system_id=record.system.id,
        version=record.system.version,
        installation_number=record.system.installation,
        multiple_taxpayers_possible=True,
        multiple_taxpayers=False,
    )
    before = previous and domain.PreviousRecord(
        said.seller_tax_id, previous.number, previous.issue_date, previous.huella
    )
    violations = [
        *schema_violations(etree.fromstring(record_xml(record)), "SuministroInformacion"),
        *validate_invoice(_invoice(record), said.issue_date),
        *validate_chain(before),
        *validate_software(software, said.issue_date),
    ]
    return [f"{each.code} {each.message}" for each in violations]


def other_huella(record: FiscalRecord) -> str:
    """Compute the fingerprint of a record by another program."""
    said, previous = record.declaration, record.previous
    fingerprint: str = compute_registro_alta(
        RegistroAltaInput(
            said.seller_tax_id,
            said.number,
            day(said.issue_date),
            said.type,
            amount(said.tax),
            amount(said.total),
            previous.huella if previous else "",
            record.generated_at,
        )
    )
    return fingerprint


def _invoice(record: FiscalRecord) -> domain.Invoice:
    said, amendment = record.declaration, record.amendment
    corrects = said.corrects
    return domain.Invoice(
        issuer_tax_id=said.seller_tax_id,
        issuer_name=said.seller_name,
        invoice_number=said.number,
        issue_date=said.issue_date,
        description=said.description,
        recipients=(_party(said.recipient),) if said.recipient else (),
        lines=tuple(map(_line, said.rows)),
        operation_date=said.operation_date,
        invoice_type=codes.InvoiceType(said.type),
        correction_type=codes.CorrectionType.DIFFERENCES if said.is_credit else None,
        corrected_invoices=(
            (domain.InvoiceId(said.seller_tax_id, corrects.number, corrects.issue_date),)
            if corrects
            else ()
        ),
        without_recipient_art_61d=said.without_recipient,
        amendment=amendment is not None,
        previous_rejection=(
            codes.PreviousRejection(amendment.previous_rejection) if amendment else None
        ),
    )


def _party(recipient: Recipient) -> domain.Party:
    if recipient.tax_id:
        return domain.Party(recipient.name, recipient.tax_id)
    assert recipient.id_type
    foreign = domain.ForeignId(codes.IdType(recipient.id_type), recipient.id, recipient.country)
    return domain.Party(recipient.name, foreign_id=foreign)


def _line(row: TaxRow) -> domain.TaxLine:
    return domain.TaxLine(
        base=row.base,
        rate=None if row.rate is None else Decimal(row.rate),
        tax=row.amount,
        tax_type=codes.TaxType(row.tax),
        regime=codes.RegimeKey(row.regime),
        qualification=(None if row.is_exempt else codes.OperationQualification(row.treatment)),
        exemption=codes.ExemptionCause(row.treatment) if row.is_exempt else None,
    )
