"""
The twin: the invoices group as FastAPI, Mangum and boto3's resource have it.

It stands on the product's tables, answers what the product answers, byte for byte, and writes the
same items. What follows is what a team at home in FastAPI would write: models that describe what
comes and filter what goes, dependencies that tell who is calling, `def` for routes that block,
tables by boto3's resource. It is built like the product, byte code included.

What is compared is the framework, the models and the access to AWS. So the rules are the
product's own (`billing.domain`), and so is the form in which an invoice is hashed and kept
(`billing.domain.records`) and its XML: written anew they would take the same time.
"""

import json
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from boto3.dynamodb.conditions import Key as KeyIs
from fastapi import Depends, Header, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from mangum import Mangum
from pydantic import BaseModel

from billing.domain.errors import InvalidRequestError, NotFoundError
from billing.domain.invoices import InvoiceKey
from billing.domain.periods import local_date, years_before

from . import documents, issuing
from .answers import Row, remaining, to_details, to_info, to_invoice
from .issuing import INVOICES, account_partition, document_key, get_invoices, summary_key
from .models import (
    Created,
    CreditNoteRequest,
    Invoice,
    InvoiceDetails,
    InvoiceInfoList,
    InvoiceRequest,
    PaymentRequest,
    PeriodDate,
    PublicLink,
)
from .store import get, query
from .web import Authenticated, Id, create_app, reach_account, reach_org, write

app = create_app()
lambda_handler = Mangum(app, lifespan="off")

V1_INVOICES = "/v1/orgs/{org_id}/accounts/{account_id}/invoices"
V3_INVOICES = "/v3/account/invoice"
BODY_LIMIT = 4_000_000

READ = [Depends(reach_org), Depends(reach_account)]
WRITE = [*READ, Depends(write)]


class Rows(BaseModel):
    start: int = 0
    results: int = 25


async def rows(ranged_data: Annotated[str | None, Header(alias="RANGED-DATA")] = None) -> Rows:
    given = {}
    for part in (ranged_data or "start=0,results=25").replace(" ", "").split(","):
        match = re.fullmatch(r"(start|results)=([0-9]{1,10})", part)
        if match is None:
            raise malformed("must be as in start=0,results=25")
        given[match[1]] = int(match[2])
    wanted = Rows(**given)
    if not 1 <= wanted.results <= 100:
        raise malformed("results must be from 1 to 100")
    return wanted


def malformed(message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("header", "RANGED-DATA"), "msg": message}])


Wanted = Annotated[Rows, Depends(rows)]
Ordinal = Annotated[int, Path(ge=1, lt=10**10)]
Filter = Annotated[str | None, Query(alias="filter", min_length=1, max_length=200)]


# ---------------------------------------------------------------- v3


@app.get(V3_INVOICES)
def list_invoices(
    response: Response, who: Authenticated, wanted: Wanted, text: Filter = None
) -> list[Invoice]:
    account = account_partition(who.org_id, who.account_id)
    if text is not None:
        items = query(
            INVOICES,
            IndexName="descriptions",
            KeyConditionExpression=KeyIs("pk").eq(account),
            ScanIndexForward=False,
        )
        return matching(response, wanted, account, text, [(i["ordinal"], i) for i in items])
    total = int((get(INVOICES, (account, "unpaid#totals")) or {}).get("invoices", 0))
    newest = total - wanted.start
    if newest < 1:
        return ranged(response, wanted, [], total)
    found = get_range(account, max(1, newest - wanted.results + 1), newest)
    return ranged(response, wanted, [to_invoice(item) for item in found], total)


