"""Billing info: the billing profiles of the org and of its accounts, and their subscriptions."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import config
from billing.adapters.documents import DocumentStore
from billing.api import cursors
from billing.api.access import ORG_ADMIN, ORG_READER, ORG_WRITER, READER, WRITER
from billing.api.app import BillingApp, no_content
from billing.api.etags import KEPT_BY_CLIENT, etag, versions_in
from billing.api.logger import logger
from billing.api.params import AccountId, Cursor, IfMatch, Limit, OrgId, SubscriptionId
from billing.dialects.v1.billing_info import (
    AccountBillingDetailsRequestDTO,
    AccountBillingDetailsResponseDTO,
    AccountListDTO,
    BillingInfo,
)
from billing.dialects.v1.e_invoices import EInvoiceReadinessDTO
from billing.dialects.v1.subscriptions import SubscriptionListDTO
from billing.domain.errors import NotFoundError
from billing.domain.mails import check_sender
from billing.persistence.accounts import AccountRepository
from billing.persistence.cycles import CycleRepository
from billing.persistence.fiscal_items import fiscal_system
from billing.persistence.orgs import OrgRepository
from billing.persistence.subscriptions import SubscriptionRepository
from billing.services.read_billing_details import read_billing_details
from billing.services.register_subscription import register_subscription
from billing.services.replace_logo import remove_logo, set_logo
from billing.services.replace_profile import replace_account, replace_org

app = BillingApp(takes_files={"PUT /v1/orgs/{orgId}/billing_info/logo"})

ORG = "/v1/orgs/<orgId>/billing_info"
LOGO = f"{ORG}/logo"
ACCOUNTS = "/v1/orgs/<orgId>/accounts"
ACCOUNT = "/v1/orgs/<orgId>/accounts/<accountId>/billing_details"
READINESS = "/v1/orgs/<orgId>/accounts/<accountId>/e_invoice_readiness"
SUBSCRIPTIONS = "/v1/orgs/<orgId>/accounts/<accountId>/subscriptions"


@app.get(ORG, security=READER, tags=["v1 billing info"])
def get_billing_info(org_id: OrgId) -> Response[BillingInfo]:
    """Get the org's own billing profile

    Use it to read the profile before you replace it; its `ETag` is for `If-Match`.
    """
    org, version = OrgRepository().get(org_id)
    return _tagged(BillingInfo.from_domain(org), version)


@app.put(ORG, security=ORG_ADMIN, status_code=204, tags=["v1 billing info"])
def put_billing_info(
    org_id: OrgId, request: BillingInfo, if_match: IfMatch = None
) -> Response[None]:
    """Create or replace the org's own billing profile

    Use it to set up an org, and whenever something of it changes. Documents that were issued keep
    what they say.

    Refused with 409 if the country would change, or the tax id after the first document
    (`TAXPAYER_FIXED`), a series numbers documents of the other kind (`SERIES_TAKEN`), or the fiscal
    regime cannot be changed now (`FISCAL_REGIME`).
    """
    check_sender(request.mail_from, config.mail_domains())
    org = request.to_domain(org_id, sandbox=app.caller.grant.sandbox)
    version = replace_org(
        org,
        now=app.org_time(),
        versions=versions_in(if_match),
        orgs=OrgRepository(),
        system=fiscal_system(org_id),
    )
    return no_content(ETag=etag(version))


@app.get(LOGO, security=READER, tags=["v1 billing info"])
def get_logo(org_id: OrgId) -> Response[bytes]:
    """Get the logo that is printed on the org's documents

    Use it to show the logo as it is printed.
    """
    org, _ = OrgRepository().get(org_id)
    if org.logo is None:
        raise NotFoundError("The org has no logo.")
    headers = {"Cache-Control": KEPT_BY_CLIENT, "ETag": f'"{org.logo.sha256}"'}
    if app.has_cached(headers["ETag"]):
        return Response(HTTPStatus.NOT_MODIFIED, body=b"", headers=headers)
    body = DocumentStore().get_logo(org_id, org.logo)
    return Response(HTTPStatus.OK, org.logo.type, body, headers)


@app.put(LOGO, security=ORG_ADMIN, status_code=204, tags=["v1 billing info"])
def put_logo(org_id: OrgId) -> Response[None]:
    """Set the logo that is printed on the org's documents

    Use it once, and when the logo changes.

    A PNG of at most 2000 × 2000 pixels, or an SVG of shapes, without letters, scripts and
    references to other files; at most 100 KB. Documents issued before keep the logo they were
    issued with.
    """
    content = app.sent_file("image/png", "image/svg+xml")
    set_logo(org_id, content, orgs=OrgRepository(), store=DocumentStore())
    return no_content()


@app.delete(LOGO, security=ORG_ADMIN, status_code=204, tags=["v1 billing info"])
def delete_logo(org_id: OrgId) -> Response[None]:
    """Print no logo on the org's documents any more

    Use it to go back to documents without a logo. Sent again, it is a 204.

    Documents issued before keep the logo they were issued with.
    """
    remove_logo(org_id, orgs=OrgRepository())
    return no_content()


@app.get(ACCOUNT, security=READER, tags=["v1 billing info"])
def get_billing_details(
    org_id: OrgId, account_id: AccountId
) -> Response[AccountBillingDetailsResponseDTO]:
    """Get an account's next billing date and its billing profile

    Use it to read a profile before you replace it (its `ETag` is for `If-Match`), and to see when
    the account is billed next.
    """
    details = read_billing_details(
        org_id,
        account_id,
        now=app.org_time(),
        accounts=AccountRepository(),
        cycles=CycleRepository(),
    )
    return _tagged(AccountBillingDetailsResponseDTO.from_domain(details), details.version)


@app.put(ACCOUNT, security=WRITER, status_code=204, tags=["v1 billing info"])
def put_billing_details(
    org_id: OrgId,
    account_id: AccountId,
    request: AccountBillingDetailsRequestDTO,
    if_match: IfMatch = None,
) -> Response[None]:
    """Create or replace an account's billing profile

    Use it to open an account, and whenever something of it changes; with `closed` to close it. A
    new billing day or time zone holds from the next cycle on.
    """
    version = replace_account(
        org_id,
        request.to_domain(account_id),
        names_vat_status=request.vat_number_status is not None,
        versions=versions_in(if_match),
        accounts=AccountRepository(),
    )
    return no_content(ETag=etag(version))


@app.get(READINESS, security=READER, tags=["v1 billing info"])
def get_e_invoice_readiness(org_id: OrgId, account_id: AccountId) -> EInvoiceReadinessDTO:
    """Get the networks that an account's e-invoices are ready for, and what is missing

    Use it when you set up an account whose invoices go over a network.

    It is about the profiles as they are now. On an invoice of its own a `buyer_reference` counts
    too, and for Peppol an `order_id` that all lines share.
    """
    return EInvoiceReadinessDTO.from_domain(*AccountRepository().get_both(org_id, account_id))


@app.get(ACCOUNTS, security=ORG_READER, tags=["v1 billing info"])
def list_accounts(
    org_id: OrgId,
    name: Annotated[
        str,
        Query(
            max_length=200,
            description="Beginning of the name, in any case and with or without its accents. Omit "
            "for all accounts.",
        ),
    ] = "",
    cursor: Cursor = None,
    limit: Limit = 25,
) -> AccountListDTO:
    """List the accounts of the org, in the order of their names

    Use it to find an account by the beginning of its name.

    The list follows a new account or a new name within a second.
    """
    scope = (app.caller.token_id, org_id, "accounts", name)
    after = cursors.decode_text(cursor, *scope)
    page, last = AccountRepository().list_by_name(org_id, name, after, limit)
    return AccountListDTO.from_domain(page, cursors.encode_text(last, *scope) if last else None)


@app.get(SUBSCRIPTIONS, security=READER, tags=["v1 billing info"])
def list_subscriptions(
    org_id: OrgId, account_id: AccountId, cursor: Cursor = None, limit: Limit = 25
) -> SubscriptionListDTO:
    """List an account's subscriptions, in the order of their ids

    Use it to see what can be charged to an account.
    """
    scope = (app.caller.token_id, org_id, account_id, "subscriptions")
    after = cursors.decode(cursor, *scope)
    rows = SubscriptionRepository().list_page(org_id, account_id, after, limit + 1)
    if not rows:
        AccountRepository().get_account(org_id, account_id)
    return SubscriptionListDTO.from_domain(*cursors.page(rows, limit, str, *scope))


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

    Use it before usage is sent, and before a token of some accounts charges a subscription.

    Tokens of some accounts use only subscriptions that are registered to these.

    Refused with 409 if it belongs to another account (`SUBSCRIPTION_TAKEN`).
    """
    register_subscription(
        org_id, account_id, subscription_id, subscriptions=SubscriptionRepository()
    )
    return no_content()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


def _tagged[T](body: T, version: int) -> Response[T]:
    headers = {"ETag": etag(version)}
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, body, headers)
