"""
No function imports what it does not use: each import is read and run at every cold start.

What a module imports is read from its source; imports inside a function cost nothing at the start.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from local.stack import ROOT

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
SOURCES = (ROOT / "layers" / "billing", ROOT)
SHARED = ("common",)
"""Modules of a dialect that all of its groups share."""

ISSUES = {"invoices", "bill_accounts"}
USES = {
    "billing.persistence.issuing": ISSUES,
    "billing.domain.issuing": ISSUES,
    "billing.domain.cycle_invoices": {"bill_accounts"},
    "billing.domain.subdivisions": set[str](),
    "billing.einvoice": {"invoices", "documents"},
    "billing.dialects.v2": {"invoices"},
    "billing.dialects.v3": {"invoices"},
    "billing.presentation": {"documents", "send_invoice", "shared_page"},
    "typst": {"documents"},
    "stdnum": set[str](),
}
"""What is large, with the functions that use it."""
SHARE = {
    "announce_events": 25,
    "audit": 58,
    "bill_accounts": 74,
    "billing_info": 79,
    "billing_run": 70,
    "consumptions": 75,
    "deliver_webhooks": 47,
    "dispatch_billing": 48,
    "documents": 71,
    "front": 43,
    "invoices": 97,
    "location_tax": 56,
    "lookups": 49,
    "movements": 86,
    "publish_events": 62,
    "refunds": 80,
    "sandbox_clock": 65,
    "send_fiscal_records": 66,
    "send_invoice": 66,
    "share": 73,
    "shared_page": 79,
    "tokens": 48,
    "verifactu": 78,
    "webhooks": 69,
}
"""How many modules of ours each function imports at its start, at most, packages included."""
FOR_HTTP = ("pydantic", "billing.dialects", "billing.api.app")
"""What answers HTTP requests is made of."""


def test_it_sees_what_is_imported() -> None:
    assert {"pydantic", "billing.domain.issuing"} < _at_start("functions.invoices.app")


@pytest.mark.parametrize("large", USES)
def test_what_is_large_comes_with_the_functions_that_use_it(large: str) -> None:
    carriers = {name for name in FUNCTIONS if large in _at_start(f"functions.{name}.app")}

    assert carriers <= USES[large]


@pytest.mark.parametrize("other", ["billing.adapters.ecb", "billing.adapters.vies"])
def test_no_request_waits_for_an_authority(other: str) -> None:
    askers = {name for name in FUNCTIONS if other in _at_start(f"functions.{name}.app")}

    assert askers == {"lookups"}
    assert not _answers_http("lookups")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_no_more_than_its_share(function: str) -> None:
    imported = sorted(name for name in _at_start(f"functions.{function}.app") if _file(name))

    assert len(imported) <= SHARE[function], "\n".join(imported)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_carries_the_dtos_of_the_groups_that_it_names(function: str) -> None:
    app = f"functions.{function}.app"

    carried = {name for name in _at_start(app) if _is_group(name)}

    assert carried == {name for name in _imports(app) if _is_group(name)}


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "front"])
def test_a_function_without_routes_carries_nothing_for_http(function: str) -> None:
    if _answers_http(function):
        return
    assert not {name for name in FOR_HTTP if name in _at_start(f"functions.{function}.app")}


def _answers_http(function: str) -> bool:
    return "BillingApp(" in (ROOT / "functions" / function / "app.py").read_text()


def _is_group(name: str) -> bool:
    parts = name.split(".")
    return (
        parts[:2] == ["billing", "dialects"]
        and len(parts) == 4
        and parts[3] not in SHARED
        and _file(name) is not None
    )


@cache
def _at_start(module: str) -> frozenset[str]:
    """Return all modules that are imported with a module, and the packages they are in."""
    found, left = set[str](), [module]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _imports(name)
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    """Return what a module of ours imports when it is imported, and its package."""
    path = _file(module)
    if path is None:
        return frozenset()
    names = set(_named(ast.parse(path.read_text()).body))
    return frozenset(names | {name.rpartition(".")[0] for name in [*names, module]} - {""})


def _named(statements: list[ast.stmt]) -> Iterator[str]:
    for each in statements:
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            assert each.module is not None
            yield each.module
            yield from (
                name for alias in each.names if _file(name := f"{each.module}.{alias.name}")
            )


def _file(module: str) -> Path | None:
    for source in SOURCES:
        base = source.joinpath(*module.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.exists():
                return path
    return None
