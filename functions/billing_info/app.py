"""Billing info: the billing profiles of the org and of its accounts, and their subscriptions."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.api import cursors
from billing.api.access import ORG_ADMIN, ORG_WRITER, READER, WRITER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import AccountId, Cursor, Limit, OrgId, SubscriptionId
from billing.dialects.v1.billing_info import (
    AccountBillingDetailsRequestDTO,
    AccountBillingDetailsResponseDTO,
    BillingInfo,
)
from billing.dialects.v1.subscriptions import SubscriptionListDTO
from billing.persistence.accounts import AccountRepository
from billing.persistence.subscriptions import SubscriptionRepository
from billing.services.register_subscription import register_subscription

app = BillingApp()

ORG = "/v1/orgs/<orgId>/billing_info"
ACCOUNT = "/v1/orgs/<orgId>/accounts/<accountId>/billing_details"
SUBSCRIPTIONS = "/v1/orgs/<orgId>/accounts/<accountId>/subscriptions"


@app.get(ORG, security=READER, tags=["v1 billing info"])
def get_billing_info(org_id: OrgId) -> BillingInfo:
    """Get the org's own billing profile"""
    return BillingInfo.from_domain(AccountRepository().get_org(org_id))


@app.put(ORG, security=ORG_ADMIN, status_code=204, tags=["v1 billing info"])
def put_billing_info(org_id: OrgId, request: BillingInfo) -> Response[None]:
    """Create or replace the org's own billing profile"""
    AccountRepository().save_org(request.to_domain(org_id, sandbox=app.caller.grant.sandbox))
    return no_content()


@app.get(ACCOUNT, security=READER, tags=["v1 billing info"])
def get_billing_details(org_id: OrgId, account_id: AccountId) -> AccountBillingDetailsResponseDTO:
    """Get an account's next billing date and its billing profile"""
    account = AccountRepository().get_account(org_id, account_id)
    return AccountBillingDetailsResponseDTO.from_domain(account, app.org_time())


@app.put(ACCOUNT, security=WRITER, status_code=204, tags=["v1 billing info"])
def put_billing_details(
    org_id: OrgId, account_id: AccountId, request: AccountBillingDetailsRequestDTO
) -> Response[None]:
    """Create or replace an account's billing profile"""
    AccountRepository().save_account(org_id, request.to_domain(account_id))
    return no_content()


@app.get(SUBSCRIPTIONS, security=READER, tags=["v1 billing info"])
def list_subscriptions(
    org_id: OrgId, account_id: AccountId, cursor: Cursor = None, limit: Limit = 25
) -> SubscriptionListDTO:
    """List an account's subscriptions, in the order of their ids"""
    scope = (app.caller.token_id, org_id, account_id, "subscriptions")
    after = cursors.decode(cursor, *scope)
    rows = SubscriptionRepository().list_page(org_id, account_id, after, limit + 1)
    if not rows:
        AccountRepository().get_account(org_id, account_id)
    page, last = cursors.page(rows, limit)
    return SubscriptionListDTO.from_domain(page, cursors.encode(last, *scope) if last else None)


@app.put(
    f"{SUBSCRIPTIONS}/<subscriptionId>",
    security=ORG_WRITER,
    status_code=204,
    tags=["v1 billing info"],
)
def put_subscription(
    org_id: OrgId, account_id: AccountId, subscription_id: SubscriptionId
) -> Response[None]:
    """Register a subscription to an account, for ever

    Tokens of some accounts use only subscriptions that are registered to these.
    """
    register_subscription(
        org_id, account_id, subscription_id, subscriptions=SubscriptionRepository()
    )
    return no_content()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