@app.get(f"{V3_INVOICES}/unpaid")
def list_unpaid_invoices(
    response: Response, who: Authenticated, wanted: Wanted, text: Filter = None
) -> list[Invoice]:
    account = account_partition(who.org_id, who.account_id)
    most = None if text is not None else wanted.start + wanted.results + 1
    found = query(
        INVOICES,
        most=most,
        KeyConditionExpression=KeyIs("pk").eq(account)
        & KeyIs("sk").between("unpaid#", "unpaid#totals"),
        ScanIndexForward=False,
        ConsistentRead=True,
        **({"Limit": most} if most else {}),
    )
    totals, unpaid = found[:1], [(int(item["sk"].split("#")[1]), item) for item in found[1:]]
    if text is not None:
        return matching(response, wanted, account, text, unpaid)
    page = get_summaries(account, [ordinal for ordinal, _ in unpaid[wanted.start :]])
    owed = [to_invoice(item) for item in page if remaining(item, json.loads(item["head"]))]
    return ranged(response, wanted, owed, int(totals[0]["unpaid"]) if totals else 0)


@app.get(f"{V3_INVOICES}/{{invoice_id}}")
def get_invoice(invoice_id: Ordinal, who: Authenticated) -> list[InvoiceDetails]:
    return [get_details(InvoiceKey(who.org_id, who.account_id, invoice_id))]


@app.get(f"{V3_INVOICES}/number/{{number}}")
def get_invoice_by_number(
    number: Annotated[str, Path(max_length=64)], who: Authenticated
) -> list[InvoiceDetails]:
    account_id, match = who.account_id, re.fullmatch(r"([A-Z]{1,8}[0-9]{4})-([0-9]{6,9})", number)
    if match is None:
        raise NotFoundError
    item = get(INVOICES, (f"number#{who.org_id}#{match[1]}", f"{int(match[2]):010}"))
    if item is None or item["account_id"] != account_id:
        raise NotFoundError
    return [get_details(InvoiceKey(who.org_id, account_id, int(item["ordinal_of_account"])))]


@app.get(f"{V3_INVOICES}/{{invoice_id}}/pdf")
def get_invoice_pdf(invoice_id: Ordinal, who: Authenticated) -> Response:
    pdf = documents.provide_pdf(InvoiceKey(who.org_id, who.account_id, invoice_id))
    content = documents.read(pdf)
    if len(content) > BODY_LIMIT:
        return RedirectResponse(documents.link(pdf))
    headers = {"Content-Disposition": documents.disposition(pdf), "ETag": f'"{pdf.sha256}"'}
    return Response(content, headers=headers, media_type=documents.PDF)


# ---------------------------------------------------------------- v2


@app.get(
    "/v2/orgs/{org_id}/accounts/{account_id}/invoices",
    response_model_exclude_unset=True,
    dependencies=READ,
)
def list_invoices_of_period(
    org_id: Id,
    account_id: Annotated[str, Path(pattern=r"^[0-9]{1,18}$")],
    start_date: date | None = None,
    end_date: date | None = None,
) -> InvoiceInfoList:
    if end_date is None:
        org, _, _ = issuing.get_profiles(org_id, account_id)
        end_date = local_date(datetime.now(UTC), org.time_zone)
    start_date = start_date or years_before(end_date, 1)
    if start_date > end_date:
        raise InvalidRequestError.of("start_date", "is after end_date")
    if start_date < years_before(end_date, 5):
        raise InvalidRequestError.of("start_date", "is more than five years before end_date")
    account = account_partition(org_id, account_id)
    days = query(
        INVOICES,
        KeyConditionExpression=KeyIs("pk").eq(account)
        & KeyIs("sk").between(f"day#{start_date}", f"day#{end_date}"),
        ConsistentRead=True,
    )
    if not days:
        issuing.get_profiles(org_id, account_id)
    found = (
        get_range(account, int(days[0]["first_ordinal"]), int(days[-1]["last_ordinal"]))
        if days
        else []
    )
    return InvoiceInfoList(
        account_id=int(account_id),
        period_date=PeriodDate(start_date=start_date, end_date=end_date),
        invoices=[to_info(item) for item in found],
    )


# ---------------------------------------------------------------- v1


@app.post(V1_INVOICES, status_code=201, dependencies=WRITE)
def create_invoice(
    org_id: Id, account_id: Id, request: InvoiceRequest, response: Response
) -> Created:
    return created(response, *issuing.issue(request, org_id, account_id, datetime.now(UTC)))


