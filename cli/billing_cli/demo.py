"""
Demo data, sent through the API as a client would.

A telecom company with seven customers and two years of their invoices, some of them credited, paid
in part or overdue, and a second company, for seeing that nothing crosses. What is there is left as
it is, so that seeding again on the same day changes nothing, and on a later day adds the months
that have passed.
"""

import calendar
import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import click

from billing import clock, config
from billing.domain.tokens import EVERY_ACCOUNT, Reach, Role
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token

type Json = dict[str, Any]

TIMEOUT_SECONDS = 30
MONTHS_TO_PAY = 2
"""Invoices of older months are paid, of younger ones open, and of this very one half paid."""
MONTHS_TO_CREDIT = 3


@dataclass(frozen=True, slots=True)
class Customer:
    """An account, and how many months of invoices it has."""

    id: str
    profile: Json
    lines: tuple[tuple[str, int, str], ...]
    months: int
    pays: bool = True
    credited: str | None = None
    """What is credited on the first line of each third invoice, without tax."""


DEMO_ORG: Json = {
    "legal_name": "Telco Ejemplo S.A.",
    "tax_id": "A12345674",
    "address": {
        "street": "Calle de la Telefonía 1",
        "postal_code": "28013",
        "city": "Madrid",
        "country": "ES",
    },
    "currency": "EUR",
    "time_zone": "Europe/Madrid",
    "payment_term_days": 15,
    "phone": "+34 910 000 000",
    "email": "facturas@telco.example",
    "url": "www.telco.example",
    "iban": "ES9121000418450200051332",
    "bic": "CAIXESBBXXX",
    "invoice_series": "F",
    "credit_series": "R",
}

OTHER_ORG: Json = {
    "legal_name": "Beispiel Mobilfunk GmbH",
    "tax_id": "DE136695976",
    "address": {
        "street": "Funkweg 7",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    },
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "payment_term_days": 30,
    "phone": "+49 30 000000",
    "email": "rechnung@mobilfunk.example",
    "url": "www.mobilfunk.example",
    "iban": "DE89370400440532013000",
    "bic": "COBADEFFXXX",
    "invoice_series": "F",
    "credit_series": "R",
}


def _profile(
    name: str, email: str, street: str, postal_code: str, city: str, country: str, **more: Any
) -> Json:
    return {
        "name": name,
        "email": email,
        "address": {
            "street": street,
            "postal_code": postal_code,
            "city": city,
            "country": country,
        },
        "country": country,
        "billing_day": 1,
        "time_zone": "Europe/Madrid",
        "delivery_mode": "EMAIL",
        "payment_term_days": 15,
        **more,
    }


DEMO_CUSTOMERS = (
    Customer(
        "100001",
        _profile(
            "Ana García López", "ana@cliente.example", "Calle Mayor 12, 3.º B", "28013",
            "Madrid", "ES", state_id=28, tax_id="12345678Z",
        ),
        (
            ("Fibra 600 Mb", 1, "24.7934"),
            ("Línea móvil 30 GB", 2, "12.3967"),
            ("Llamadas internacionales, minutos", 17, "0.1653"),
        ),
        months=24,
    ),
    Customer(
        "100002",
        _profile(
            "Luis Pérez Ruiz", "bar@esquina.example", "Avenida del Puerto 3", "46021",
            "Valencia", "ES", state_id=46, company_name="Bar La Esquina S.L.",
            tax_id="B76543214", delivery_mode="PAPER", billing_day=15, payment_term_days=30,
        ),
        (
            ("Fibra Empresas 1 Gb", 1, "45.00"),
            ("Centralita virtual, extensiones", 4, "6.50"),
            ("TV Bares, fútbol", 1, "189.90"),
        ),
        months=24,
        credited="4.50",
    ),
    Customer(
        "100003",
        _profile(
            "Yeray Santana Déniz", "yeray@cliente.example", "Paseo de las Canteras 40", "35010",
            "Las Palmas de Gran Canaria", "ES", state_id=35, tax_id="48291045S",
            time_zone="Atlantic/Canary", delivery_mode="APPLICATION", billing_day=31,
        ),
        (("Línea móvil ilimitada", 1, "28.04"), ("Datos en itinerancia, MB", 512, "0.0035")),
        months=6,
    ),
    Customer(
        "100004",
        _profile(
            "Grupo Hotelero Levante", "cuentas@hoteles.example", "Gran Vía 101", "08010",
            "Barcelona", "ES", state_id=8, company_name="Grupo Hotelero Levante S.A.",
            tax_id="A11111119", payment_term_days=60,
        ),
        (
            ("Acceso dedicado 10 Gb, sede central", 1, "1250.00"),
            ("Wi-Fi gestionado, puntos de acceso", 48, "11.90"),
            ("Líneas móviles de empleados", 63, "9.75"),
            ("SMS transaccionales", 12840, "0.0412"),
        ),
        months=4,
    ),
    Customer(
        "100005",
        _profile(
            "Fátima Mohamed Abselam", "fatima@cliente.example", "Paseo del Revellín 5", "51001",
            "Ceuta", "ES", state_id=51, tax_id="70331298N",
        ),
        (("Fibra 300 Mb", 1, "19.99"), ("Alquiler de router", 1, "3.00")),
        months=3,
        pays=False,
    ),
    Customer(
        "100006",
        _profile(
            "Northwind Roaming Ltd", "ap@northwind.example", "1 Harbour Road", "E14 5AB",
            "London", "GB", company_name="Northwind Roaming Ltd", currency="GBP",
            time_zone="Europe/London", payment_term_days=30,
        ),
        (("Wholesale roaming data, GB", 350, "1.85"), ("Interconnection, minutes", 9120, "0.0061")),
        months=3,
    ),
    Customer(
        "100007",
        _profile(
            "Jürgen Beispiel", "rechnung@beispiel.example", "Unter den Linden 1", "10117",
            "Berlin", "DE", company_name="Beispiel GmbH", tax_id="DE136695976",
            time_zone="Europe/Berlin", language="en", payment_term_days=30,
        ),
        (("SIM cards for machines", 240, "1.15"), ("Data of machines, GB", 96, "0.85")),
        months=6,
        credited="23.00",
    ),
)  # fmt: skip

