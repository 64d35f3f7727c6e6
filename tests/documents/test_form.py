"""The form of a document: addresses, signs and headings as its reader writes them."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from billing.domain.countries import COUNTRIES
from billing.domain.money import CURRENCIES, Money
from billing.domain.parties import Account, Address, Language
from billing.presentation import formats
from functions.documents.pdf.address_formats import FORMATS
from functions.documents.pdf.addresses import lines_of
from functions.documents.pdf.view import view
from tests.sample_invoices import AMERICAN, BUYER, GERMAN, JPY, KYOTO, ONE_LINE, credited
from tools.addresses import FILE, module

REPO = Path(__file__).parents[2]

ADDRESSES = {
    "the postal code before the city": (
        Address("Königsallee 60", "40212", "Düsseldorf", "DE"),
        ["Königsallee 60", "40212 Düsseldorf"],
    ),
    "the postal code behind the city and the region": (
        Address("350 Fifth Avenue", "10118", "New York", "US", "US-NY"),
        ["350 Fifth Avenue", "New York, NY 10118"],
    ),
    "no region": (
        Address("350 Fifth Avenue", "10118", "New York", "US"),
        ["350 Fifth Avenue", "New York 10118"],
    ),
    "the postal code in a line of its own": (
        Address("1 Strand", "WC2N 5HR", "London", "GB"),
        ["1 Strand", "London", "WC2N 5HR"],
    ),
    "a province that is not its capital": (
        Address("Carrer Major 1", "08901", "L'Hospitalet de Llobregat", "ES"),
        ["Carrer Major 1", "08901 L'Hospitalet de Llobregat Barcelona"],
    ),
    "a province that the city names": (
        Address("Calle de Alcalá 42", "28014", "Madrid", "ES"),
        ["Calle de Alcalá 42", "28014 Madrid"],
    ),
    "an Italian province": (
        Address("Via Garibaldi 1", "20025", "Legnano", "IT", "IT-MI"),
        ["Via Garibaldi 1", "20025 Legnano MI"],
    ),
    "the largest first, in Japanese": (
        Address("丸の内一丁目1番1号", "100-0005", "千代田区", "JP", "JP-13"),
        ["〒100-0005", "東京都千代田区", "丸の内一丁目1番1号"],
    ),
    "the smallest first, in Latin letters": (
        Address("1-1 Marunouchi", "100-0005", "Chiyoda-ku", "JP", "JP-13"),
        ["1-1 Marunouchi, Chiyoda-ku, Tokyo", "100-0005"],
    ),
    "the postal code last, in Korean": (
        Address("세종대로 110", "04524", "중구", "KR", "KR-11"),
        ["서울 중구", "세종대로 110", "04524"],
    ),
    "the prefix of the post": (
        Address("Mannerheimintie 1", "00100", "Helsinki", "FI"),
        ["Mannerheimintie 1", "FI-00100 Helsinki"],
    ),
    "a prefix that is there": (
        Address("Mannerheimintie 1", "FI-00100", "Helsinki", "FI"),
        ["Mannerheimintie 1", "FI-00100 Helsinki"],
    ),
    "a city that is a state": (
        Address("10 Orchard Road", "238841", "Singapore", "SG"),
        ["10 Orchard Road", "Singapore 238841"],
    ),
    "texts that look like a format": (
        Address("%C, %Z", "%A", "%S", "DE"),
        ["%C, %Z", "%A %S"],
    ),
}


@pytest.mark.parametrize(("address", "lines"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_written_as_in_its_country(address: Address, lines: list[str]) -> None:
    assert lines_of(address) == lines


@pytest.mark.parametrize("country", sorted(COUNTRIES))
@pytest.mark.parametrize("street", ["Main Street 1", "本町1"])
def test_nothing_of_an_address_is_lost(country: str, street: str) -> None:
    city = "Springfield" if street.isascii() else "新町"
    address = Address(street, "98765", city, country, f"{country}-ZZ")

    lines = " ".join(lines_of(address))

    assert country in FORMATS
    assert [lines.count(each) for each in (street, "98765", city)] == [1, 1, 1]
    assert "%" not in lines


def test_the_table_is_what_the_package_says() -> None:
    source = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "-"],
        cwd=REPO, input=module(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert source == FILE.read_text(), "run `python -m tools.addresses`"


def test_abroad_the_country_has_its_name_in_the_readers_language() -> None:
    in_english = view(replace(ONE_LINE, buyer=GERMAN))
    in_spanish = view(replace(ONE_LINE, buyer=replace(KYOTO, language="es")))

    assert in_english["buyer"]["address"][-1] == "Germany"
    assert in_english["seller"]["address"][-1] == "Spain"
    assert in_spanish["buyer"]["address"] == [
        "〒100-0005", "東京都千代田区", "丸の内一丁目1番1号 辻󠄀ビル", "Japón"
    ]  # fmt: skip
    assert view(ONE_LINE)["buyer"]["address"] == ["Carrer de la Marina 19", "08005 Barcelona"]


@pytest.mark.parametrize("buyer", [BUYER, GERMAN, AMERICAN, KYOTO, replace(KYOTO, language="es")])
@pytest.mark.parametrize("currency", sorted(CURRENCIES))
def test_an_amount_is_never_in_somebodys_yen(buyer: Account, currency: str) -> None:
    written = formats.with_currency(
        Money.exactly(Decimal(-5), currency),
        formats.locale_of(buyer),
    )

    sign = written.strip("−0123456789., \N{NO-BREAK SPACE}")
    assert sign
    assert sign == "¥" or "¥" not in sign


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_any_language_is_written_for_any_country(language: Language, country: str) -> None:
    locale = formats.locale_of(replace(BUYER, country=country, language=language))

    assert locale.language == language
    assert formats.day(date(2026, 3, 1), locale)


def test_yen_are_yen() -> None:
    assert view(JPY)["total"] == "¥8,928"
    assert (
        view(replace(JPY, buyer=replace(JPY.buyer, language="es")))["total"]
        == "8.928\N{NO-BREAK SPACE}JPY"
    )


def test_the_days_of_a_run_are_written_as_all_days_are() -> None:
    run = replace(ONE_LINE, description="2026-02-01 – 2026-02-28")
    note = replace(credited(run), description=f"{run.number}: {run.description}")
    english = replace(run, buyer=GERMAN)
    across = replace(english, description="2025-12-15 – 2026-01-14")

    assert view(run)["note"] == "1–28 feb 2026"
    assert view(english)["note"] == "1–28 Feb 2026"
    assert view(across)["note"] == "15 Dec 2025 – 14 Jan 2026"
    assert view(note)["note"] == "F2026-000123: 1–28 feb 2026"


@pytest.mark.parametrize("text", ["Work of 2026-02-01 – 2026-02-28", "F1: 2026-99-01 – 2026-02-28"])
def test_other_words_stay_as_they_are(text: str) -> None:
    assert view(replace(ONE_LINE, description=text))["note"] == text
