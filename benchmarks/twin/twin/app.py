"""
The twin: the invoices group as FastAPI, Mangum and boto3's resource have it.

It is what a team at home in FastAPI would write: models that describe what comes and filter what
goes, dependencies that find who is calling, `def` for routes that block.
"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from xml.etree import ElementTree

from boto3.dynamodb.conditions import Key as KeyIs
from fastapi import Depends, Header, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from mangum import Mangum
from pydantic import BaseModel

from . import documents, issuing
from .models import (
    Created,
    CreditNoteRequest,
    Days,
    Invoice,
    InvoiceDetails,
    InvoiceInfoList,
    InvoiceRequest,
    PaymentRequest,
    PublicLink,
)
from .rows import head_of, remaining, to_details, to_info, to_invoice
from .store import Item, account_of, at, get, get_all, query
from .web import (
    Authenticated,
    Id,
    RefusedError,
    create_app,
    reach_account,
    reach_org,
    required,
    until_it_holds,
)

app = create_app()
lambda_handler = Mangum(app, lifespan="off")

INVOICES = "/v1/orgs/{org_id}/accounts/{account_id}/invoices"
V3 = "/v3/account/invoice"
REACH = [Depends(reach_org), Depends(reach_account)]


class Rows(BaseModel):
    start: int = 0
    results: int = 25


def rows(ranged_data: Annotated[str | None, Header(alias="RANGED-DATA")] = None) -> Rows:
    match = re.fullmatch(
        r"start=([0-9]{1,10}),results=([0-9]{1,3})", ranged_data or "start=0,results=25"
    )
    if match is None or not 1 <= int(match[2]) <= 100:
        raise RequestValidationError([{"loc": ("header", "RANGED-DATA"), "msg": "malformed"}])
    return Rows(start=int(match[1]), results=int(match[2]))


Wanted = Annotated[Rows, Depends(rows)]
Ordinal = Annotated[int, Path(ge=1, lt=10**10)]
Filter = Annotated[str | None, Query(alias="filter", min_length=1, max_length=200)]


@app.get(V3)
def list_invoices(
    response: Response, who: Authenticated, wanted: Wanted, text: Filter = None
) -> list[Invoice]:
    account = account_of(who.org_id, who.account_id)
    if text is not None:
        return matching(response, wanted, account, text, "descriptions")
    total = count(account, "invoices")
    newest = total - wanted.start
    found = get_range(account, max(1, newest - wanted.results + 1), newest) if newest > 0 else []
    return ranged(response, wanted, found, total)


@app.get(f"{V3}/unpaid")
def list_unpaid_invoices(
    response: Response, who: Authenticated, wanted: Wanted, text: Filter = None
) -> list[Invoice]:
    account = account_of(who.org_id, who.account_id)
    if text is not None:
        return matching(response, wanted, account, text, "unpaid")
    most = wanted.start + wanted.results
    found = query(most, **of_index("unpaid", account), Limit=most)
    owed = [item for item in found[wanted.start :] if remaining(item, head_of(item))]
    return ranged(response, wanted, owed, count(account, "unpaid"))


@app.get(f"{V3}/{{invoice_id}}")
def get_invoice(invoice_id: Ordinal, who: Authenticated) -> list[InvoiceDetails]:
    return [get_details(account_of(who.org_id, who.account_id), invoice_id)]


@app.get(f"{V3}/number/{{number}}")
def get_invoice_by_number(
    number: Annotated[str, Path(max_length=64)], who: Authenticated
) -> list[InvoiceDetails]:
    item = required(get((f"number#{who.org_id}", number)))
    if item["account_id"] != who.account_id:
        raise RefusedError(404, "There is no such invoice.")
    return [get_details(account_of(who.org_id, who.account_id), int(item["ordinal"]))]


@app.get(f"{V3}/{{invoice_id}}/pdf")
def get_invoice_pdf(invoice_id: Ordinal, who: Authenticated) -> Response:
    pdf = get_pdf(account_of(who.org_id, who.account_id), invoice_id)
    headers = {"Content-Disposition": pdf["disposition"], "ETag": pdf["etag"]}
    return Response(documents.read(pdf), headers=headers, media_type=documents.PDF)


@app.get(
    "/v2/orgs/{org_id}/accounts/{account_id}/invoices",
    response_model_exclude_unset=True,
    dependencies=REACH,
)
def list_invoices_of_period(
    org_id: Id,
    account_id: Annotated[str, Path(pattern=r"^[0-9]{1,18}$")],
    start_date: date,
    end_date: date,
) -> InvoiceInfoList:
    if start_date > end_date:
        raise RefusedError(400, "start_date is after end_date")
    account = account_of(org_id, account_id)
    days = query(
        KeyConditionExpression=KeyIs("pk").eq(account)
        & KeyIs("sk").between(f"day#{start_date}", f"day#{end_date}"),
        ConsistentRead=True,
    )
    found = get_range(account, int(days[0]["oldest"]), int(days[-1]["newest"])) if days else []
    return InvoiceInfoList(
        account_id=int(account_id),
        period_date=Days(start_date=start_date, end_date=end_date),
        invoices=[to_info(item) for item in found],
    )


@app.post(INVOICES, status_code=201, dependencies=REACH)
def create_invoice(
    org_id: Id, account_id: Id, request: InvoiceRequest, response: Response
) -> Created:
    now = datetime.now(UTC)
    invoices = INVOICES.format(org_id=org_id, account_id=account_id)
    return until_it_holds(
        lambda: issuing.issue(request, org_id, account_id, now), response, invoices
    )


@app.get(f"{INVOICES}/{{invoice_id}}/public_link", dependencies=REACH)
def get_public_link(org_id: Id, account_id: Id, invoice_id: Ordinal) -> PublicLink:
    pdf = get_pdf(account_of(org_id, account_id), invoice_id)
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=documents.LINK_SECONDS)
    return PublicLink(invoice_id=str(invoice_id), url=documents.link(pdf), expires_at=ends_at)


@app.get(f"{INVOICES}/{{invoice_id}}/e_invoice", dependencies=REACH)
def get_e_invoice(
    org_id: Id,
    account_id: Id,
    invoice_id: Ordinal,
    syntax: Annotated[Literal["cii"], Query(alias="format")],
) -> Response:
    item = required(get((account_of(org_id, account_id), at("xml", invoice_id))))
    content = ElementTree.tostring(
        to_element(json.loads(item["tree"])), "UTF-8", xml_declaration=True
    )
    return Response(content, media_type="application/xml")


@app.post(f"{INVOICES}/{{invoice_id}}/payments", status_code=201, dependencies=REACH)
def create_payment(
    org_id: Id, account_id: Id, invoice_id: Ordinal, request: PaymentRequest, response: Response
) -> Created:
    invoices = INVOICES.format(org_id=org_id, account_id=account_id)
    return until_it_holds(
        lambda: issuing.pay(request, org_id, account_id, invoice_id),
        response,
        f"{invoices}/{invoice_id}/payments",
    )


@app.post(f"{INVOICES}/{{invoice_id}}/credit_note", status_code=201, dependencies=REACH)
def create_credit_note(
    org_id: Id, account_id: Id, invoice_id: Ordinal, request: CreditNoteRequest, response: Response
) -> Created:
    now = datetime.now(UTC)
    invoices = INVOICES.format(org_id=org_id, account_id=account_id)
    return until_it_holds(
        lambda: issuing.credit(request, org_id, account_id, invoice_id, now), response, invoices
    )


# ---------------------------------------------------------------- what they have in common


def count(account: str, of: str) -> int:
    return int((get((account, "totals")) or {}).get(of, 0))


def of_index(name: str, account: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeyConditionExpression": KeyIs("unpaid_of" if name == "unpaid" else "account").eq(account),
        "ScanIndexForward": False,
    }


def get_range(account: str, oldest: int, newest: int) -> list[Item]:
    return query(
        KeyConditionExpression=KeyIs("pk").eq(account)
        & KeyIs("sk").between(at("invoice", oldest), at("invoice", newest)),
        ScanIndexForward=False,
        ConsistentRead=True,
    )


def matching(
    response: Response, wanted: Rows, account: str, text: str, index: str
) -> list[Invoice]:
    ordinals = [
        int(item["ordinal"])
        for item in query(**of_index(index, account))
        if text.casefold() in item["description"].casefold()
    ]
    keys = [
        (account, at("invoice", ordinal))
        for ordinal in ordinals[wanted.start : wanted.start + wanted.results]
    ]
    found = get_all(*keys) if keys else {}
    return ranged(response, wanted, [found[key] for key in keys], len(ordinals))


def ranged(response: Response, wanted: Rows, page: list[Item], total: int) -> list[Invoice]:
    response.headers["RANGED-DATA"] = f"start={wanted.start},results={wanted.results},total={total}"
    return [to_invoice(item) for item in page]


def get_details(account: str, ordinal: int) -> InvoiceDetails:
    details, row = (account, at("details", ordinal)), (account, at("invoice", ordinal))
    found = get_all(details, row)
    return to_details(required(found.get(details)), required(found.get(row)))


def get_pdf(account: str, ordinal: int) -> Item:
    return required(get((account, at("pdf", ordinal))))


def to_element(tree: list[Any]) -> ElementTree.Element:
    tag, attributes, text, children = tree
    element = ElementTree.Element(tag, attributes)
    element.text = text
    element.extend(map(to_element, children))
    return element
