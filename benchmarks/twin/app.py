"""
The twin: the reads of the invoices group as FastAPI, Mangum and boto3's resource have them.

It stands on the product's tables and answers what the product answers, byte for byte. What
follows is what a team at home in FastAPI would write: models that describe and filter the
answers, dependencies that tell who is calling, tables by boto3's resource. It is built like the
product, byte code included.
"""

import json
import os
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from fastapi import Depends, FastAPI, Header, HTTPException, Path, Query, Request, Response
from mangum import Mangum
from pydantic import BaseModel, field_serializer

app = FastAPI(openapi_url=None)
lambda_handler = Mangum(app, lifespan="off")

CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


@cache
def dynamodb() -> Any:
    return boto3.resource("dynamodb", config=CONFIG)


@cache
def table() -> Any:
    return dynamodb().Table(os.environ["INVOICES_TABLE"])


# ---------------------------------------------------------------- who is calling


class Caller(BaseModel):
    org_id: str
    role: str
    accounts: str

    @property
    def account_id(self) -> str:
        if self.accounts == "*" or "," in self.accounts:
            raise HTTPException(403, "This API acts on one account.")
        return self.accounts


def caller(request: Request) -> Caller:
    context = request.scope["aws.event"]["requestContext"].get("authorizer", {}).get("lambda")
    if not context or "refused" in context:
        raise HTTPException(401, "The call carries no valid token.")
    if context["expires_at"] and datetime.fromisoformat(context["expires_at"]) <= datetime.now(UTC):
        raise HTTPException(401, "The token has expired.")
    return Caller(**context)


Authenticated = Annotated[Caller, Depends(caller)]


def reach_account(org_id: str, account_id: str, who: Authenticated) -> None:
    if who.org_id != org_id or (who.accounts != "*" and account_id not in who.accounts.split(",")):
        raise HTTPException(403, "The token does not reach this account.")


class Rows(BaseModel):
    start: int = 0
    results: int = 25


def rows(ranged_data: Annotated[str | None, Header(alias="RANGED-DATA")] = None) -> Rows:
    given = {}
    for part in (ranged_data or "start=0,results=25").replace(" ", "").split(","):
        match = re.fullmatch(r"(start|results)=([0-9]{1,10})", part)
        if match is None:
            raise HTTPException(400, "RANGED-DATA must be as in start=0,results=25")
        given[match[1]] = int(match[2])
    wanted = Rows(**given)
    if not 1 <= wanted.results <= 100:
        raise HTTPException(400, "results must be from 1 to 100")
    return wanted


Wanted = Annotated[Rows, Depends(rows)]
Ordinal = Annotated[int, Path(ge=1, lt=10**10)]
Text = Annotated[str | None, Query(alias="filter", min_length=1, max_length=200)]


# ---------------------------------------------------------------- what is answered


class Invoice(BaseModel):
    id: str
    creationDate: int
    dueDate: int
    invoiceNumber: str
    invoiceHash: str
    description: str
    currency: str
    currencySign: str
    amountIncVAT: str
    amountExclVAT: str
    paymentStatus: int
    paymentDate: int
    isCredit: int
    remainingAmount: str
    totalPaidAmount: str


class InvoiceItem(BaseModel):
    orderId: str
    description: str
    periodFrom: str
    periodTo: str
    remarks: str
    quantity: int
    setupCosts: str
    unitPrice: str
    vatPercentage: int
    vatAmount: str
    amountIncVat: str
    amountExclVat: str


class ClientDetails(BaseModel):
    fullName: str
    companyName: str
    email: str
    address: str
    zip: str
    city: str
    country: str
    vatNumber: str
    iban: str
    bic: str


class CompanyDetails(BaseModel):
    name: str
    address: str
    zip: str
    city: str
    country: str
    phone: str
    email: str
    url: str
    iban: str
    bic: str


class InvoiceDetails(BaseModel):
    id: int
    invoiceNumber: str
    invoiceHash: str
    clientNumber: str
    creationDate: str
    dueDate: str
    paymentStatus: int
    paymentDate: int
    isCredit: int
    paymentTerm: int
    currency: str
    currencySign: str
    vatPercentage: int
    vatAmount: str
    amountIncVat: str
    amountExclVat: str
    items: list[InvoiceItem]
    clientDetails: ClientDetails
    companyDetails: CompanyDetails