@app.get(f"{V1_INVOICES}/{{invoice_id}}/public_link", dependencies=READ)
def get_public_link(org_id: Id, account_id: Id, invoice_id: Id) -> PublicLink:
    pdf = documents.provide_pdf(named(org_id, account_id, invoice_id))
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=documents.LINK_SECONDS)
    return PublicLink(invoice_id=invoice_id, url=documents.link(pdf), expires_at=ends_at)


@app.get(f"{V1_INVOICES}/{{invoice_id}}/e_invoice", dependencies=READ)
def get_e_invoice(
    org_id: Id,
    account_id: Id,
    invoice_id: Id,
    syntax: Annotated[Literal["cii", "ubl"], Query(alias="format")],
) -> Response:
    # Here and not above, as in the product, so that a start is no longer for it.
    from billing.einvoice.cii import to_cii
    from billing.einvoice.ubl import to_ubl

    key = named(org_id, account_id, invoice_id)
    found = get_invoices(document_key(key), summary_key(key))
    if len(found) < 2:
        raise NotFoundError
    invoice = issuing.read_document(found[document_key(key)])
    content = to_cii(invoice) if syntax == "cii" else to_ubl(invoice)
    return Response(content, media_type="application/xml")


@app.post(f"{V1_INVOICES}/{{invoice_id}}/payments", status_code=201, dependencies=WRITE)
def create_payment(
    org_id: Id, account_id: Id, invoice_id: Id, request: PaymentRequest, response: Response
) -> Created:
    return created(response, *issuing.pay(request, named(org_id, account_id, invoice_id)))


@app.post(f"{V1_INVOICES}/{{invoice_id}}/credit_note", status_code=201, dependencies=WRITE)
def create_credit_note(
    org_id: Id, account_id: Id, invoice_id: Id, request: CreditNoteRequest, response: Response
) -> Created:
    key = named(org_id, account_id, invoice_id)
    return created(response, *issuing.credit(request, key, datetime.now(UTC)))


def named(org_id: str, account_id: str, invoice_id: str) -> InvoiceKey:
    if not (invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) <= 10):
        raise NotFoundError
    return InvoiceKey(org_id, account_id, int(invoice_id))


def created(response: Response, thing_id: str, replayed: bool) -> Created:
    if replayed:
        response.headers["idempotent-replayed"] = "true"
    return Created(id=thing_id)


# ---------------------------------------------------------------- what lists have in common


def get_range(account: str, oldest: int, newest: int) -> list[Row]:
    return query(
        INVOICES,
        KeyConditionExpression=KeyIs("pk").eq(account)
        & KeyIs("sk").between(f"invoice#{oldest:010}", f"invoice#{newest:010}"),
        ScanIndexForward=False,
        ConsistentRead=True,
    )


def get_summaries(account: str, ordinals: Sequence[int]) -> list[Row]:
    if not ordinals:
        return []
    keys = [(account, f"invoice#{int(ordinal):010}") for ordinal in ordinals]
    found = get_invoices(*keys)
    return [found[key] for key in keys]


def matching(
    response: Response, wanted: Rows, account: str, text: str, items: Sequence[tuple[int, Row]]
) -> list[Invoice]:
    ordinals = [
        ordinal for ordinal, item in items if text.casefold() in item["description"].casefold()
    ]
    page = get_summaries(account, ordinals[wanted.start : wanted.start + wanted.results])
    return ranged(response, wanted, [to_invoice(item) for item in page], len(ordinals))


def ranged(response: Response, wanted: Rows, page: list[Invoice], total: int) -> list[Invoice]:
    response.headers["RANGED-DATA"] = f"start={wanted.start},results={wanted.results},total={total}"
    return page


def get_details(key: InvoiceKey) -> InvoiceDetails:
    found = get_invoices(document_key(key), summary_key(key))
    if len(found) < 2:
        raise NotFoundError
    record: dict[str, Any] = json.loads(zlib.decompress(found[document_key(key)]["record"].value))
    return to_details(record, found[summary_key(key)])
