"""What no function can do without: a handler that reads an invoice by botocore's client."""

import os
from typing import Any

import botocore.session

client: Any = botocore.session.get_session().create_client("dynamodb")


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Read the items that the twin has of an invoice."""
    table, ordinal = os.environ["TWIN_TABLE"], int(event["pathParameters"]["invoiceId"])
    pk = {"S": os.environ["BARE_ACCOUNT"]}
    keys = [{"pk": pk, "sk": {"S": f"{kind}#{ordinal:010}"}} for kind in ("invoice", "details")]
    answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    found = answer["Responses"][table]
    return {"statusCode": 200 if len(found) == 2 else 404, "body": str(found)}
