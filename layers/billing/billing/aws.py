"""
Clients of AWS: made on first use, in time or not at all, their failures in our words.

A call may take 1 s to connect and wait 2 s for more to read, three times; none begins that the
request's deadline has no room for, and none goes on behind it. Whatever botocore raises of the line
and of AWS becomes an UpstreamError.
"""

import logging
import time
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import orjson
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    ConnectTimeoutError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.parsers import JSONParser, ResponseParserError, ResponseParserFactory
from botocore.serialize import JSONSerializer

from billing import deadline
from billing.domain.errors import UpstreamBusyError, UpstreamFailedError, UpstreamTimeoutError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

CONNECTIONS = 32
"""Connections that a client keeps: three times as many as read at once, and some to spare."""
CONNECT_SECONDS = 1
READ_SECONDS = 2
SLOW_SECONDS = 1
"""What takes longer is logged."""

_BUSY = {
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""Error codes of a busy service; `Throttl` in a code, or status 429 or 503, means the same."""


@cache
def dynamodb() -> "DynamoDBClient":
    return _client("dynamodb")  # type: ignore[no-any-return]


@cache
def s3() -> "S3Client":
    # Signature version 4 on the region's own host, which pre-signed links need: botocore signs them
    # for the global host unless the bucket is to stand in the name of the host.
    addressing = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
    return _client("s3", signature_version="s3v4", s3=addressing)  # type: ignore[no-any-return]


@cache
def sqs() -> "SQSClient":
    return _client("sqs")  # type: ignore[no-any-return]


@cache
def secrets() -> "SecretsManagerClient":
    return _client("secretsmanager")  # type: ignore[no-any-return]


@cache
def events() -> "EventBridgeClient":
    return _client("events")  # type: ignore[no-any-return]


@cache
def ses() -> "SESV2Client":
    """Create a client for sending mails: once each, as a second try may be a second mail."""
    return _client("sesv2", read_timeout=10, retries={"total_max_attempts": 1})  # type: ignore[no-any-return]


@cache
def lambda_() -> "LambdaClient":
    """Create a client for calling other functions, which take longer than tables do."""
    return _client("lambda", read_timeout=10, retries={"total_max_attempts": 1})  # type: ignore[no-any-return]


def call[T](operation: Callable[..., T], **request: Any) -> T:
    """
    Call AWS, and raise its failures as errors of ours.

    Raise UpstreamBusyError where we were throttled, UpstreamTimeoutError where no answer came in
    time, UpstreamFailedError where the service or the line broke. A ClientError about the
    request itself, such as a failed condition, is passed on to the caller.
    """
    try:
        with deadline.interrupting():
            return operation(**request)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _BUSY or "Throttl" in code or status in (429, 503):
            raise UpstreamBusyError from error
        if "RequestTimeout" in code:
            raise UpstreamTimeoutError from error
        if status >= 500:
            raise UpstreamFailedError from error
        raise
    except (ConnectTimeoutError, ReadTimeoutError, deadline.OutOfTimeError) as error:
        raise UpstreamTimeoutError from error
    except (
        ConnectionError,
        FlexibleChecksumError,
        HTTPClientError,
        IncompleteReadError,
        ResponseParserError,
    ) as error:
        raise UpstreamFailedError from error


def _client(service: str, **options: Any) -> Any:
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retries": {"mode": "standard", "total_max_attempts": 3},
        # A tenth of a warm call: botocore would check the form of each request, which the tests
        # do, and put together anew how it describes itself.
        "parameter_validation": False,
        "user_agent": "billing",
        "max_pool_connections": CONNECTIONS,
        **options,
    }
    session = botocore.session.get_session()
    if service == "dynamodb":
        session.register_component("response_parser_factory", _PlainParserFactory())
    client: Any = session.create_client(service, config=Config(**settings))
    if service == "dynamodb" and type(getattr(client, "_serializer", None)) is JSONSerializer:
        client._serializer = _PlainSerializer()
    once = settings["connect_timeout"] + settings["read_timeout"]
    needed = max(once, deadline.CALL_SECONDS)
    client.meta.events.register("before-send", lambda **_: deadline.check(needed))
    client.meta.events.register("before-call", _begin)
    for end in ("after-call", "after-call-error"):
        client.meta.events.register(end, _end)
    return client


def _begin(context: dict[str, Any], **_: Any) -> None:
    context["began"] = time.monotonic()


def _end(
    event_name: str, context: dict[str, Any], parsed: dict[str, Any] | None = None, **_: Any
) -> None:
    """Log a call that took long, or was tried several times."""
    service, operation = event_name.split(".")[1:]
    seconds = time.monotonic() - context["began"]
    retries = parsed["ResponseMetadata"].get("RetryAttempts", 0) if parsed else 0
    if retries or seconds > SLOW_SECONDS:
        called = {"service_id": service, "operation": operation}
        took = {"ms": round(seconds * 1000), "retries": retries}
        logging.getLogger(__name__).warning("slow call", extra=called | took)


class _PlainSerializer(JSONSerializer):
    """
    Write DynamoDB's JSON as it is: its requests have types written beside the values.

    botocore walks through each value by its model instead. Should it change inside, that is what
    happens again.
    """

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> Any:
        body = orjson.dumps(parameters, default=_in_base64)
        return {**super().serialize_to_request({}, operation_model), "body": body}


class _PlainParser(JSONParser):
    """
    Read DynamoDB's JSON as it is; a binary value stays in base64, see dynamodb.bytes_of().

    botocore walks through it by its model, too, and takes an answer that was cut short for an empty
    one: what is there is then not found.
    """

    def _handle_json_body(self, raw_body: bytes, _: Any) -> Any:
        try:
            return orjson.loads(raw_body)
        except ValueError as error:
            raise ResponseParserError from error


class _PlainParserFactory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        """Create our parser for DynamoDB's JSON, and botocore's own for all else it may speak."""
        stock = super().create_parser(protocol_name)
        return _PlainParser() if type(stock) is JSONParser else stock


def _in_base64(value: Any) -> str:
    """Write a binary value, the one type that JSON has no form for."""
    return b64encode(value).decode()
