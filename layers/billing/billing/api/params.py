"""Parameters that stand in the paths of several groups."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

_ID = r"^[A-Za-z0-9_-]{1,64}$"

OrgId = Annotated[
    str,
    Path(
        alias="orgId",
        pattern=_ID,
        description="Executes the request in the context of the given organization.",
    ),
]
AccountId = Annotated[
    str,
    Path(
        alias="accountId",
        pattern=_ID,
        description="Executes the request in the context of the given account.",
    ),
]
InvoiceId = Annotated[
    str,
    Path(
        alias="invoiceId",
        pattern=_ID,
        description="Executes the request in the context of the given invoice.",
    ),
]
