"""v1 billing: the fiscal records of documents, and the declaration of this software."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from billing.dialects.fields import Dto, ExternalIdText, Instant, NextCursor
from billing.domain.declaration import TITLE, Statement
from billing.domain.verifactu import IdType, KeptRecord, RecordState, RecordType

State = Annotated[RecordState, Field(strict=False)]
BuyerIdType = Literal["passport", "national_id", "residence_certificate", "other", "not_in_census"]


class FiscalErrorDTO(Dto):
    """What the tax agency finds wrong with a record."""

    code: str = Field(description="Code of the error in the agency's list, such as `1239`.")
    message: str = Field(description="The agency's own words, in Spanish.")


class FiscalRecordDTO(Dto):
    """The fiscal record of an invoice or a credit note, and what became of it."""

    account_id: str = Field(description="Id of the account that the document is for.")
    invoice_id: str = Field(description="Id of the document that is declared.")
    number: str = Field(description="Number of the document that is declared.")
    state: State = Field(
        description="`pending` until the tax agency has answered; then `accepted`, "
        "`accepted_with_errors` or `rejected`. `not_sent` in a sandbox whose clock was set."
    )
    type: Annotated[RecordType, Field(strict=False)] = Field(
        description="Type of the document (TipoFactura): `F1` invoice, `F2` invoice without the "
        "buyer's tax id, `R1` and `R4` credit notes, `R5` credit note of an F2."
    )
    huella: str = Field(
        description="Fingerprint of the record: SHA-256 in capital hexadecimal digits."
    )
    previous_huella: str = Field(
        description="Fingerprint of the record before it in the chain; empty for the first one."
    )
    installation: str = Field(description="Number of the installation that has the chain.")
    qr_url: str = Field(description="Address in the QR code: the agency verifies the document.")
    csv: str | None = Field(
        None,
        exclude_if=lambda csv: csv is None,
        description="Código Seguro de Verificación of the agency's answer. Left out before it.",
    )
    errors: list[FiscalErrorDTO] = Field(description="What the agency finds wrong; often nothing.")
    sent_at: Instant | None = Field(
        None,
        exclude_if=lambda sent_at: sent_at is None,
        description="The instant at which it was sent, in UTC. Left out before the answer.",
    )

    @classmethod
    def from_domain(cls, kept: KeptRecord) -> "FiscalRecordDTO":
        record, verdict = kept.record, kept.verdict
        return cls(
            account_id=kept.key.account_id,
            invoice_id=str(kept.key.ordinal),
            number=record.declaration.number,
            state=kept.state,
            type=record.declaration.type,
            huella=record.huella,
            previous_huella=record.previous.huella if record.previous else "",
            installation=record.system.installation,
            qr_url=record.qr_url,
            csv=verdict.csv if verdict else None,
            errors=[
                FiscalErrorDTO(code=each.code, message=each.message)
                for each in (verdict.errors if verdict else ())
            ],
            sent_at=verdict.sent_at if verdict else None,
        )


class FiscalRecordListDTO(Dto):
    """A page of fiscal records of one state, in the order of the chain."""

    fiscal_records: list[FiscalRecordDTO] = Field(
        description="The records of this page, oldest first. One that was corrected is left out."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(
        cls, page: Iterable[KeptRecord], next_cursor: str | None
    ) -> "FiscalRecordListDTO":
        records = [FiscalRecordDTO.from_domain(each) for each in page]
        return cls(fiscal_records=records, next_cursor=next_cursor)


class FiscalCorrectionRequestDTO(Dto):
    """The correction of a fiscal record that the agency found something wrong with."""

    external_fiscal_correction_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "one."
    )
    buyer_id_type: BuyerIdType | None = Field(
        None,
        description="What the buyer's tax id is, where the agency does not know it: "
        "`not_in_census` or `passport` in Spain; elsewhere `passport`, `national_id`, "
        "`residence_certificate` or `other`. Omit to declare it as before.",
    )

    @property
    def id_type(self) -> IdType | None:
        return IdType[self.buyer_id_type.upper()] if self.buyer_id_type else None


class StatementDTO(Dto):
    """One statement of the declaration."""

    letter: str = Field(description="Letter of art. 15.1 of Orden HAC/1177/2024: `a` to `l`.")
    heading: str = Field(description="What the statement is about, in Spanish.")
    text: str = Field(description="The statement itself, in the words of the law, in Spanish.")


class DeclarationDTO(Dto):
    """The declaración responsable of this software, as whoever deploys it filled it in."""

    title: str = Field(description="The title that the law asks for, in Spanish.")
    statements: list[StatementDTO] = Field(
        description="The statements, in the order of their letters."
    )

    @classmethod
    def from_domain(cls, statements: Iterable[Statement]) -> "DeclarationDTO":
        return cls(
            title=TITLE,
            statements=[
                StatementDTO(letter=each.letter, heading=each.heading, text=each.text)
                for each in statements
            ],
        )
