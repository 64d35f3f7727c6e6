"""HTTP calls of the deployed API, as any client makes them."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from billing import clock
from billing.domain.tokens import EVERY_ACCOUNT, Reach, Role
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token

TIMEOUT_SECONDS = 30


@dataclass
class Answer:
    """What the API answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Client:
    """Calls one API with one token; `account` is the number of a new account."""

    base_url: str
    token: str | None
    org_id: str
    account_id: str

    @property
    def account(self) -> str:
        return f"/v1/orgs/{self.org_id}/accounts/{self.account_id}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any) -> Answer:
        return self.send("POST", path, body)

    def put(self, path: str, body: Any) -> Answer:
        return self.send("PUT", path, body)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; `ranged_data` becomes the header RANGED-DATA; bytes stay as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = path if path.startswith("http") else self.base_url + path
        request = urllib.request.Request(url, data, method=method)
        if self.token is not None:
            request.add_header("PRIVATE-TOKEN", self.token)
        if data is not None:
            request.add_header("content-type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return _answer(response)
        except urllib.error.HTTPError as error:
            return _answer(error)


def _answer(response: Any) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.read())


ORG: dict[str, Any] = {
    "legal_name": "Telco Ejemplo S.A.",
    "tax_id": "A58818501",
    "address": {
        "street": "Gran Vía 1",
        "postal_code": "28013",
        "city": "Madrid",
        "country": "ES",
    },
    "currency": "EUR",
    "time_zone": "Europe/Madrid",
    "payment_term_days": 30,
    "email": "facturas@telco.example",
}
ACCOUNT = {
    "name": "Ana Pérez Ejemplo",
    "email": "ana@example.com",
    "address": ORG["address"],
    "country": "ES",
    "state_id": 28,
    "billing_day": 1,
    "time_zone": "Europe/Madrid",
    "delivery_mode": "EMAIL",
    "payment_term_days": 15,
}


@pytest.fixture
def make_client(stack: dict[str, Any], aws: None, org_id: str) -> Callable[..., Client]:
    """Make clients of a new sandbox org, with tokens of any role and reach."""

    def make(role: Role, account_id: str = "100001", accounts: str = "all") -> Client:
        reach = EVERY_ACCOUNT if accounts == "all" else Reach.of(accounts.split(","))
        _, token = issue_token(
            org_id,
            "e2e",
            role,
            reach,
            None,
            now=clock.now(),
            tokens=TokenRepository(),
            sandbox=True,
        )
        return Client(stack["base_url"], token, org_id, account_id)

    return make


@pytest.fixture
def admin(make_client: Callable[..., Client]) -> Client:
    """Make an admin's client of a new org that has a profile, and an account that has one."""
    client = make_client(Role.ADMIN)
    assert client.put(f"/v1/orgs/{client.org_id}/billing_info", ORG).status == 204
    assert client.put(f"{client.account}/billing_details", ACCOUNT).status == 204
    return client


@pytest.fixture
def customer(admin: Client, make_client: Callable[..., Client]) -> Client:
    """Make the client of the account's own token, which v3 asks for."""
    return make_client(Role.READER, accounts=admin.account_id)


@pytest.fixture
def new_invoice() -> Callable[..., dict[str, Any]]:
    """Write requests for invoices, each with an external id of its own."""

    def write(**fields: Any) -> dict[str, Any]:
        return {
            "external_invoice_unique_id": uuid4().hex,
            "description": "Fibra 600 Mb",
            "lines": [{"description": "Fibra 600 Mb", "quantity": 1, "unit_price": 30.5}],
            **fields,
        }

    return write
