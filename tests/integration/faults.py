"""Faults of the line to AWS and of AWS itself, injected into any call of a client."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from urllib3.exceptions import ReadTimeoutError as StreamTimeoutError

from billing import aws

type Fault = Callable[[Any, AWSPreparedRequest], AWSResponse | None]

AWS_TEXT = "User: arn:aws:sts::123456789012:assumed-role/canary is refused by amazonaws.com"
"""What AWS says in all of its errors here; nobody outside may read it."""

_STATUS = {"s3": 503, "sqs": 403, "lambda": 429}
_THROTTLED = {"s3": "SlowDown", "sqs": "RequestThrottled", "lambda": "TooManyRequestsException"}
_BROKEN = {"s3": "InternalError", "sqs": "InternalFailure", "lambda": "ServiceException"}

# ------------------------------------------------------------------------- the line


def lose_the_answer(client: Any, request: AWSPreparedRequest) -> NoReturn:
    client._endpoint.http_session.send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def reset(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise ConnectionClosedError(endpoint_url=request.url)


def hang(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise ReadTimeoutError(endpoint_url=request.url)


def refuse_the_connection(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise EndpointConnectionError(endpoint_url=request.url)


def accept_no_connection(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise ConnectTimeoutError(endpoint_url=request.url)


def cut_the_answer(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    answer = client._endpoint.http_session.send(request)
    half = answer.content[: len(answer.content) // 2]
    return AWSResponse(request.url, answer.status_code, answer.headers, _Raw(half))


def hang_within_the_answer(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    answer = client._endpoint.http_session.send(request)
    return AWSResponse(request.url, answer.status_code, answer.headers, _Stuck())


# ------------------------------------------------------------------------- AWS, for a while


def break_down(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 500, _BROKEN.get(_service(client), "InternalServerError"))


def balance_no_load(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    page = f"<html><h1>503 Service Unavailable</h1>{AWS_TEXT}</html>"
    return AWSResponse(request.url, 503, HTTPHeaders(), _Raw(page.encode()))


def throttle(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    service = _service(client)
    code = _THROTTLED.get(service, "ThrottlingException")
    return refusal(client, request, _STATUS.get(service, 400), code)


def conflict(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return _cancel(client, request, "TransactionConflict")


def cancel_for_want_of_capacity(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return _cancel(client, request, "ThrottlingError")


def find_it_in_progress(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 400, "TransactionInProgressException")


def find_it_in_a_transaction(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 400, "TransactionConflictException")


def process_nothing(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    asked = asked_of(request)["RequestItems"]
    answer = {"Responses": {}, "UnprocessedKeys": asked}
    return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(json.dumps(answer).encode()))


def find_it_being_written(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 409, "ConditionalRequestConflict")


def be_served_too_slowly(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 400, "RequestTimeout")


def fail_inside(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    body = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": AWS_TEXT}).encode()
    headers = HTTPHeaders()
    headers["X-Amz-Function-Error"] = "Unhandled"
    headers["Content-Length"] = str(len(body))
    return AWSResponse(request.url, 200, headers, _Raw(body))


# ------------------------------------------------------------------------- our own fault


def deny(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    code = "AccessDenied" if _service(client) == "s3" else "AccessDeniedException"
    return refusal(client, request, 403, code)


def expire(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    code = "ExpiredToken" if _service(client) == "s3" else "ExpiredTokenException"
    return refusal(client, request, 400, code)


def find_it_invalid(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 400, "ValidationException")


def miss(client: Any, request: AWSPreparedRequest) -> AWSResponse:
    return refusal(client, request, 404, "NoSuchKey")


def surprise(*_: Any) -> NoReturn:
    raise RuntimeError(AWS_TEXT)


# -------------------------------------------------------------------------

ANYWHERE: dict[Fault, int] = {
    lose_the_answer: 502,
    reset: 502,
    hang: 504,
    break_down: 502,
    throttle: 503,
}
"""Faults that can hit any call, and the status of the answer where they go on."""

RARER: dict[Fault, int] = {
    refuse_the_connection: 502,
    accept_no_connection: 504,
    balance_no_load: 503,
    deny: 500,
    expire: 500,
    find_it_invalid: 500,
    surprise: 500,
}
"""The rest of these."""

_OF_SERVICE: dict[str, dict[Fault, int]] = {
    "dynamodb": {cut_the_answer: 502},
}
_OF_OPERATION: dict[str, dict[Fault, int]] = {
    "BatchGetItem": {process_nothing: 503},
    "TransactWriteItems": {
        conflict: 503,
        cancel_for_want_of_capacity: 503,
        find_it_in_progress: 503,
    },
    "PutItem": {find_it_in_a_transaction: 503},
    "UpdateItem": {find_it_in_a_transaction: 503},
    "DeleteItem": {find_it_in_a_transaction: 503},
    "GetObject": {
        cut_the_answer: 502,
        hang_within_the_answer: 504,
        be_served_too_slowly: 504,
        miss: 500,
    },
    "PutObject": {be_served_too_slowly: 504, find_it_being_written: 503},
    "Invoke": {cut_the_answer: 502, hang_within_the_answer: 504, fail_inside: 502},
}

AFTER_IT_WAS_DONE = {lose_the_answer, cut_the_answer, hang_within_the_answer}
"""Faults that hit the answer only."""
FOR_GOOD = {
    cut_the_answer,
    hang_within_the_answer,
    cancel_for_want_of_capacity,
    find_it_in_a_transaction,
    find_it_being_written,
    fail_inside,
    deny,
    expire,
    find_it_invalid,
    miss,
    surprise,
}
"""Faults after which neither the SDK nor we try again."""


def faults_of(client: Any, operation: str) -> dict[Fault, int]:
    """Tell what can hit a call, and the status of the answer where it goes on."""
    faults = {
        **ANYWHERE,
        **RARER,
        **_OF_SERVICE.get(_service(client), {}),
        **_OF_OPERATION.get(operation, {}),
    }
    if operation == "Invoke":  # the PDF may be there in a moment
        return {fault: 409 if status in (503, 504) else status for fault, status in faults.items()}
    return faults


def refusal(
    client: Any, request: AWSPreparedRequest, status: int, code: str, **more: Any
) -> AWSResponse:
    """Word an error as the service does."""
    if _service(client) == "s3":
        body = f"<Error><Code>{code}</Code><Message>{AWS_TEXT}</Message></Error>"
    else:
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": AWS_TEXT, **more})
    headers = HTTPHeaders()
    headers["x-amzn-errortype"] = code
    return AWSResponse(request.url, status, headers, _Raw(body.encode()))


def asked_of(request: AWSPreparedRequest) -> dict[str, Any]:
    """Read what a request asks of DynamoDB."""
    return dict(json.loads(cast(bytes, request.body)))


def _cancel(client: Any, request: AWSPreparedRequest, reason: str) -> AWSResponse:
    reasons = [{"Code": "None"}, {"Code": reason, "Message": AWS_TEXT}]
    code = "TransactionCanceledException"
    return refusal(client, request, 400, code, CancellationReasons=reasons)


def _service(client: Any) -> str:
    return str(client.meta.service_model.service_name)


class _Raw(BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class _Stuck(_Raw):
    """A body that never comes."""

    def read(self, *_: Any) -> NoReturn:
        raise StreamTimeoutError(None, "", "Read timed out.")  # type: ignore[arg-type]


@dataclass
class Faulty:
    """Lets the nth call of a client go wrong, the first `times` times that it is tried."""

    client: Any
    nth: int
    fault: Fault
    times: int
    calls: int = 0

    def __enter__(self) -> None:
        self.client.meta.events.register("before-call", self._count, unique_id="count")
        self.client.meta.events.register_last("before-send", self._send, unique_id="fault")

    def __exit__(self, *_: object) -> None:
        self.client.meta.events.unregister("before-call", unique_id="count")
        self.client.meta.events.unregister("before-send", unique_id="fault")

    def _count(self, **_: Any) -> None:
        self.calls += 1

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        if self.calls < self.nth or not self.times:
            return None
        self.times -= 1
        return self.fault(self.client, request)


# ------------------------------------------------------------------------- the end of a process


class Killed(BaseException):
    """What ends a process, as no handler of errors catches it."""


@contextmanager
def dying(nth: int, is_sent: bool) -> Iterator[Callable[[], bool]]:
    """End the process at the nth call to AWS, before or after it is sent; return whether it did."""
    calls = 0

    def interfere(client: Any, request: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= nth:  # the dead ask for nothing more
            if calls == nth and is_sent:
                client._endpoint.http_session.send(request)
            raise Killed

    clients = (aws.dynamodb(), aws.s3(), aws.sqs(), aws.events(), aws.secrets())
    with interfering(interfere, *clients):
        yield lambda: calls >= nth


@contextmanager
def interfering(interfere: Callable[[Any, Any], Any], *clients: Any) -> Iterator[None]:
    """Let something happen to all calls of some clients of AWS."""
    for client in clients:
        client.meta.events.register_last(
            "before-send",
            lambda request, client=client, **_: interfere(client, request),
            unique_id="interfering",
        )
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-send", unique_id="interfering")