class PeriodDate(BaseModel):
    start_date: date
    end_date: date


class InvoiceStatus(BaseModel):
    id: int
    value: str


class InvoiceCycle(BaseModel):
    start_date: datetime
    end_date: datetime


class InvoiceInfoDetail(BaseModel):
    value: Decimal
    delivery_mode: str
    date: datetime
    pay_date: datetime | None = None
    number: str
    path: str
    status: InvoiceStatus
    cycle: InvoiceCycle

    @field_serializer("value")
    def _number(self, value: Decimal) -> int | float:
        return int(value) if value == value.to_integral_value() else float(value)


class InvoiceInfoList(BaseModel):
    account_id: int
    period_date: PeriodDate
    invoices: list[InvoiceInfoDetail]


# ---------------------------------------------------------------- routes


@app.get("/v3/account/invoice", response_model=list[Invoice])
def list_invoices(
    response: Response, who: Authenticated, wanted: Wanted, text: Text = None
) -> list[Invoice]:
    account = account_key(who.org_id, who.account_id)
    if text is not None:
        ordinals = [
            int(item["ordinal"])
            for item in query(
                IndexName="descriptions",
                KeyConditionExpression=Key("pk").eq(account),
                ScanIndexForward=False,
            )
            if text.casefold() in item["description"].casefold()
        ]
        page = get_summaries(account, ordinals[wanted.start : wanted.start + wanted.results])
        return ranged(response, wanted, page, len(ordinals))
    totals = table().get_item(Key={"pk": account, "sk": "unpaid#totals"}, ConsistentRead=True)
    total = int(totals.get("Item", {}).get("invoices", 0))
    newest = total - wanted.start
    if newest < 1:
        return ranged(response, wanted, [], total)
    oldest = max(1, newest - wanted.results + 1)
    return ranged(response, wanted, get_range(account, oldest, newest), total)


@app.get("/v3/account/invoice/unpaid", response_model=list[Invoice])
def list_unpaid_invoices(response: Response, who: Authenticated, wanted: Wanted) -> list[Invoice]:
    account = account_key(who.org_id, who.account_id)
    found = query(
        KeyConditionExpression=Key("pk").eq(account)
        & Key("sk").between("unpaid#", "unpaid#totals"),
        ScanIndexForward=False,
        ConsistentRead=True,
        Limit=wanted.start + wanted.results + 1,
        most=wanted.start + wanted.results + 1,
    )
    total = int(found[0]["unpaid"]) if found else 0
    ordinals = [int(item["sk"].split("#")[1]) for item in found[wanted.start + 1 :]]
    return ranged(response, wanted, get_summaries(account, ordinals), total)


@app.get("/v3/account/invoice/{invoice_id}", response_model=list[InvoiceDetails])
def get_invoice(invoice_id: Ordinal, who: Authenticated) -> list[InvoiceDetails]:
    return [get_details(who.org_id, who.account_id, invoice_id)]


@app.get("/v3/account/invoice/number/{number}", response_model=list[InvoiceDetails])
def get_invoice_by_number(number: str, who: Authenticated) -> list[InvoiceDetails]:
    match = re.fullmatch(r"([A-Z]{1,8}[0-9]{4})-([0-9]{6,9})", number)
    if match is None:
        raise HTTPException(404)
    key = {"pk": f"number#{who.org_id}#{match[1]}", "sk": f"{int(match[2]):010}"}
    item = table().get_item(Key=key, ConsistentRead=True).get("Item")
    if item is None or item["account_id"] != who.account_id:
        raise HTTPException(404)
    return [get_details(who.org_id, who.account_id, int(item["ordinal_of_account"]))]


@app.get(
    "/v2/orgs/{org_id}/accounts/{account_id}/invoices",
    response_model=InvoiceInfoList,
    response_model_exclude_unset=True,
    dependencies=[Depends(reach_account)],
)
def list_invoices_of_period(
    org_id: str, account_id: str, start_date: date, end_date: date
) -> InvoiceInfoList:
    account = account_key(org_id, account_id)
    days = query(
        KeyConditionExpression=Key("pk").eq(account)
        & Key("sk").between(f"day#{start_date}", f"day#{end_date}"),
        ConsistentRead=True,
    )
    found = (
        get_items_of_range(account, int(days[0]["first_ordinal"]), int(days[-1]["last_ordinal"]))
        if days
        else []
    )
    return InvoiceInfoList(
        account_id=int(account_id),
        period_date=PeriodDate(start_date=start_date, end_date=end_date),
        invoices=[to_info(item) for item in found],
    )


