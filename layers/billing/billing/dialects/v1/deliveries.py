"""v1 billing: mails that documents are delivered by."""

from collections.abc import Iterable

from pydantic import Field

from billing.dialects.fields import Dto, ExternalIdText, Instant, NextCursor
from billing.domain.mails import Mail, MailStatus


class InvoiceDeliveryRequestDTO(Dto):
    """A document to be mailed once more."""

    external_delivery_unique_id: ExternalIdText = Field(
        description="Your own id of the delivery, unique in the org: sent again, it mails nothing "
        "more."
    )


class InvoiceDeliveryResponseDTO(Dto):
    """A mail with a document, and how far it is."""

    id: str = Field(description="Id of the delivery; all zeros for the one that follows the issue.")
    status: MailStatus = Field(
        description="`pending` until it is sent, `sent` once the mail service has taken it, "
        "`bounced` if it was returned, `complained` if its receiver reported it as unwanted, "
        "`failed` if it can never be sent: the address is none that takes mails, or the org or the "
        "account wants no mails any more."
    )
    created_at: Instant = Field(description="When it was requested, in UTC.")
    sent_at: Instant | None = Field(description="When it was sent, in UTC; null if it was not.")

    @classmethod
    def from_domain(cls, mail: Mail) -> "InvoiceDeliveryResponseDTO":
        return cls(id=mail.id, status=mail.status, created_at=mail.created_at, sent_at=mail.sent_at)


class InvoiceDeliveryListDTO(Dto):
    """A page of the mails with a document."""

    deliveries: list[InvoiceDeliveryResponseDTO] = Field(
        description="The deliveries of this page, newest first."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, page: Iterable[Mail], next_cursor: str | None) -> "InvoiceDeliveryListDTO":
        deliveries = [InvoiceDeliveryResponseDTO.from_domain(each) for each in page]
        return cls(deliveries=deliveries, next_cursor=next_cursor)
