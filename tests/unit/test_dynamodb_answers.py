"""What DynamoDB answers is taken as it comes: alike to what botocore would make of it."""

import json
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser

from billing.aws import _PlainParser, _PlainParserFactory

ITEM = {"pk": {"S": "a"}, "n": {"N": "1"}, "none": {"NULL": True}, "record": {"B": "AAEC/w=="}}
CANCELED = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        pytest.param("GetItem", 200, {"Item": ITEM}, id="an item"),
        pytest.param("GetItem", 200, {}, id="no item"),
        pytest.param("BatchGetItem", 200, {"Responses": {"t": [ITEM]}}, id="items of a table"),
        pytest.param(
            "Query", 200, {"Items": [ITEM], "LastEvaluatedKey": {"pk": {"S": "a"}}}, id="a page"
        ),
        pytest.param(
            "Query", 400, {"__type": "x#ValidationException", "message": "no"}, id="a refusal"
        ),
        pytest.param(
            "TransactWriteItems",
            400,
            {
                "__type": CANCELED,
                "Message": "cancelled",
                "CancellationReasons": [
                    {"Code": "ConditionalCheckFailed", "Item": ITEM},
                    {"Code": "None"},
                ],
            },
            id="a cancelled transaction",
        ),
    ],
)
def test_understands_an_answer_as_botocore_does(
    operation: str, status: int, body: dict[str, Any]
) -> None:
    service = botocore.session.get_session().get_service_model("dynamodb")
    shape: Any = service.operation_model(operation).output_shape
    answer = {
        "status_code": status,
        "headers": {"x-amzn-requestid": "1"},
        "body": json.dumps(body).encode(),
    }

    by_botocore = create_parser("json").parse(answer, shape)
    ours = _PlainParser().parse(answer, shape)

    assert ours == by_botocore


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>"])
def test_survives_an_answer_that_is_no_json(body: bytes) -> None:
    answer = {"status_code": 502, "headers": {}, "body": body}
    shape: Any = None

    parsed = _PlainParser().parse(answer, shape)

    assert parsed["Error"]["Code"] == "502"


@pytest.mark.parametrize("protocol", ["rest-json", "rest-xml", "query", "smithy-rpc-v2-cbor"])
def test_what_is_not_its_json_is_left_to_botocore(protocol: str) -> None:
    assert type(_PlainParserFactory().create_parser("json")) is _PlainParser
    assert type(_PlainParserFactory().create_parser(protocol)) is type(create_parser(protocol))
