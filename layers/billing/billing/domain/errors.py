"""
All errors, named by meaning.

    BillingError
    ├── InvalidRequestError        the request can never be right
    │   ├── EventsExpiredError
    │   └── TaxIdRequiredError     the buyer has to be identified
    ├── UnauthenticatedError       nobody known is calling
    ├── AccessDeniedError          somebody known asks for what is not theirs
    ├── NotFoundError              there is no such thing, or not here
    ├── MethodNotAllowedError      the thing is there, but not for this method
    ├── ConflictError              the state of things forbids it
    │   ├── ExternalIdReusedError
    │   ├── ExternalIdChangedError
    │   ├── AccountClosedError
    │   ├── SubscriptionTakenError
    │   ├── MovementNotRefundableError
    │   ├── MovementNotPendingError
    │   ├── MovementRefundedError
    │   ├── MovementDeletedError
    │   ├── RefundExceedsMovementError
    │   ├── RefundNotCreditableError
    │   ├── RefundNotPendingError
    │   ├── RefundWithdrawnError
    │   ├── CycleBeingBilledError
    │   ├── SeriesTakenError
    │   ├── TaxpayerFixedError
    │   ├── PaymentExceedsInvoiceError
    │   ├── PaymentReversedError
    │   ├── PayoutExceedsCreditError
    │   ├── InvoiceNotCreditableError
    │   ├── CreditExceedsInvoiceError
    │   ├── TokenLineTooLongError
    │   ├── ClockBackwardsError
    │   ├── NotSandboxError
    │   ├── RateMissingError
    │   ├── DocumentNotReadyError
    │   ├── FiscalRegimeError
    │   ├── FiscalRecordNotCorrectableError
    │   ├── EndpointDisabledError
    │   ├── TooManyEndpointsError
    │   ├── NoSenderError
    │   └── NotByEmailError
    ├── GoneError                  it was there, and will not be again
    │   ├── ErasedError
    │   ├── LinkExpiredError
    │   └── LinkRevokedError
    ├── PreconditionFailedError    the caller's If-Match is out of date
    ├── TooLargeError              more than one request may carry
    └── UpstreamError              a service behind us
        ├── UpstreamFailedError    failed, or cut the line
        ├── UpstreamTimeoutError   did not answer in time
        └── UpstreamBusyError      throttled, or kept conflicting
            ├── ContentionError    somebody else wrote first; read again and retry
            ├── CycleMovedError    another cycle is open than was assumed
            └── SellerChangedError the org's profile is not the one that was read
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from billing.domain.ids import ResourceName


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where it stands in the request, and what is wrong with it."""

    field: str
    message: str


