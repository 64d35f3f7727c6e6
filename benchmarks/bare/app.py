"""What no function can do without: a handler that reads an invoice by botocore's client."""

import os
from typing import Any

import botocore.session

client: Any = botocore.session.get_session().create_client("dynamodb")


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    caller = event["requestContext"]["authorizer"]["lambda"]
    org_id, account_id = caller["org_id"], caller["accounts"]
    ordinal = int(event["pathParameters"]["invoiceId"])
    keys = [
        (f"invoice#{org_id}#{account_id}#{ordinal}", "document"),
        (f"account#{org_id}#{account_id}", f"invoice#{ordinal:010}"),
    ]
    table = os.environ["INVOICES_TABLE"]
    answer = client.batch_get_item(
        RequestItems={
            table: {
                "Keys": [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys],
                "ConsistentRead": True,
            }
        }
    )
    return {"statusCode": 200, "body": str(len(answer["Responses"][table]))}