# ---------------------------------------------------------------- the table


def account_key(org_id: str, account_id: str) -> str:
    return f"account#{org_id}#{account_id}"


def query(most: int | None = None, **request: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while most is None or len(items) < most:
        answer = table().query(**request)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return items[:most]


def batch_get(keys: Sequence[dict[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    name = table().name
    request = {name: {"Keys": list(keys), "ConsistentRead": True}}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    while request:
        answer = dynamodb().batch_get_item(RequestItems=request)
        found |= {(item["pk"], item["sk"]): item for item in answer["Responses"][name]}
        request = answer["UnprocessedKeys"]
    return found


def get_items_of_range(account: str, oldest: int, newest: int) -> list[dict[str, Any]]:
    return query(
        KeyConditionExpression=Key("pk").eq(account)
        & Key("sk").between(f"invoice#{oldest:010}", f"invoice#{newest:010}"),
        ScanIndexForward=False,
        ConsistentRead=True,
    )


def get_range(account: str, oldest: int, newest: int) -> list[Invoice]:
    return [to_invoice(item) for item in get_items_of_range(account, oldest, newest)]


def get_summaries(account: str, ordinals: Sequence[int]) -> list[Invoice]:
    if not ordinals:
        return []
    keys = [(account, f"invoice#{ordinal:010}") for ordinal in ordinals]
    found = batch_get([{"pk": pk, "sk": sk} for pk, sk in keys])
    return [to_invoice(found[key]) for key in keys]


def get_details(org_id: str, account_id: str, ordinal: int) -> InvoiceDetails:
    document = f"invoice#{org_id}#{account_id}#{ordinal}", "document"
    summary = account_key(org_id, account_id), f"invoice#{ordinal:010}"
    found = batch_get([{"pk": pk, "sk": sk} for pk, sk in (document, summary)])
    if len(found) < 2:
        raise HTTPException(404)
    record = json.loads(zlib.decompress(found[document]["record"].value))
    return to_details(record, found[summary])


# ---------------------------------------------------------------- from rows to answers


def ranged(response: Response, wanted: Rows, page: list[Invoice], total: int) -> list[Invoice]:
    response.headers["RANGED-DATA"] = f"start={wanted.start},results={wanted.results},total={total}"
    return page


def remaining(item: dict[str, Any], head: dict[str, Any]) -> int:
    if head["kind"] == "CREDIT_NOTE":
        return 0
    return max(0, int(head["gross"]) - int(item["paid"]) - int(item["credited"]))


def payment_status(item: dict[str, Any], owed: int) -> int:
    if not owed:
        return 1
    return 2 if item["paid"] else 0


def to_invoice(item: dict[str, Any]) -> Invoice:
    head = json.loads(item["head"])
    owed = remaining(item, head)
    return Invoice(
        id=str(item["ordinal"]),
        creationDate=seconds(head["issued_at"]),
        dueDate=int(midnight(head["due_date"], head["time_zone"]).timestamp()),
        invoiceNumber=head["number"],
        invoiceHash=head["hash"],
        description=item["description"],
        currency=head["currency"],
        currencySign=SIGNS.get(head["currency"], head["currency"]),
        amountIncVAT=str(head["gross"]),
        amountExclVAT=str(head["net"]),
        paymentStatus=payment_status(item, owed),
        paymentDate=seconds(item["settled_at"]),
        isCredit=int(head["kind"] == "CREDIT_NOTE"),
        remainingAmount=str(owed),
        totalPaidAmount=str(item["paid"]),
    )


def to_info(item: dict[str, Any]) -> InvoiceInfoDetail:
    head = json.loads(item["head"])
    owed = remaining(item, head)
    settled = {"pay_date": item["settled_at"]} if item["settled_at"] else {}
    return InvoiceInfoDetail(
        value=Decimal(head["gross"]).scaleb(-2),
        delivery_mode=head["delivery_mode"],
        date=midnight(head["issue_date"], head["time_zone"]),
        number=head["number"],
        path=f"/invoices/{head['issue_date'].replace('-', '')}/{head['number']}.pdf",
        status=to_status(item, head, owed),
        cycle=InvoiceCycle(
            start_date=head["cycle"]["start"],
            end_date=head["cycle"]["end"],
        ),
        **settled,
    )


def to_status(item: dict[str, Any], head: dict[str, Any], owed: int) -> InvoiceStatus:
    if item["credited"] and int(item["credited"]) == head["gross"]:
        return InvoiceStatus(id=4, value="ABONADO")
    if not owed:
        return InvoiceStatus(id=2, value="PAGADO")
    today = datetime.now(ZoneInfo(head["time_zone"])).date()
    if today > date.fromisoformat(head["due_date"]):
        return InvoiceStatus(id=3, value="IMPAGADO")
    return InvoiceStatus(id=1, value="PENDIENTE")


def to_details(record: dict[str, Any], item: dict[str, Any]) -> InvoiceDetails:
    head = json.loads(item["head"])
    buyer, seller = record["buyer"], record["seller"]
    tax = sum(total["amount"] for total in record["taxes"])
    net = sum(total["net"] for total in record["taxes"])
    issued, due = date.fromisoformat(record["issue_date"]), date.fromisoformat(record["due_date"])
    return InvoiceDetails(
        id=record["ordinal"],
        invoiceNumber=record["number"],
        invoiceHash=head["hash"],
        clientNumber=buyer["id"],
        creationDate=record["issue_date"],
        dueDate=record["due_date"],
        paymentStatus=payment_status(item, remaining(item, head)),
        paymentDate=seconds(item["settled_at"]),
        isCredit=int(head["kind"] == "CREDIT_NOTE"),
        paymentTerm=(due - issued).days,
        currency=record["currency"],
        currencySign=SIGNS.get(record["currency"], record["currency"]),
        vatPercentage=max(whole(total["tax"]["percentage"]) for total in record["taxes"]),
        vatAmount=str(tax),
        amountIncVat=str(net + tax),
        amountExclVat=str(net),
        items=[to_item(line) for line in record["lines"]],
        clientDetails=ClientDetails(
            fullName=buyer["name"],
            companyName=buyer["company_name"] or "",
            email=buyer["email"],
            address=buyer["address"]["street"],
            zip=buyer["address"]["postal_code"],
            city=buyer["address"]["city"],
            country=buyer["address"]["country"],
            vatNumber=buyer["tax_id"] or "",
            iban=buyer["iban"] or "",
            bic=buyer["bic"] or "",
        ),
        companyDetails=CompanyDetails(
            name=seller["legal_name"],
            address=seller["address"]["street"],
            zip=seller["address"]["postal_code"],
            city=seller["address"]["city"],
            country=seller["address"]["country"],
            phone=seller["phone"] or "",
            email=seller["email"],
            url=seller["url"] or "",
            iban=seller["iban"] or "",
            bic=seller["bic"] or "",
        ),
    )


def to_item(line: dict[str, Any]) -> InvoiceItem:
    quantity = Decimal(line["quantity"])
    is_whole = quantity == quantity.to_integral_value()
    vat = int((line["net"] * Decimal(line["tax"]["percentage"]) / 100).quantize(1, ROUND_HALF_UP))
    price = (
        int(Decimal(line["unit_price"]).scaleb(2).quantize(1, ROUND_HALF_UP))
        if is_whole
        else line["net"] - line["setup_costs"]
    )
    start, end = line["period"] or ("", "")
    return InvoiceItem(
        orderId=line["order_id"] or "",
        description=line["description"],
        periodFrom=start,
        periodTo=end,
        remarks=line["remarks"] or "",
        quantity=int(quantity) if is_whole else 1,
        setupCosts=str(line["setup_costs"]),
        unitPrice=str(price),
        vatPercentage=whole(line["tax"]["percentage"]),
        vatAmount=str(vat),
        amountIncVat=str(line["net"] + vat),
        amountExclVat=str(line["net"]),
    )


def midnight(day: str, time_zone: str) -> datetime:
    local = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(time_zone))
    return local.astimezone(UTC)


def seconds(instant: str | None) -> int:
    return int(datetime.fromisoformat(instant).timestamp()) if instant else 0


def whole(percentage: str) -> int:
    return int(Decimal(percentage).to_integral_value(ROUND_HALF_UP))
