"""The QR code that banking apps read: EPC069-12."""

import re

from billing.domain.money import Money
from billing.domain.parties import Org
from billing.domain.regimes.eu import MEMBER_STATES
from billing.presentation.qr import qr_shape, svg

EEA = MEMBER_STATES | {"IS", "LI", "NO"}
SEPA = EEA | {
    "AD", "AL", "CH", "GB", "GI", "MC", "MD", "ME", "MK", "RS", "SM", "VA",
}  # fmt: skip
"""Countries of accounts that a SEPA transfer reaches: European Payments Council, EPC409-09."""


def epc_qr(seller: Org, amount: Money, reference: str) -> str | None:
    """Create the QR code that banking apps read, as SVG; None if there can be none."""
    drawn = epc_shape(seller, amount, reference)
    if drawn is None:
        return None
    return svg(*drawn)


def epc_shape(seller: Org, amount: Money, reference: str) -> tuple[str, str] | None:
    """Return the view box and the path of the QR code, as SVG has them; None if there is none."""
    payload = epc_payload(seller, amount, reference)
    if payload is None:
        return None
    return qr_shape(payload)


def epc_payload(seller: Org, amount: Money, reference: str) -> bytes | None:
    """
    Return the content of the QR code, by EPC069-12, version 002.

    It takes euros, from 0.01 to 999,999,999.99, to an account that SEPA reaches, with its BIC
    where that is outside the EEA; up to 70 characters of a name, and 331 bytes in all.
    """
    iban = compact(seller.iban or "")
    reached = iban[:2] in (SEPA if seller.bic else EEA)
    if amount.currency != "EUR" or not reached or not 0 < amount.minor <= 999_999_999_99:
        return None
    name = " ".join(seller.legal_name.split())[:70]
    elements = (
        "BCD",
        "002",
        "1",
        "SCT",
        seller.bic or "",
        name,
        iban,
        f"EUR{amount.major}",
        "",
        "",
        reference,
    )
    payload = "\n".join(elements).encode(errors="replace")
    return payload if len(payload) <= 331 else None


def compact(iban: str) -> str:
    """Return an IBAN without spaces."""
    return re.sub(r"\s", "", iban)


def grouped(iban: str) -> str:
    """Write an IBAN in groups of four, as ISO 13616 prints it, that stay on one line."""
    return "\N{NO-BREAK SPACE}".join(iban[n : n + 4] for n in range(0, len(iban), 4))
