"""Parameters that stand in the paths of several groups."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator

from billing.dialects.fields import Digits, Form, Id
from billing.domain.ids import check_account_id

OrgId = Annotated[
    Id,
    Path(
        alias="orgId",
        description="Executes the request in the context of the given organization.",
    ),
]
AccountId = Annotated[
    Id,
    Path(
        alias="accountId",
        description="Executes the request in the context of the given account.",
    ),
    AfterValidator(check_account_id),
]
InvoiceId = Annotated[
    Id,
    Path(
        alias="invoiceId",
        description="Executes the request in the context of the given invoice.",
    ),
]
PaymentId = Annotated[
    Id,
    Path(
        alias="paymentId",
        description="Executes the request in the context of the given payment.",
    ),
]
PayoutId = Annotated[
    Id,
    Path(
        alias="payoutId",
        description="Executes the request in the context of the given payout.",
    ),
]
SubscriptionId = Annotated[
    Id,
    Path(
        alias="subscriptionId",
        description="Executes the request in the context of the given subscription.",
    ),
]
MovementId = Annotated[
    Id,
    Path(
        alias="movementId",
        description="Executes the request in the context of the given billing movement.",
    ),
]
AdjustmentId = Annotated[
    Id,
    Path(
        alias="adjustmentId",
        description="Executes the request in the context of the given adjustment.",
    ),
]
RefundId = Annotated[
    Id,
    Path(
        alias="refundId",
        description="Executes the request in the context of the given billing refund.",
    ),
]
TokenId = Annotated[
    Id,
    Path(alias="tokenId", description="ID of the token that is revoked."),
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
    Id,
    Path(
        alias="runId",
        description="Executes the request in the context of the given billing run.",
    ),
]
WebhookEndpointId = Annotated[
    Id,
    Path(
        alias="endpointId",
        description="Executes the request in the context of the given webhook endpoint.",
    ),
]
WebhookDeliveryId = Annotated[
    str,
    Form(r"^[0-9]{12}$", "12 digits, as the list of deliveries has them"),
    Path(
        alias="deliveryId",
        description="ID of the delivery, as the list of deliveries has it.",
    ),
]
ShareLinkId = Annotated[
    Id,
    Path(
        alias="linkId",
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
