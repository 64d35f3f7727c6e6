"""The stand-in of the tax agency, in this process, and records as other software writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django_verifactu.aeat.domain import (  # type: ignore[import-untyped]
    BillingSoftware,
    Invoice,
    Party,
    PreviousRecord,
    TaxLine,
)
from django_verifactu.aeat.records import (  # type: ignore[import-untyped]
    build_registration_record,
    fingerprint_of,
)
from lxml import etree  # type: ignore[import-untyped]

from billing.adapters.tax_agency import TaxAgencyLine
from local import certificates
from local.tax_agency import Server, TaxAgency

TAX_ID, LEGAL_NAME = "A12345674", "Telco Ejemplo S.A."


class Place:
    """A stand-in at its address, and what there is to reach it."""

    def __init__(self, agency: TaxAgency, folder: Path, url: str) -> None:
        self.agency, self.folder, self.url = agency, folder, url

    def line(self, tax_id: str = TAX_ID) -> TaxAgencyLine:
        """Return a line with the certificate of a taxpayer."""
        return TaxAgencyLine(self.url, self.certificate(tax_id))

    def certificate(self, tax_id: str = TAX_ID) -> str:
        return certificates.of_taxpayer(self.folder, tax_id, LEGAL_NAME)


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Place]:
    """Run a stand-in that this process trusts."""
    agency = TaxAgency(folder, **options)
    server = Server(agency, folder)
    Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(certificates.trusted(folder)))
        yield Place(agency, folder, server.url)
    server.shutdown()
    server.server_close()


class OtherSoftware:
    """Writes a chain of records, by an independent package."""

    def __init__(self, tax_id: str = TAX_ID, installation: str = "1") -> None:
        self._tax_id = tax_id
        self._software = BillingSoftware(
            producer=Party(LEGAL_NAME, tax_id=tax_id),
            name="Other software",
            system_id="01",
            version="1",
            installation_number=installation,
            multiple_taxpayers_possible=False,
            multiple_taxpayers=False,
        )
        self._previous: PreviousRecord | None = None
        self._count = 0

    def record(self, at: datetime, number: str = "", **changes: Any) -> str:
        """Return the next record of the chain."""
        self._count += 1
        invoice = Invoice(
            issuer_tax_id=self._tax_id,
            issuer_name=LEGAL_NAME,
            invoice_number=number or f"F2026-{self._count:06}",
            issue_date=at.date(),
            description="Fibra",
            recipients=(Party("Bar La Esquina S.L.", tax_id="B76543214"),),
            lines=(TaxLine(base=Decimal(100), rate=Decimal(21), tax=Decimal(21)),),
        )
        invoice = replace(invoice, **changes)
        made = build_registration_record(
            invoice=invoice, software=self._software, previous=self._previous, generated_at=at
        )
        self._previous = PreviousRecord(
            invoice.issuer_tax_id, invoice.invoice_number, invoice.issue_date, fingerprint_of(made)
        )
        written: str = etree.tostring(made, encoding="unicode")
        return written