class BillingError(Exception):
    """The base of all errors; `code` is stable and meant for programs, the message for people."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    retry_after: ClassVar[int | None] = None
    """Seconds after which the same request may succeed, where waiting helps."""

    def __init__(self, message: str, *details: FieldError) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequestError(BillingError):
    code = "INVALID_REQUEST"

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidRequestError":
        """Return the error of one field."""
        return cls(f"{field}: {message}", FieldError(field, message))

    def within(self, part: str) -> "InvalidRequestError":
        """Return the same error with its fields named from the whole request: `lines.3.tax`."""
        details = [FieldError(f"{part}.{each.field}", each.message) for each in self.details]
        return InvalidRequestError(f"{part}.{self.message}", *details)


class EventsExpiredError(InvalidRequestError):
    code = "EVENTS_EXPIRED"

    def __init__(self, days: int) -> None:
        message = f"Events are kept for {days} days, and some behind this place are gone. "
        message += "Read the resources again, then the events without `after`."
        super().__init__(message, FieldError("after", f"is older than {days} days"))


class TaxIdRequiredError(InvalidRequestError):
    code = "TAX_ID_REQUIRED"

    def __init__(self, message: str) -> None:
        super().__init__(message, FieldError("tax_id", message))


class UnauthenticatedError(BillingError):
    code = "UNAUTHENTICATED"


class AccessDeniedError(BillingError):
    code = "ACCESS_DENIED"


class NotFoundError(BillingError):
    code = "NOT_FOUND"

    def __init__(self, message: str = "There is no such resource.") -> None:
        super().__init__(message)


class MethodNotAllowedError(BillingError):
    code = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"This method is not allowed here. Use {self.allow}.")


class ConflictError(BillingError):
    code = "CONFLICT"
    existing: ResourceName | None = None
    """What an earlier request with the same external id created, as far as it is known."""


class ExternalIdReusedError(ConflictError):
    code = "EXTERNAL_ID_REUSED"

    def __init__(
        self, external_id: str, existing: ResourceName | None, *details: FieldError
    ) -> None:
        super().__init__(
            f"The external id {external_id!r} was used with a different request. Use a new one.",
            *details,
        )
        self.existing = existing


class ExternalIdChangedError(ConflictError):
    code = "EXTERNAL_ID_CHANGED"

    def __init__(self, external_id: str | None) -> None:
        super().__init__(
            f"The external id cannot be changed: send {external_id!r}."
            if external_id
            else "The refund was created without an external id and cannot get one. Send null, or "
            "delete the refund and create a new one."
        )


class AccountClosedError(ConflictError):
    code = "ACCOUNT_CLOSED"

    def __init__(self) -> None:
        super().__init__("The account is closed. Nothing can be charged to it.")


class SubscriptionTakenError(ConflictError):
    code = "SUBSCRIPTION_TAKEN"

    def __init__(self) -> None:
        super().__init__("The subscription belongs to another account and cannot be moved.")


class MovementNotRefundableError(ConflictError):
    code = "MOVEMENT_NOT_REFUNDABLE"

    def __init__(self) -> None:
        super().__init__("The movement is an allowance. Only charges can be refunded.")


class MovementNotPendingError(ConflictError):
    code = "MOVEMENT_NOT_PENDING"

    def __init__(self) -> None:
        super().__init__(
            "The movement cannot be deleted: its billing cycle is closed. Refund it instead."
        )


class MovementRefundedError(ConflictError):
    code = "MOVEMENT_REFUNDED"

    def __init__(self, refunded: str) -> None:
        super().__init__(
            f"The movement cannot be deleted: {refunded} of it are refunded. Delete its refunds "
            "first."
        )


class MovementDeletedError(ConflictError):
    code = "MOVEMENT_DELETED"

    def __init__(self) -> None:
        super().__init__(
            "This movement was created and then deleted. Use a new external id for a new movement."
        )


class RefundExceedsMovementError(ConflictError):
    code = "REFUND_EXCEEDS_MOVEMENT"


class RefundNotCreditableError(ConflictError):
    code = "REFUND_NOT_CREDITABLE"


class CycleBeingBilledError(ConflictError):
    code = "CYCLE_BEING_BILLED"
    retry_after = 30

    def __init__(self) -> None:
        super().__init__(
            "The movement is being invoiced. Send the same request again in a few seconds."
        )


class SeriesTakenError(ConflictError):
    code = "SERIES_TAKEN"

    def __init__(self, series: str, kind: str) -> None:
        what = "credit notes" if kind == "CREDIT_NOTE" else "invoices"
        super().__init__(
            f"The series {series} already numbers {what} and cannot be used for anything else. "
            "Choose another series in the org's profile."
        )


class TaxpayerFixedError(ConflictError):
    code = "TAXPAYER_FIXED"

    def __init__(self, field: str, value: str) -> None:
        message = f"must stay {value}; for another taxpayer, create another org"
        super().__init__(f"{field}: {message}", FieldError(field, message))


class RefundNotPendingError(ConflictError):
    code = "REFUND_NOT_PENDING"

    def __init__(self) -> None:
        super().__init__(
            "The refund cannot be changed: its billing cycle is closed. Create a new refund."
        )


class RefundWithdrawnError(ConflictError):
    code = "REFUND_WITHDRAWN"

    def __init__(self) -> None:
        super().__init__(
            "This refund was created and then withdrawn. Use a new external id for a new refund."
        )


class PaymentExceedsInvoiceError(ConflictError):
    code = "PAYMENT_EXCEEDS_INVOICE"


class PaymentReversedError(ConflictError):
    code = "PAYMENT_REVERSED"

    def __init__(self, existing: ResourceName | None = None) -> None:
        super().__init__(
            "This payment was reversed, which can be done once. Use a new external id for a new "
            "payment."
        )
        self.existing = existing


class PayoutExceedsCreditError(ConflictError):
    code = "PAYOUT_EXCEEDS_CREDIT"


class InvoiceNotCreditableError(ConflictError):
    code = "INVOICE_NOT_CREDITABLE"

    def __init__(self) -> None:
        super().__init__("This is a credit note; only invoices can be credited.")


class CreditExceedsInvoiceError(ConflictError):
    code = "CREDIT_EXCEEDS_INVOICE"


class TokenLineTooLongError(ConflictError):
    code = "TOKEN_LINE_TOO_LONG"

    def __init__(self, ancestors: int) -> None:
        super().__init__(
            f"This token was created through a chain of {ancestors} others, which is the limit. "
            "Create the new token with an older one."
        )


class ClockBackwardsError(ConflictError):
    code = "CLOCK_BACKWARDS"

    def __init__(self, earliest: str) -> None:
        super().__init__(
            f"The org has issued documents, so its clock can only move forward. Send {earliest} or "
            "later, or null if the present is later than that."
        )


class NotSandboxError(ConflictError):
    code = "NOT_SANDBOX"

    def __init__(self, org_id: str) -> None:
        super().__init__(
            f"{org_id} is not a sandbox: its first token decides that. Choose another org."
        )


class RateMissingError(ConflictError):
    code = "RATE_MISSING"

    def __init__(self, org_id: str, currency: str, day: date, days: int) -> None:
        message = (
            f"There is no exchange rate of {currency} for {day}, nor for the {days} days before "
            "it, to state the VAT in the national currency. Set one: "
            f"PUT /v1/orgs/{org_id}/exchange_rates/{currency}/{day}"
        )
        super().__init__(message, FieldError("currency", f"{currency} has no exchange rate"))


class FiscalRegimeError(ConflictError):
    """The fiscal regime of an org cannot be what is asked for, or not now."""

    code = "FISCAL_REGIME"

    def __init__(self, message: str) -> None:
        super().__init__(message, FieldError("fiscal_regime", message))


class FiscalRecordNotCorrectableError(ConflictError):
    code = "FISCAL_RECORD_NOT_CORRECTABLE"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"The fiscal record is {state}: only one that was rejected, or accepted with errors, "
            "can be corrected. What is wrong on the invoice itself takes a credit note."
        )


class DocumentNotReadyError(ConflictError):
    code = "DOCUMENT_NOT_READY"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The PDF of this invoice is not ready yet. Try again in a few seconds.")


class EndpointDisabledError(ConflictError):
    code = "ENDPOINT_DISABLED"

    def __init__(self) -> None:
        super().__init__(
            "The endpoint was disabled, as it answered 410 or failed for five days. "
            "Delete it and create a new one."
        )


class TooManyEndpointsError(ConflictError):
    code = "TOO_MANY_ENDPOINTS"

    def __init__(self, most: int) -> None:
        super().__init__(f"An org has at most {most} webhook endpoints. Delete one first.")


class NoSenderError(ConflictError):
    code = "NO_SENDER"

    def __init__(self, org_id: str) -> None:
        super().__init__(
            "The org has no sender to mail documents from. Set one, at a domain of this stack: "
            f"`mail_from` of PUT /v1/orgs/{org_id}/billing_info"
        )


class NotByEmailError(ConflictError):
    code = "NOT_BY_EMAIL"

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"Account {account_id} does not want its documents by e-mail: its `delivery_mode` is "
            "not EMAIL."
        )


class GoneError(BillingError):
    code = "GONE"


class ErasedError(GoneError):
    code = "ERASED"

    def __init__(self) -> None:
        super().__init__(
            "The personal data of this document was erased after its legal retention period."
        )


class LinkExpiredError(GoneError):
    code = "LINK_EXPIRED"

    def __init__(self) -> None:
        super().__init__("This link has expired. Ask whoever sent it for a new one.")


class LinkRevokedError(GoneError):
    code = "LINK_REVOKED"

    def __init__(self) -> None:
        super().__init__("This link was revoked. Ask whoever sent it for a new one.")


class PreconditionFailedError(BillingError):
    code = "PRECONDITION_FAILED"

    def __init__(self) -> None:
        super().__init__("If-Match does not name the current version. Read the resource again.")


class TooLargeError(BillingError):
    code = "TOO_LARGE"


class UpstreamError(BillingError):
    code = "UPSTREAM_ERROR"


class UpstreamFailedError(UpstreamError):
    code = "UPSTREAM_FAILED"

    def __init__(self, message: str = "A service behind the API failed.") -> None:
        super().__init__(message)


class UpstreamTimeoutError(UpstreamError):
    code = "UPSTREAM_TIMEOUT"

    def __init__(self, message: str = "A service behind the API did not answer in time.") -> None:
        super().__init__(message)


class UpstreamBusyError(UpstreamError):
    code = "UPSTREAM_BUSY"
    retry_after = 1

    def __init__(self, message: str = "A service behind the API is busy.") -> None:
        super().__init__(message)


class ContentionError(UpstreamBusyError):
    """What was read is out of date: another request wrote first. Services read again and retry."""

    def __init__(self) -> None:
        super().__init__("Too many writes at once. Send the same request again.")


class CycleMovedError(UpstreamBusyError):
    """The open cycle is not the one that was assumed, but the one that ends on `open_cycle`."""

    def __init__(self, open_cycle: date) -> None:
        super().__init__("Too many writes at once. Send the same request again.")
        self.open_cycle = open_cycle


class SellerChangedError(UpstreamBusyError):
    """The org's profile was replaced while the first document of a series was being issued."""

    code = "SELLER_CHANGED"

    def __init__(self) -> None:
        super().__init__("The org's profile has just changed. Send the same request again.")
