"""Tokens: an org's admins make, list and revoke them."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api.access import ADMIN
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import OrgId, TokenId
from billing.dialects.v1.tokens import TokenCreatedResponseDTO, TokenRequestDTO, TokenResponseDTO
from billing.domain.errors import InvalidRequestError
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token

app = BillingApp()

TOKENS = "/v1/orgs/<orgId>/tokens"


@app.post(TOKENS, security=ADMIN, status_code=201, tags=["v1 tokens"])
def create_token(org_id: OrgId, request: TokenRequestDTO) -> Response[TokenCreatedResponseDTO]:
    """Make a token that reaches no more than the caller's own, and show it once"""
    accounts, now = request.reach(), clock.now()
    app.caller.must_reach_all(accounts)
    if request.expires_at and request.expires_at <= now:
        raise InvalidRequestError.of("expires_at", "is in the past")
    grant, token = issue_token(
        org_id,
        request.name,
        request.role,
        accounts,
        request.expires_at,
        now=now,
        tokens=TokenRepository(),
    )
    return Response(
        HTTPStatus.CREATED,
        content_types.APPLICATION_JSON,
        TokenCreatedResponseDTO(id=grant.id, token=token),
        {"Cache-Control": "no-store"},
    )


@app.get(TOKENS, security=ADMIN, tags=["v1 tokens"])
def list_tokens(org_id: OrgId) -> list[TokenResponseDTO]:
    """List the tokens that reach no more than the caller's own, newest first, without secrets"""
    grants = [
        grant
        for grant in TokenRepository().list_grants(org_id)
        if app.caller.reaches_all(grant.accounts)
    ]
    grants.sort(key=lambda grant: (grant.created_at, grant.id), reverse=True)
    return [TokenResponseDTO.from_domain(grant) for grant in grants]


@app.delete(f"{TOKENS}/<tokenId>", security=ADMIN, status_code=204, tags=["v1 tokens"])
def delete_token(org_id: OrgId, token_id: TokenId) -> Response[None]:
    """Revoke a token; the gateway forgets it within a minute"""
    TokenRepository().revoke(org_id, token_id, reaches=app.caller.reaches_all)
    return no_content()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
