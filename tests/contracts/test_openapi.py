"""The OpenAPI document: what the code says, and what the template routes."""

import json
import re
import subprocess
from typing import Any

import pytest
from openapi_spec_validator import validate

from billing.api.errors import status_of
from local.stack import ROOT
from tests import template
from tools import openapi
from tools.failures import EXAMPLES

SPECTRAL = ROOT / "node_modules" / ".bin" / "spectral"


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(openapi.FILE.read_text())


def test_the_committed_document_is_what_the_code_says() -> None:
    assert openapi.FILE.read_text() == openapi.text(), "run `make openapi`"


def test_the_template_routes_what_the_document_has_and_nothing_else(document: Any) -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }

    pages = {route for route in template.routes() if " /p/" in route}
    reference = {"GET /", "GET /openapi.json", "GET /docs", "GET /console"}
    assert template.routes() - {"$default"} == documented | reference | pages


def test_it_is_valid_openapi(document: Any) -> None:
    validate(document)


@pytest.mark.skipif(not SPECTRAL.exists(), reason="needs npm: make setup")
def test_spectral_finds_nothing_and_its_examples_fit_their_schemas() -> None:
    found = subprocess.run(
        [SPECTRAL, "lint", "--fail-severity=hint", openapi.FILE],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.returncode == 0, found.stdout + found.stderr


def test_every_operation_asks_for_a_role_and_says_what_it_does(document: Any) -> None:
    for path, method, operation in openapi.operations(document):
        [(first, roles), (second, others)] = [
            next(iter(entry.items())) for entry in operation["security"]
        ]
        assert ([first, second], roles) == (["PRIVATE-TOKEN", "Bearer"], others), path
        assert roles[0] in ("reader", "writer", "admin"), path
        assert roles[1:] in ([], ["all_accounts"]), path
        assert f"role `{roles[0]}`" in operation["description"]
        assert re.match(r"[A-Z]", operation["summary"]), (method, path)


FOR_ADMINS_OF_ALL_ACCOUNTS = {
    "PUT /v1/orgs/{orgId}/billing_info",
    "PUT /v1/orgs/{orgId}/billing_info/logo",
    "DELETE /v1/orgs/{orgId}/billing_info/logo",
    "PUT /v1/orgs/{orgId}/exchange_rates/{currency}/{date}",
    "DELETE /v1/orgs/{orgId}/exchange_rates/{currency}/{date}",
    "PUT /v1/orgs/{orgId}/location-taxes/{stateId}",
    "PUT /v1/orgs/{orgId}/tax-rates/{country}",
    "DELETE /v1/orgs/{orgId}/tax-rates/{country}",
    "PUT /v1/orgs/{orgId}/tax-rates/{country}/{region}",
    "DELETE /v1/orgs/{orgId}/tax-rates/{country}/{region}",
    "POST /v1/orgs/{orgId}/billing_runs",
    "PUT /v1/orgs/{orgId}/sandbox_clock",
    "GET /v1/orgs/{orgId}/webhook_endpoints",
    "POST /v1/orgs/{orgId}/webhook_endpoints",
    "DELETE /v1/orgs/{orgId}/webhook_endpoints/{endpointId}",
    "POST /v1/orgs/{orgId}/webhook_endpoints/{endpointId}/rotate",
    "GET /v1/orgs/{orgId}/webhook_endpoints/{endpointId}/deliveries",
    "POST /v1/orgs/{orgId}/webhook_endpoints/{endpointId}/deliveries/{deliveryId}/replay",
}
OF_ALL_ACCOUNTS = FOR_ADMINS_OF_ALL_ACCOUNTS | {
    "GET /v1/orgs/{orgId}/accounts",
    "PUT /v1/orgs/{orgId}/accounts/{accountId}/subscriptions/{subscriptionId}",
    "GET /v1/orgs/{orgId}/billing_runs",
    "GET /v1/orgs/{orgId}/billing_runs/{runId}",
    "GET /v1/orgs/{orgId}/events",
    "GET /v1/orgs/{orgId}/fiscal_records",
    "GET /v1/orgs/{orgId}/invoices",
}
FOR_ADMINS = FOR_ADMINS_OF_ALL_ACCOUNTS | {
    "POST /v1/orgs/{orgId}/accounts/{accountId}/invoices/{invoiceId}/fiscal_record/correction",
    "POST /v1/orgs/{orgId}/tokens",
    "GET /v1/orgs/{orgId}/tokens",
    "DELETE /v1/orgs/{orgId}/tokens/{tokenId}",
}
"""Everything else a writer may do; what is read, a reader."""


def test_roles_are_those_of_the_contract(document: Any) -> None:
    asked = {
        f"{method.upper()} {path}": next(iter(operation["security"][0].values()))
        for path, method, operation in openapi.operations(document)
    }

    for_admins = {route for route, roles in asked.items() if roles[0] == "admin"}
    for_readers = {route for route, roles in asked.items() if roles[0] == "reader"}
    assert for_admins == FOR_ADMINS
    assert for_readers == {route for route in asked if route.startswith("GET ")} - FOR_ADMINS
    assert {route for route, roles in asked.items() if roles[1:]} == OF_ALL_ACCOUNTS


def test_every_operation_says_when_to_use_it_and_what_a_retry_does(document: Any) -> None:
    silent = [
        f"{method.upper()} {path}: say in the docstring of its route {missing!r}"
        for path, method, operation in openapi.operations(document)
        for missing in ("Use it", "Sent again")
        if not re.search(rf"\b{missing}\b", operation["description"])
    ]

    assert silent == []


def test_every_operation_lists_its_errors_with_an_example_of_each(document: Any) -> None:
    examples, common = document["components"]["examples"], document["components"]["responses"]
    for path, _, operation in openapi.operations(document):
        shown: dict[str, set[str]] = {}
        for status, answer in operation["responses"].items():
            whole = common[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            if status >= "400" and status not in ("405", "429"):
                [content] = whole["content"].values()
                shown[status] = set(content["examples"])
                for example in content["examples"].values():
                    assert example["$ref"].rpartition("/")[2] in examples
        codes = operation["x-error-codes"]
        assert {(str(status_of(EXAMPLES[code]).value), code) for code in codes} == {
            (status, code) for status, some in shown.items() for code in some
        }, path
        own = {code for code in codes if code not in openapi.ALWAYS}
        assert own <= set(re.findall("`([A-Z_]+)`", operation["description"])), path
        assert "/docs#/errors" in operation["description"], path


def test_what_creates_something_names_what_a_reused_external_id_made(document: Any) -> None:
    refused = [
        operation["responses"]["409"]
        for _, _, operation in openapi.operations(document)
        if "EXTERNAL_ID_REUSED" in operation["x-error-codes"]
    ]

    assert len(refused) >= 11
    assert all("Location" in answer["headers"] for answer in refused)


def test_every_body_has_an_example(document: Any) -> None:
    bodies = [
        (path, method, kind, content)
        for path, method, operation in openapi.operations(document)
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]
        for kind, content in part.get("content", {}).items()
    ]

    assert len(bodies) > len(document["paths"])
    assert [each[:3] for each in bodies if "examples" not in each[3]] == [
        ("/v1/orgs/{orgId}/billing_info/logo", "get", "image/png"),
        ("/v1/orgs/{orgId}/billing_info/logo", "put", "image/png"),
        ("/v1/orgs/{orgId}/billing_info/logo", "put", "image/svg+xml"),
        ("/v3/account/invoice/{invoiceId}/pdf", "get", "application/pdf"),
    ]


def test_what_is_created_links_to_where_it_is_read(document: Any) -> None:
    links = {
        operation["operationId"]: set(answer["links"])
        for _, _, operation in openapi.operations(document)
        for answer in operation["responses"].values()
        if "links" in answer
    }

    assert links["create_invoice"] == {
        "get_invoice", "get_invoice_pdf", "get_public_link", "get_e_invoice", "get_fiscal_record",
        "get_whole_invoice", "list_deliveries", "list_payments", "list_payouts", "list_share_links",
    }  # fmt: skip
    assert links["create_payment"] == {"get_payment"}
    assert links["create_movement"] == {"get_movement", "list_refunds"}
    assert links["create_refund"] == {"get_refund"}


def test_every_answer_tells_the_request_id_but_what_the_gateway_says(document: Any) -> None:
    answers = [
        (path, status, document["components"]["responses"][answer["$ref"].rpartition("/")[2]])
        if "$ref" in answer
        else (path, status, answer)
        for path, _, operation in openapi.operations(document)
        for status, answer in operation["responses"].items()
    ]

    without = {
        status for _, status, each in answers if "x-request-id" not in each.get("headers", {})
    }
    assert without == {"429"}


def test_v2_has_a_405_without_a_body(document: Any) -> None:
    for path, _, operation in openapi.operations(document):
        refused = operation["responses"].get("405")
        assert (refused is not None) == path.startswith("/v2/"), path
    assert "content" not in document["components"]["responses"]["v2-405"]


def test_no_schema_hides_its_fields(document: Any) -> None:
    hidden = [
        name
        for name, schema in document["components"]["schemas"].items()
        if schema.get("type") == "object" and not schema.get("properties")
    ]

    assert hidden == []


def test_every_property_and_parameter_is_described_by_a_full_phrase(document: Any) -> None:
    described = {
        f"{name}.{field}": each.get("description", "")
        for name, schema in document["components"]["schemas"].items()
        for field, each in schema.get("properties", {}).items()
    } | {
        f"{method} {path} {each['name']}": each.get("description", "")
        for path, method, operation in openapi.operations(document)
        for each in operation.get("parameters", [])
    }

    assert len(described) > 400
    assert {place: text for place, text in described.items() if len(text) < 30} == {}
