"""Who is calling, and how a failure is answered: what both applications of the twin share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from billing.domain.errors import (
    AccessDeniedError,
    BillingError,
    ConflictError,
    FieldError,
    InvalidRequestError,
    NotFoundError,
    TooLargeError,
    UnauthenticatedError,
    UpstreamBusyError,
    UpstreamError,
)

STATUSES = {
    InvalidRequestError: 400,
    UnauthenticatedError: 401,
    AccessDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooLargeError: 413,
    UpstreamBusyError: 503,
    UpstreamError: 502,
}


class Caller(BaseModel):
    org_id: str
    role: str
    accounts: str

    @property
    def account_id(self) -> str:
        if self.accounts == "*" or "," in self.accounts:
            raise AccessDeniedError("This API acts on one account; use a token of that account.")
        return self.accounts

    def reaches(self, account_id: str) -> bool:
        return self.accounts == "*" or account_id in self.accounts.split(",")


async def caller(request: Request) -> Caller:
    context = request.scope["aws.event"]["requestContext"].get("authorizer", {}).get("lambda") or {}
    if "org_id" not in context:
        raise UnauthenticatedError(context.get("refused", "The call carries no token."))
    if context["expires_at"] and datetime.fromisoformat(context["expires_at"]) <= datetime.now(UTC):
        raise UnauthenticatedError("The token has expired.")
    return Caller(**context)


Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Authenticated = Annotated[Caller, Depends(caller)]


async def reach_org(org_id: Id, who: Authenticated) -> None:
    if who.org_id != org_id:
        raise AccessDeniedError("The token does not reach this org.")


async def reach_account(account_id: Id, who: Authenticated) -> None:
    if not who.reaches(account_id):
        raise AccessDeniedError("The token does not reach this account.")


async def write(who: Authenticated) -> None:
    if who.role == "reader":
        raise AccessDeniedError("This takes a token of the role writer.")


def create_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.exception_handler(BillingError)(refuse)
    app.exception_handler(RequestValidationError)(refuse_form)
    app.exception_handler(ClientError)(refuse_upstream)
    app.exception_handler(BotoCoreError)(refuse_upstream)
    return app


async def refuse(request: Request, error: BillingError) -> Response:
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    headers = {"retry-after": str(error.retry_after)} if error.retry_after else {}
    return JSONResponse(in_dialect(request, error, status), status, headers)


async def refuse_form(request: Request, error: RequestValidationError) -> Response:
    wrong = [FieldError(field_at(each["loc"]), each["msg"]) for each in error.errors()]
    return await refuse(request, InvalidRequestError("The request is not well-formed.", *wrong))


async def refuse_upstream(request: Request, _: Exception) -> Response:
    return await refuse(request, UpstreamError("A service behind the API failed."))


def field_at(location: Sequence[str | int]) -> str:
    part, *where = location
    name = ".".join(map(str, where)) or str(part)
    return name.upper() if part == "header" else name


def in_dialect(request: Request, error: BillingError, status: int) -> dict[str, object]:
    dialect = request.url.path.split("/")[1]
    if dialect == "v2":
        fields = "; ".join(f"{each.field}: {each.message}" for each in error.details)
        return {
            "code": status,
            "status": HTTPStatus(status).phrase,
            "message": error.message,
            "detailMsg": fields or error.code,
        }
    if dialect == "v3":
        return {
            "errorCode": error.code,
            "errorMessage": error.message,
            "errors": [{"property": each.field, "message": each.message} for each in error.details],
        }
    return {
        "code": error.code,
        "message": error.message,
        "details": [{"field": each.field, "message": each.message} for each in error.details],
        "trace_id": request.scope["aws.event"]["requestContext"]["requestId"],
    }
