"""Faults of the line to AWS and of AWS itself, injected into any call of a client."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

type Fault = Callable[[Any, AWSPreparedRequest], AWSResponse | None]


def lose_the_answer(client: Any, request: AWSPreparedRequest) -> NoReturn:
    client._endpoint.http_session.send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def reset(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise ConnectionClosedError(endpoint_url=request.url)


def hang(_: Any, request: AWSPreparedRequest) -> NoReturn:
    raise ReadTimeoutError(endpoint_url=request.url)


def break_down(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    return _refusal(request, 500, "InternalServerError")


def throttle(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    return _refusal(request, 400, "ThrottlingException")


def conflict(_: Any, request: AWSPreparedRequest) -> AWSResponse:
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    return _refusal(request, 400, "TransactionCanceledException", CancellationReasons=reasons)


def _refusal(request: AWSPreparedRequest, status: int, kind: str, **more: Any) -> AWSResponse:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": kind, **more}
    return AWSResponse(request.url, status, HTTPHeaders(), _Raw(json.dumps(body).encode()))


class _Raw(BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


ANYWHERE: dict[Fault, int] = {
    lose_the_answer: 502,
    reset: 502,
    hang: 504,
    break_down: 502,
    throttle: 503,
}
"""Faults that can hit any call, and the status of the answer where they go on."""


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
