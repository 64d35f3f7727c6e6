"""An example of each failure that clients can meet, for the OpenAPI document and its pages."""

from collections.abc import Mapping
from datetime import date

from billing.domain import errors
from billing.domain.errors import BillingError, FieldError
from billing.domain.ids import ResourceName

_EXAMPLES: tuple[BillingError, ...] = (
    errors.InvalidRequestError(
        "The request is not well-formed.",
        FieldError("amount.value_with_taxes", "must be a JSON number"),
    ),
    errors.EventsExpiredError(30),
    errors.UnauthenticatedError("The token is unknown or was revoked."),
    errors.AccessDeniedError("The token may not use this account."),
    errors.NotFoundError(),
    errors.MethodNotAllowedError(["GET", "POST"]),
    errors.ConflictError("ES-M already has 100 own rates, which is the limit."),
    errors.ExternalIdReusedError(
        "movement-1", ResourceName("acme", "100001", "movement", ("600123456", "m1"))
    ),
    errors.ExternalIdChangedError("refund-1"),
    errors.AccountClosedError(),
    errors.SubscriptionTakenError(),
    errors.MovementNotRefundableError(),
    errors.MovementNotPendingError(),
    errors.MovementRefundedError("12.10 EUR"),
    errors.MovementDeletedError(),
    errors.RefundExceedsMovementError(
        "The refund exceeds the refundable amount of the movement (121.00 EUR)."
    ),
    errors.RefundNotCreditableError(
        "The refund exceeds what can still be credited of its invoice (100.00 EUR without tax)."
    ),
    errors.RefundNotPendingError(),
    errors.RefundWithdrawnError(),
    errors.CycleBeingBilledError(),
    errors.SeriesTakenError("F", "INVOICE"),
    errors.TaxpayerFixedError("tax_id", "A58818501"),
    errors.PaymentExceedsInvoiceError("The payment exceeds what remains (36.91 EUR)."),
    errors.PaymentReversedError(),
    errors.PayoutExceedsCreditError("The payout exceeds what is owed to the customer (0.00 EUR)."),
    errors.InvoiceNotCreditableError(),
    errors.CreditExceedsInvoiceError("Nothing is left of the invoice to be credited."),
    errors.TokenLineTooLongError(4),
    errors.ClockBackwardsError("2026-12-01T12:00:00Z"),
    errors.RateMissingError("acme", "USD", date(2026, 11, 21), 10),
    errors.TaxIdRequiredError("An invoice of more than 400 EUR needs the buyer's tax_id."),
    errors.FiscalRegimeError("VERIFACTU ends with a year."),
    errors.FiscalRecordNotCorrectableError("pending"),
    errors.DocumentNotReadyError(),
    errors.EndpointDisabledError(),
    errors.TooManyEndpointsError(10),
    errors.NoSenderError("acme"),
    errors.NotByEmailError("100001"),
    errors.ErasedError(),
    errors.PreconditionFailedError(),
    errors.TooLargeError("The invoice is too large; split it into several."),
    BillingError("Something went wrong on our side."),
    errors.UpstreamFailedError(),
    errors.UpstreamTimeoutError(),
    errors.UpstreamBusyError(),
    errors.SellerChangedError(),
)
EXAMPLES: Mapping[str, BillingError] = {each.code: each for each in _EXAMPLES}
"""One failure of each code."""

NEVER_ANSWERED = {
    *("GONE", "UPSTREAM_ERROR"),  # families
    *("LINK_EXPIRED", "LINK_REVOKED"),  # said by the pages of links, in words
    "NOT_SANDBOX",  # said by the command line
    *("EVENT_NOT_YET", "EVENT_NOT_TAKEN"),  # said to streams
    *("MAIL_BUSY", "MAIL_QUOTA_REACHED"),  # said to queues
}
"""The codes that no client of the API meets."""
