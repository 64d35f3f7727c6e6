"""Tokens: an org's admins create, list and revoke them."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api import cursors
from billing.api.access import ADMIN
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import Cursor, Limit, OrgId, TokenId
from billing.dialects.v1.tokens import (
    TokenCreatedResponseDTO,
    TokenListDTO,
    TokenRequestDTO,
    TokenResponseDTO,
)
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token

app = BillingApp(hands_out_access=True)

TOKENS = "/v1/orgs/<orgId>/tokens"


@app.post(TOKENS, security=ADMIN, status_code=201, tags=["v1 tokens"])
def create_token(org_id: OrgId, request: TokenRequestDTO) -> Response[TokenCreatedResponseDTO]:
    """Create a token with at most the rights of the caller's own, and show it once

    Use it to give each client a token with no more rights than it needs.

    It ends with the caller's token at the latest: when that expires or is revoked.

    Refused with 409 if the caller's token is at the end of a line of five (`TOKEN_LINE_TOO_LONG`).
    Sent again, it creates one more: list the tokens, and revoke what is too much.
    """
    app.caller.must_reach_all(request.accounts)
    grant, token = issue_token(
        org_id,
        request.name,
        request.role,
        request.accounts,
        request.expires_at,
        now=clock.now(),
        tokens=TokenRepository(),
        maker=app.caller.grant,
    )
    return Response(
        HTTPStatus.CREATED,
        content_types.APPLICATION_JSON,
        TokenCreatedResponseDTO(id=grant.id, token=token),
        {"Location": f"/v1/orgs/{org_id}/tokens/{grant.id}"},
    )


@app.get(TOKENS, security=ADMIN, tags=["v1 tokens"])
def list_tokens(org_id: OrgId, cursor: Cursor = None, limit: Limit = 25) -> TokenListDTO:
    """List the tokens with at most the rights of the caller's own, newest first, without secrets

    Use it to see who has access, and since when.
    """
    scope = (app.caller.token_id, org_id, "tokens")
    rows = TokenRepository().list_page(org_id, cursors.decode(cursor, *scope), limit + 1)
    page, next_cursor = cursors.page(rows, limit, lambda each: each.id, *scope)
    return TokenListDTO(
        tokens=[
            TokenResponseDTO.from_domain(grant)
            for grant in page
            if app.caller.reach.includes_all(grant.reach)
        ],
        next_cursor=next_cursor,
    )


@app.delete(f"{TOKENS}/<tokenId>", security=ADMIN, status_code=204, tags=["v1 tokens"])
def delete_token(org_id: OrgId, token_id: TokenId) -> Response[None]:
    """Revoke a token, and all tokens created with it

    Use it at once when a token is lost, and when a client does not need it any more.

    Token routes refuse it at once; all other routes within 60 seconds.
    """
    TokenRepository().revoke(org_id, token_id, app.caller.reach)
    return no_content()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
