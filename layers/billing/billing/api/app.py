"""
The HTTP application: the only way to build a function's routes.

It authenticates and authorises before any route runs, reads JSON exactly, and words every failure
in the dialect of the path.
"""

import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel
from pydantic_core import to_json

from billing import clock, deadline, snapshots
from billing.api.access import TOKEN, Caller
from billing.api.authentication import authenticate
from billing.api.errors import refusal, render, status_of
from billing.api.etags import etag, is_named
from billing.api.json_body import as_json, parse_json
from billing.api.locations import location
from billing.api.logger import kind_of, logger, report
from billing.domain.errors import (
    BillingError,
    ConflictError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UpstreamError,
)
from billing.domain.idempotency import Created
from billing.domain.tokens import Role
from billing.persistence.org_time import org_time

UNROUTED = "$default"
"""The route of whatever no other route of the gateway takes."""
SHARED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""
The headers of every answer, also of one that failed; what may be cached says so itself, in
`Cache-Control` with an `ETag`.
"""


type FailurePage = Callable[[BillingError, Mapping[str, str]], tuple[dict[str, str], str]]
"""Says an error to people: returns headers and HTML, for an error and the headers of the call."""

_caller: ContextVar[Caller] = ContextVar("caller")


class BillingApp(APIGatewayHttpResolver):
    """
    Powertools' resolver, with this API's access rules and errors.

    One whose routes hand out access reads the caller's token anew for each call. Routes that take
    files, by their keys, get the bodies of requests as they were sent; all others take JSON. One
    that answers people, and not programs, has a `failure_page` for them.
    """

    def __init__(
        self,
        *,
        hands_out_access: bool = False,
        takes_files: Collection[str] = (),
        failure_page: FailurePage | None = None,
    ) -> None:
        self._hands_out_access = hands_out_access
        self._failure_page = failure_page
        # Nobody reads what comes without a route either: whatever it is, the answer is 404 or 405.
        self._unread = {UNROUTED, *takes_files}
        super().__init__(enable_validation=True, json_body_deserializer=parse_json)
        # Our own models need no second validation on the way out.
        self._response_validation_middleware = _serialise  # type: ignore[assignment]
        self.exception_handler([RequestValidationError, RequestUnsupportedContentType])(_refuse)
        self.exception_handler(ConflictError)(_hide_what_is_others)
        self.exception_handler(Exception)(_pass_on)
        self.not_found(_not_found)
        snapshots.prepare()

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        logger.set_correlation_id(_request_id(event))
        deadline.start(context.get_remaining_time_in_millis())
        began, facts = time.monotonic(), dict[str, str]()
        # The gateway writes header names in lower case; sam local leaves them as they were sent.
        headers = {name.lower(): text for name, text in (event.get("headers") or {}).items()}
        event = {**event, "headers": headers}
        try:
            with self._authorised(event, facts):
                is_json = event["routeKey"] not in self._unread
                answer = super().resolve(as_json(event) if is_json else event, context)
        except Exception as error:
            answer = _failure(event, error, self._failure_page)
            facts["code"] = getattr(error, "code", BillingError.code)
        finally:
            deadline.clear()
        if event["requestContext"]["http"]["method"] == "HEAD":
            answer["body"] = ""
        answer["headers"] = {**SHARED, **answer["headers"], "x-request-id": _request_id(event)}
        _log(event, answer, began, facts)
        return answer

    def has_cached(self, tag: str) -> bool:
        """Return whether the call's `If-None-Match` names this version: then 304 is enough."""
        return is_named(tag, (self.current_event.headers or {}).get("if-none-match"))

    def sent_file(self, *types: str) -> bytes:
        """Return the body of a request that sends a file; refuse one of none of these types."""
        declared = self.current_event.headers.get("content-type", "").partition(";")[0]
        if declared.strip().lower() not in types:
            raise InvalidRequestError.of("content-type", f"must be {' or '.join(types)}")
        body = self.current_event.body or ""
        return b64decode(body) if self.current_event.is_base64_encoded else body.encode()

    @property
    def caller(self) -> Caller:
        """Return the caller. Raise LookupError outside of a call, and on an open route."""
        return _caller.get()

    def org_time(self) -> datetime:
        """
        Return the current time of the caller's org: the `now` of all business dates.

        Ids, tokens, links and when something was recorded go by the present.
        """
        grant = self.caller.grant
        return org_time(grant.org_id, clock.now(), is_sandbox=grant.sandbox)

    def required_scopes(self, route_key: str) -> list[str]:
        """
        Return the role and scopes that a route requires; an empty list for an open route.

        Raise NotFoundError where there is no such route, and LookupError where it declares none.
        """
        if route_key not in self._securities:
            raise NotFoundError
        security = self._securities[route_key]
        if security is None:
            raise LookupError(f"{route_key} declares no role")
        return security[0][TOKEN] if security else []

    @cached_property
    def _securities(self) -> Mapping[str, list[dict[str, list[str]]] | None]:
        """Return what each route requires, by its key; at the first call all are declared."""
        routes = [*self._static_routes, *self._dynamic_routes]
        return {f"{route.method} {route.openapi_path}": route.security for route in routes}

    @contextmanager
    def _authorised(self, event: Mapping[str, Any], facts: dict[str, str]) -> Iterator[None]:
        """Check a call, and keep its caller while it runs; note who it is, for the log."""
        is_routed = event["routeKey"] != UNROUTED
        scopes = self.required_scopes(event["routeKey"]) if is_routed else []
        # Without a route there are none; sam local has one for the whole path there.
        parameters = (event.get("pathParameters") or {}) if is_routed else {}
        caller = None
        if scopes or not is_routed:
            grant = authenticate(event["headers"], clock.now(), anew=self._hands_out_access)
            caller = Caller(grant)
            facts |= {"org_id": caller.org_id, "token_id": caller.token_id}
        # Powertools routes as if a line feed at the end were not there.
        if any("/" in value or "\n" in value for value in parameters.values()):
            raise NotFoundError
        if caller is None:
            yield
            return
        caller.must_reach_path(parameters)
        if scopes:
            role, *others = scopes
            caller.must_have(Role(role), *others)
        known = _caller.set(caller)
        try:
            yield
        finally:
            _caller.reset(known)


