"""Parameters that stand in the paths of several groups."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator

from billing.dialects.fields import ID_PATTERN, Digits
from billing.domain.ids import check_account_id

OrgId = Annotated[
    str,
    Path(
        alias="orgId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given organization.",
    ),
]
AccountId = Annotated[
    str,
    Path(
        alias="accountId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given account.",
    ),
    AfterValidator(check_account_id),
]
InvoiceId = Annotated[
    str,
    Path(
        alias="invoiceId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given invoice.",
    ),
]
PaymentId = Annotated[
    str,
    Path(
        alias="paymentId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given payment.",
    ),
]
PayoutId = Annotated[
    str,
    Path(
        alias="payoutId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given payout.",
    ),
]
SubscriptionId = Annotated[
    str,
    Path(
        alias="subscriptionId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given subscription.",
    ),
]
MovementId = Annotated[
    str,
    Path(
        alias="movementId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given billing movement.",
    ),
]
AdjustmentId = Annotated[
    str,
    Path(
        alias="adjustmentId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given adjustment.",
    ),
]
RefundId = Annotated[
    str,
    Path(
        alias="refundId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given billing refund.",
    ),
]
TokenId = Annotated[
    str,
    Path(alias="tokenId", pattern=ID_PATTERN, description="ID of the token that is revoked."),
]
InvoiceNumber = Annotated[
    str,
    Path(
        alias="invoiceNumber",
        max_length=64,
        description="Number of the invoice, as it is printed.",
    ),
]
BillingRunId = Annotated[
    str,
    Path(
        alias="runId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given billing run.",
    ),
]
WebhookEndpointId = Annotated[
    str,
    Path(
        alias="endpointId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given webhook endpoint.",
    ),
]
WebhookDeliveryId = Annotated[
    str,
    Path(
        alias="deliveryId",
        pattern=r"^[0-9]{12}$",
        description="ID of the delivery, as the list of deliveries has it.",
    ),
]
ShareLinkId = Annotated[
    str,
    Path(
        alias="linkId",
        pattern=ID_PATTERN,
        description="Executes the request in the context of the given share link.",
    ),
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=600, description="`next_cursor` of the previous page. Omit for the first page."
    ),
]
Limit = Annotated[Digits, Query(ge=1, le=100, description="Largest number of items on a page.")]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="ETag of the version to change; any other version gives a 412.",
    ),
]
