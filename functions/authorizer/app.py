"""
Authorizer: tells whose token a call carries.

It lets every call with a token through, with who is calling or why not in the context: an HTTP
API cannot word a refusal itself, the application behind it can.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, deadline
from billing.api.access import context_of, refusal
from billing.api.logger import logger, reported
from billing.domain.tokens import is_well_formed, token_hash
from billing.persistence.tokens import TokenRepository


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of the gateway (payload 2.0, simple response)."""
    deadline.start(context.get_remaining_time_in_millis())
    with reported("not authenticated"):
        return {"isAuthorized": True, "context": _context(event["identitySource"][0])}


def _context(token: str) -> dict[str, str]:
    if not is_well_formed(token):
        return refusal("The token is not well-formed.")
    grant = TokenRepository().find(token_hash(token))
    if grant is None:
        return refusal("The token is unknown or was revoked.")
    if grant.expires_at and grant.expires_at <= clock.now():
        return refusal("The token has expired.")
    return context_of(grant)