OTHER_CUSTOMER = Customer(
    "200001",
    _profile(
        "Jürgen Groß", "juergen@kunde.example", "Lindenstraße 9", "50667", "Köln", "DE",
        time_zone="Europe/Berlin", payment_term_days=30,
    ),
    (("Allnet-Flat 20 GB", 1, "16.80"),),
    months=3,
)  # fmt: skip


VERIFACTU_ORG: Json = {
    "legal_name": "Alojamientos Web Ejemplo S.L.",
    "tax_id": "B65432106",
    "address": {
        "street": "Ronda de los Servidores 9",
        "postal_code": "28013",
        "city": "Madrid",
        "country": "ES",
    },
    "currency": "EUR",
    "time_zone": "Europe/Madrid",
    "payment_term_days": 30,
    "phone": "+34 910 000 001",
    "email": "facturas@alojamientos.example",
    "url": "www.alojamientos.example",
    "iban": "ES9121000418450200051332",
    "bic": "CAIXESBBXXX",
    "invoice_series": "V",
    "credit_series": "A",
    "fiscal_regime": "VERIFACTU",
}
"""Its documents are declared to the stand-in of Spain's tax agency, so they are all of today."""

VERIFACTU_CUSTOMERS = (
    Customer(
        "300001",
        _profile(
            "Luis Pérez Ruiz", "bar@esquina.example", "Avenida del Puerto 3", "46021",
            "Valencia", "ES", company_name="Bar La Esquina S.L.", tax_id="B76543214",
        ),
        (("Alojamiento web", 1, "12.50"), ("Dominio .es", 2, "9.90")),
        months=2,
    ),
    Customer(
        "300002",
        _profile(
            "Marta Ejemplo", "marta@cliente.example", "Calle Mayor 1", "28013", "Madrid", "ES",
        ),
        (("Alojamiento web", 1, "12.50"),),
        months=1,
    ),
    Customer(
        "300003",
        _profile(
            "Yeray Santana Déniz", "yeray@cliente.example", "Paseo de las Canteras 40", "35010",
            "Las Palmas de Gran Canaria", "ES", tax_id="48291045S", time_zone="Atlantic/Canary",
        ),
        (("Servidor virtual", 1, "24.00"),),
        months=1,
    ),
)  # fmt: skip
"""A business, a consumer without a tax id, and one in the Canaries."""


def fill(facts: Json) -> None:
    """Send the data of all orgs; `facts` as make_tokens() gives them, and the `base_url`."""
    other = facts["other"]
    today = clock.now().date()

    demo = Client(facts["base_url"], facts["org_id"], facts["admin_token"])
    demo.put("billing_info", {**DEMO_ORG, **_sender()})
    for customer in DEMO_CUSTOMERS:
        demo.put(f"accounts/{customer.id}/billing_details", customer.profile)
    _bill(demo, DEMO_CUSTOMERS, today)
    _use(demo, DEMO_CUSTOMERS[0], today)

    client = Client(facts["base_url"], other["org_id"], other["admin_token"])
    client.put("billing_info", OTHER_ORG)
    client.put(f"accounts/{OTHER_CUSTOMER.id}/billing_details", OTHER_CUSTOMER.profile)
    _bill(client, (OTHER_CUSTOMER,), today)

    if "verifactu" not in facts:  # tokens of an earlier release
        facts["verifactu"] = _verifactu_tokens()
    fiscal = facts["verifactu"]
    _declare(Client(facts["base_url"], fiscal["org_id"], fiscal["admin_token"]))