def created[T: BaseModel](body: T, what: Created, path: str) -> Response[T]:
    """Return a 201 with the path of what was created; a replay of an earlier request is marked."""
    headers = {"Location": path}
    if what.replayed:
        headers["idempotent-replayed"] = "true"
    if what.version is not None:
        headers["ETag"] = etag(what.version)
    return Response(HTTPStatus.CREATED, content_types.APPLICATION_JSON, body, headers)


def no_content(**headers: str) -> Response[None]:
    """Return an empty answer with the status 204."""
    return Response(HTTPStatus.NO_CONTENT, body="", headers=headers)  # type: ignore[arg-type]


def _serialise(app: Any, next_middleware: NextMiddleware) -> Response[Any]:
    response: Response[Any] = next_middleware(app)
    if isinstance(response.body, BaseModel):
        response.body = response.body.model_dump_json()
    elif isinstance(response.body, list):
        response.body = to_json(response.body).decode()
    return response


def _refuse(error: RequestValidationError) -> Response[Any]:
    raise refusal(error.errors()) from None


def _pass_on(error: Exception) -> Response[Any]:
    raise error


def _hide_what_is_others(error: ConflictError) -> Response[Any]:
    """Pass a conflict on; it does not name what the caller may not see."""
    if error.existing and not _caller.get().may_find(error.existing.account_id):
        error.existing = None
    raise error


def _not_found(_: Exception) -> Response[Any]:
    raise NotFoundError


def _failure(
    event: Mapping[str, Any], error: Exception, page: FailurePage | None
) -> dict[str, Any]:
    """Return the answer to an error; an unforeseen one is logged and not described to clients."""
    if not isinstance(error, BillingError):
        report("unforeseen", error)
        error = BillingError("Something went wrong on our side.")
    status = status_of(error)
    message = error.message
    if isinstance(error, UpstreamError):
        logger.warning("upstream", extra={"error": kind_of(error.__cause__ or error)})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not _is_read(event):
        message += " It may or may not have been done; the same request can be sent again."
    headers = {"content-type": content_types.APPLICATION_JSON}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowedError):
        headers["allow"] = error.allow
    if isinstance(error, ConflictError) and (existing := error.existing):
        headers["location"] = location(existing.org_id, existing.kind, *existing.ids)
    if page:
        of_page, body = page(error, event["headers"])
        headers |= of_page
    else:
        body = render(event["rawPath"], error, message, _request_id(event))
    return {"statusCode": status.value, "headers": headers, "body": body}


def _log(
    event: Mapping[str, Any], answer: Mapping[str, Any], began: float, facts: Mapping[str, str]
) -> None:
    """Log one line for each request: the route, the token's id, the error's code, but no values."""
    logger.info(
        "request",
        extra={
            "method": event["requestContext"]["http"]["method"],
            "route": event["routeKey"],
            "status": answer["statusCode"],
            "ms": round((time.monotonic() - began) * 1000),
            "trace_id": _request_id(event),
            **facts,
        },
    )


def _is_read(event: Mapping[str, Any]) -> bool:
    return bool(event["requestContext"]["http"]["method"] == "GET")


def _request_id(event: Mapping[str, Any]) -> str:
    return str(event["requestContext"]["requestId"])
