"""
What goes to DynamoDB and what comes from it is taken as it is: alike to what botocore would make
of it, but that a binary value of an answer stays in base64.
"""

import json
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from billing.aws import _PlainParser, _PlainParserFactory, _PlainSerializer, dynamodb
from billing.persistence.dynamodb import bytes_of

KEY = {"pk": {"S": "a"}, "sk": {"S": "ñ \x00 \u2028 \N{GRINNING FACE}"}}
ITEM = {**KEY, "n": {"N": "1"}, "none": {"NULL": True}, "yes": {"BOOL": True}}
WHOLE = {**ITEM, "record": {"B": bytes(range(256))}, "texts": {"SS": ["a", "b"]}}
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


def test_a_binary_value_stays_in_base64() -> None:
    body = b'{"Item": {"record": {"B": "AAEC/w=="}}}'
    answer = {"status_code": 200, "headers": {}, "body": body}
    service = botocore.session.get_session().get_service_model("dynamodb")
    shape: Any = service.operation_model("GetItem").output_shape

    by_botocore = create_parser("json").parse(answer, shape)["Item"]
    item = _PlainParser().parse(answer, shape)["Item"]

    assert item == {"record": {"B": "AAEC/w=="}}
    assert bytes_of(item, "record") == by_botocore["record"]["B"] == b"\x00\x01\x02\xff"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        pytest.param(
            "GetItem", {"TableName": "t", "Key": KEY, "ConsistentRead": True}, id="a read"
        ),
        pytest.param("PutItem", {"TableName": "t", "Item": WHOLE}, id="an item"),
        pytest.param(
            "Query",
            {"TableName": "t", "ExpressionAttributeValues": {":pk": {"S": "a"}}, "Limit": 5},
            id="a query",
        ),
        pytest.param(
            "TransactWriteItems",
            {
                "ClientRequestToken": "token",
                "TransactItems": [
                    {"Put": {"TableName": "t", "Item": WHOLE}},
                    {"Update": {"TableName": "t", "Key": KEY, "UpdateExpression": "SET a = :a"}},
                ],
            },
            id="a transaction",
        ),
    ],
)
def test_asks_as_botocore_does(operation: str, parameters: dict[str, Any]) -> None:
    service = botocore.session.get_session().get_service_model("dynamodb")
    model = service.operation_model(operation)

    by_botocore = create_serializer("json").serialize_to_request(parameters, model)
    ours = _PlainSerializer().serialize_to_request(parameters, model)

    assert json.loads(ours.pop("body")) == json.loads(by_botocore.pop("body"))
    assert ours == by_botocore


def test_the_client_of_dynamodb_asks_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    client: Any = dynamodb.__wrapped__()

    assert type(client._serializer) is _PlainSerializer


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