def _sender() -> Json:
    """Return the sender of the demo org, where the stack lets mails come from anywhere."""
    domains = config.mail_domains()
    return {"mail_from": f"facturas@{domains[0]}"} if domains else {}


def make_tokens() -> Json:
    """Create a token for each role, and one for each account."""
    return {
        "org_id": "demo",
        "admin_token": _token("demo", Role.ADMIN),
        "reader_token": _token("demo", Role.READER),
        "accounts": {
            customer.id: _token("demo", Role.WRITER, customer.id) for customer in DEMO_CUSTOMERS
        },
        "other": {
            "org_id": "other",
            "admin_token": _token("other", Role.ADMIN),
            "account_id": OTHER_CUSTOMER.id,
            "account_token": _token("other", Role.WRITER, OTHER_CUSTOMER.id),
        },
        "verifactu": _verifactu_tokens(),
    }


def _verifactu_tokens() -> Json:
    account_id = VERIFACTU_CUSTOMERS[0].id
    return {
        "org_id": "verifactu",
        "tax_id": VERIFACTU_ORG["tax_id"],
        "legal_name": VERIFACTU_ORG["legal_name"],
        "admin_token": _token("verifactu", Role.ADMIN),
        "account_id": account_id,
        "account_token": _token("verifactu", Role.WRITER, account_id),
    }


