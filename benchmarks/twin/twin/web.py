"""Who is calling, what was asked before, and how a refusal is answered."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from .models import Created, RequestModel
from .store import ConditionFailedError, Item, Key, Write, get, put

TOKEN_SECONDS = 60
TRIES = 10


class RefusedError(Exception):
    """What is answered instead, with a status of its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Caller(BaseModel):
    org_id: str
    account_id: str
    """The one account that the token is for, or `all`."""

    def reaches(self, account_id: str) -> bool:
        return self.account_id in (account_id, "all")


known: dict[str, tuple[float, Item | None]] = {}
"""Tokens that were read in the last minute."""


def caller(token: Annotated[str | None, Header(alias="PRIVATE-TOKEN")] = None) -> Caller:
    """Read whom a token belongs to, once a minute."""
    if token is None:
        raise RefusedError(401, "The request has no token.")
    digest = sha256(token.encode()).hexdigest()
    until, item = known.get(digest, (0.0, None))
    if until < time.monotonic():
        item = get(("token", digest))
        known[digest] = time.monotonic() + TOKEN_SECONDS, item
    if item is None:
        raise RefusedError(401, "The token is unknown.")
    return Caller(org_id=item["org_id"], account_id=item["account_id"])


Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Authenticated = Annotated[Caller, Depends(caller)]


def reach_org(org_id: Id, who: Authenticated) -> None:
    if who.org_id != org_id:
        raise RefusedError(403, "The token may not use this org.")


def reach_account(account_id: Id, who: Authenticated) -> None:
    if not who.reaches(account_id):
        raise RefusedError(403, "The token may not use this account.")


def create_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.exception_handler(RefusedError)(refuse)
    app.exception_handler(RequestValidationError)(refuse_form)
    return app


async def refuse(_: Request, error: RefusedError) -> Response:
    return JSONResponse({"message": str(error)}, error.status)


async def refuse_form(_: Request, error: RequestValidationError) -> Response:
    return JSONResponse({"message": str(error)}, 400)


class External:
    """The external id of a request, and what the request says."""

    def __init__(self, org_id: str, kind: str, value: str, request: RequestModel, *scope: str):
        said = "\n".join([*scope, request.model_dump_json()])
        self.key: Key = f"external#{org_id}#{kind}", value
        self.fingerprint = sha256(said.encode()).hexdigest()

    def replayed(self, found: dict[Key, Item]) -> str | None:
        """Return what the same request made before."""
        if (item := found.get(self.key)) is None:
            return None
        if item["fingerprint"] != self.fingerprint:
            raise RefusedError(409, "The external id was used for another request.")
        return str(item["id"])

    def take(self, made: str) -> Write:
        return put(self.key, {"id": made, "fingerprint": self.fingerprint})


def until_it_holds(step: Callable[[], tuple[str, bool]], response: Response, where: str) -> Created:
    """Read, decide and write again where somebody else wrote in between."""
    for _ in range(TRIES):
        try:
            made, replayed = step()
        except ConditionFailedError:
            continue
        if replayed:
            response.headers["idempotent-replayed"] = "true"
        response.headers["Location"] = f"{where}/{made}"
        return Created(id=made)
    raise RefusedError(503, "Others write at the same time; try again.")


def required(item: Item | None) -> dict[str, Any]:
    if item is None:
        raise RefusedError(404, "There is no such thing.")
    return item