class Client:
    """Speaks to one org with one token."""

    def __init__(self, base_url: str, org_id: str, token: str) -> None:
        self._base_url = base_url
        self._org = f"/v1/orgs/{org_id}"
        self._token = token

    def put(self, path: str, body: Json) -> None:
        """Create or replace."""
        self._send("PUT", f"{self._org}/{path}", self._token, body)

    def live_at(self, now: date | None) -> None:
        """Set the clock of the org, unless it shows a later time already."""
        body = {"now": f"{now}T00:00:00Z" if now else None}
        self._send("PUT", f"{self._org}/sandbox_clock", self._token, body)

    def create(self, path: str, body: Json) -> str | None:
        """Create, and return the id; None where an earlier seed made it otherwise."""
        created = self._send("POST", f"{self._org}/{path}", self._token, body)
        return created and str(created.get("id"))

    def remaining(self, account_id: str, invoice_id: str) -> Decimal:
        """Return what is left to pay of an invoice."""
        path = f"{self._org}/accounts/{account_id}/invoices/{invoice_id}"
        return Decimal(str(self._send("GET", path, self._token)["remaining"]))

    def _send(self, method: str, path: str, token: str, body: Json | None = None) -> Any:
        """Send a request and return the answer; None where what is there forbids it (409)."""
        request = urllib.request.Request(
            self._base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"PRIVATE-TOKEN": token, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.CONFLICT:
                return None
            raise click.ClickException(
                f"{method} {path} answered {error.code}: {error.read().decode(errors='replace')}"
            ) from error
        except (urllib.error.URLError, OSError) as error:
            raise click.ClickException(f"{method} {path} got no answer: {error}") from error
        return json.loads(content) if content else None


def _bill(client: Client, customers: tuple[Customer, ...], today: date) -> None:
    """Issue the invoices of the last months, each on the first day behind its month; then pay."""
    issued = list[tuple[date, Customer, str]]()
    for month, customer in _in_order_of_issue(customers, today):
        client.live_at(_end(month) + timedelta(days=1))
        if invoice_id := _issue(client, customer, month):
            issued.append((month, customer, invoice_id))
            _credit(client, customer, month, invoice_id)
    client.live_at(None)
    for month, customer, invoice_id in issued:
        _pay(client, customer, month, today, invoice_id)


def _declare(client: Client) -> None:
    """Issue invoices whose records are sent to the tax agency, and credit a part of the first."""
    client.put("billing_info", VERIFACTU_ORG)
    for customer in VERIFACTU_CUSTOMERS:
        client.put(f"accounts/{customer.id}/billing_details", customer.profile)
        for number in range(1, customer.months + 1):
            client.create(
                f"accounts/{customer.id}/invoices",
                {
                    "external_invoice_unique_id": f"demo-{customer.id}-{number}",
                    "description": customer.lines[0][0],
                    "lines": [
                        {
                            "description": description,
                            "quantity": quantity,
                            "unit_price": float(unit_price),
                        }
                        for description, quantity, unit_price in customer.lines
                    ],
                },
            )
    client.create(
        f"accounts/{VERIFACTU_CUSTOMERS[0].id}/invoices/1/credit_note",
        {
            "external_credit_note_unique_id": "demo-credit",
            "description": "Un dominio que no se renovó",
            "lines": [{"line": 2, "amount_without_taxes": 9.9}],
        },
    )


def _end(month: date) -> date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def _issue(client: Client, customer: Customer, month: date) -> str | None:
    """Issue the invoice of one month."""
    end = _end(month)
    # The same draw for the same month, whenever it is made.
    draw = random.Random(f"{customer.id} {month}")
    label = f"{month:%Y-%m}"
    return client.create(
        f"accounts/{customer.id}/invoices",
        {
            "external_invoice_unique_id": f"demo-{customer.id}-{label}",
            "description": f"{customer.lines[0][0]}, {label}",
            "lines": [
                {
                    "description": description,
                    "quantity": quantity if quantity == 1 else draw.randint(1, 2 * quantity),
                    "unit_price": float(unit_price),
                    "period_start": month.isoformat(),
                    "period_end": end.isoformat(),
                }
                for description, quantity, unit_price in customer.lines
            ],
        },
    )


def _credit(client: Client, customer: Customer, month: date, invoice_id: str) -> None:
    """Credit a part of the invoice of each third month, to whom it is done for."""
    if customer.credited and month.month % MONTHS_TO_CREDIT == 0:
        client.create(
            f"accounts/{customer.id}/invoices/{invoice_id}/credit_note",
            {
                "external_credit_note_unique_id": f"demo-{customer.id}-{month:%Y-%m}",
                "description": f"{customer.lines[0][0]}: three days out of order, {month:%Y-%m}",
                "lines": [{"line": 1, "amount_without_taxes": float(customer.credited)}],
            },
        )


def _use(client: Client, customer: Customer, today: date) -> None:
    """Charge a subscription for the current cycle, and record what was used yesterday."""
    subscription, yesterday = f"6{customer.id}01", today - timedelta(days=1)
    tax = {"type": "IVA", "percentage": 21}
    client.create(
        f"subscription/{subscription}/movement",
        {
            "account_id": customer.id,
            "movement_datetime": f"{today:%Y-%m}-01T00:00:00Z",
            "amount": {"value_with_taxes": 30.0, "value_without_taxes": 24.79, "tax": tax},
            "operation_type": "DEBIT",
            "kind": "recurring",
            "description": f"Fibra 600 Mb, {today:%Y-%m}",
            "external_movement_unique_id": f"demo-{subscription}-{today:%Y-%m}",
        },
    )
    client.create(
        f"subscription/{subscription}/consumptions",
        {
            "records": [
                {
                    "external_consumption_unique_id": f"demo-{subscription}-{yesterday}-{hour}",
                    "type": "voice",
                    "consumed_datetime": f"{yesterday}T{hour:02}:15:00Z",
                    "units": 60 * hour,
                    "unit": "seconds",
                    "amount": {"value_with_taxes": 0.24, "value_without_taxes": 0.2, "tax": tax},
                    "destination": f"+3460000000{hour % 10}",
                }
                for hour in range(8, 20, 2)
            ]
        },
    )


def _pay(client: Client, customer: Customer, month: date, today: date, invoice_id: str) -> None:
    """Pay the invoice of one month, as this customer pays."""
    # The same draw for the same invoice, whenever it is made.
    draw, label = random.Random(f"{customer.id} {month} paid"), f"{month:%Y-%m}"
    age = (today.year - month.year) * 12 + today.month - month.month
    if not customer.pays or age < MONTHS_TO_PAY:
        return
    remaining = client.remaining(customer.id, invoice_id)
    if not remaining:  # an earlier seed paid it
        return
    amount = remaining if age > MONTHS_TO_PAY else (remaining / 2).quantize(Decimal("0.01"))
    client.create(
        f"accounts/{customer.id}/invoices/{invoice_id}/payments",
        {
            "amount": float(amount),
            "paid_datetime": f"{_end(month) + timedelta(days=draw.randint(1, 10))}T10:00:00Z",
            "method": draw.choice(["direct_debit", "card", "transfer"]),
            "external_payment_unique_id": f"demo-{customer.id}-{label}",
        },
    )


def _in_order_of_issue(
    customers: tuple[Customer, ...], today: date
) -> Iterator[tuple[date, Customer]]:
    """Return the months up to last month, with each of the customers."""
    for back in range(max(customer.months for customer in customers), 0, -1):
        index = today.year * 12 + today.month - 1 - back
        for customer in customers:
            if back <= customer.months:
                yield date(index // 12, index % 12 + 1, 1), customer


def _token(org_id: str, role: Role, account_id: str | None = None) -> str:
    reach = Reach.of([account_id]) if account_id else EVERY_ACCOUNT
    name = account_id or role.value
    now, tokens = clock.now(), TokenRepository()
    _, token = issue_token(org_id, name, role, reach, None, now=now, tokens=tokens, sandbox=True)
    return token
