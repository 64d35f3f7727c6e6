"""
UBL 2.1, Invoice and CreditNote.

Elements stand in the order that the schema asks for.
"""

from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element

from billing.domain.invoices import IssuedInvoice, LinePeriod
from billing.domain.parties import Address
from billing.domain.tax import VatCategory
from billing.einvoice.model import (
    BUSINESS_PROCESS,
    LINE_OBJECT,
    SPECIFICATIONS,
    UNIT,
    VERIFICATION,
    Charge,
    EInvoice,
    InvoicedLine,
    NationalTax,
    Party,
    Payment,
    VatBreakdown,
    to_e_invoice,
)
from billing.xml import document, node, number

_OASIS = "urn:oasis:names:specification:ubl:schema:xsd"


def to_ubl(invoice: IssuedInvoice) -> bytes:
    """Write an invoice as a UBL Invoice, a credit note as a UBL CreditNote."""
    e_invoice = to_e_invoice(invoice)
    national = e_invoice.national_tax
    kind = "CreditNote" if e_invoice.is_credit else "Invoice"
    return document(
        kind,
        {
            "xmlns": f"{_OASIS}:{kind}-2",
            "xmlns:cac": f"{_OASIS}:CommonAggregateComponents-2",
            "xmlns:cbc": f"{_OASIS}:CommonBasicComponents-2",
        },
        node("cbc:CustomizationID", SPECIFICATIONS[e_invoice.network]),
        node("cbc:ProfileID", BUSINESS_PROCESS),
        node("cbc:ID", e_invoice.number),
        node("cbc:IssueDate", str(e_invoice.issue_date)),
        node("cbc:DueDate", _day(e_invoice.due_date)),
        node(f"cbc:{kind}TypeCode", e_invoice.type_code),
        # Peppol allows one note only (PEPPOL-EN16931-R002).
        node("cbc:Note", " · ".join(e_invoice.notes)),
        node("cbc:DocumentCurrencyCode", e_invoice.currency),
        node("cbc:TaxCurrencyCode", national.currency if national else None),
        node("cbc:BuyerReference", e_invoice.buyer_reference),
        _period(e_invoice.period),
        node("cac:OrderReference", node("cbc:ID", e_invoice.order_id)),
        _corrected(e_invoice),
        _verification(e_invoice.verification) if e_invoice.verification else None,
        node("cac:AccountingSupplierParty", _party(e_invoice.seller)),
        node("cac:AccountingCustomerParty", _party(e_invoice.buyer)),
        node("cac:Delivery", node("cbc:ActualDeliveryDate", _day(e_invoice.delivered))),
        _payment_means(e_invoice.payment) if e_invoice.payment else None,
        node("cac:PaymentTerms", node("cbc:Note", e_invoice.terms)),
        node(
            "cac:TaxTotal",
            _money("cbc:TaxAmount", e_invoice.tax, e_invoice),
            *(_tax(tax, e_invoice) for tax in e_invoice.taxes),
        ),
        _national_tax(national) if national else None,
        node(
            "cac:LegalMonetaryTotal",
            _money("cbc:LineExtensionAmount", e_invoice.net, e_invoice),
            _money("cbc:TaxExclusiveAmount", e_invoice.net, e_invoice),
            _money("cbc:TaxInclusiveAmount", e_invoice.gross, e_invoice),
            _money("cbc:PayableRoundingAmount", e_invoice.rounding, e_invoice)
            if e_invoice.rounding
            else None,
            _money("cbc:PayableAmount", e_invoice.payable, e_invoice),
        ),
        *(_line(line, e_invoice) for line in e_invoice.lines),
    )


def _money(tag: str, amount: Decimal, e_invoice: EInvoice) -> Element | None:
    return node(tag, number(amount), currencyID=e_invoice.currency)


def _national_tax(tax: NationalTax) -> Element | None:
    amount = node("cbc:TaxAmount", number(tax.amount), currencyID=tax.currency)
    return node("cac:TaxTotal", amount)


def _day(day: date | None) -> str | None:
    return str(day) if day else None


def _period(period: LinePeriod | None) -> Element | None:
    if period is None:
        return None
    return node(
        "cac:InvoicePeriod",
        node("cbc:StartDate", str(period.start)),
        node("cbc:EndDate", str(period.end)),
    )


def _verification(url: str) -> Element | None:
    name, words = VERIFICATION
    external = node("cac:ExternalReference", node("cbc:URI", url))
    return node(
        "cac:AdditionalDocumentReference",
        node("cbc:ID", name),
        node("cbc:DocumentDescription", words),
        node("cac:Attachment", external),
    )


def _corrected(e_invoice: EInvoice) -> Element | None:
    if e_invoice.corrects is None:
        return None
    original, issued = e_invoice.corrects
    return node(
        "cac:BillingReference",
        node(
            "cac:InvoiceDocumentReference",
            node("cbc:ID", original),
            node("cbc:IssueDate", str(issued)),
        ),
    )


def _party(party: Party) -> Element | None:
    return node(
        "cac:Party",
        node("cbc:EndpointID", party.endpoint.id, schemeID=party.endpoint.scheme),
        node("cac:PartyIdentification", node("cbc:ID", party.id)),
        _address(party.address),
        _tax_scheme(party.vat_id, "VAT"),
        _tax_scheme(party.tax_registration, "TAX"),
        node(
            "cac:PartyLegalEntity",
            node("cbc:RegistrationName", party.name),
            node("cbc:CompanyID", party.legal_id),
        ),
        node(
            "cac:Contact",
            node("cbc:Name", party.contact),
            node("cbc:Telephone", party.phone),
            node("cbc:ElectronicMail", party.email),
        ),
    )


def _address(address: Address) -> Element | None:
    return node(
        "cac:PostalAddress",
        node("cbc:StreetName", address.street),
        node("cbc:CityName", address.city),
        node("cbc:PostalZone", address.postal_code),
        node("cac:Country", node("cbc:IdentificationCode", address.country)),
    )


def _tax_scheme(tax_id: str | None, scheme: str) -> Element | None:
    if tax_id is None:
        return None
    return node(
        "cac:PartyTaxScheme",
        node("cbc:CompanyID", tax_id),
        node("cac:TaxScheme", node("cbc:ID", scheme)),
    )


def _payment_means(payment: Payment) -> Element | None:
    return node(
        "cac:PaymentMeans",
        node("cbc:PaymentMeansCode", payment.code),
        node("cbc:PaymentID", payment.reference),
        node(
            "cac:PayeeFinancialAccount",
            node("cbc:ID", payment.iban),
            node("cbc:Name", payment.account_name),
            node("cac:FinancialInstitutionBranch", node("cbc:ID", payment.bic)),
        ),
    )


def _tax(tax: VatBreakdown, e_invoice: EInvoice) -> Element | None:
    why = tax.exemption
    return node(
        "cac:TaxSubtotal",
        _money("cbc:TaxableAmount", tax.net, e_invoice),
        _money("cbc:TaxAmount", tax.amount, e_invoice),
        node(
            "cac:TaxCategory",
            node("cbc:ID", tax.category),
            _percent(tax.rate),
            node("cbc:TaxExemptionReasonCode", why.code if why else None),
            node("cbc:TaxExemptionReason", why.reason if why else None),
            node("cac:TaxScheme", node("cbc:ID", "VAT")),
        ),
    )


def _percent(rate: Decimal | None) -> Element | None:
    return None if rate is None else node("cbc:Percent", number(rate))


def _line(line: InvoicedLine, e_invoice: EInvoice) -> Element | None:
    kind, quantity = ("CreditNote", "Credited") if e_invoice.is_credit else ("Invoice", "Invoiced")
    return node(
        f"cac:{kind}Line",
        node("cbc:ID", line.id),
        node("cbc:Note", line.note),
        node(f"cbc:{quantity}Quantity", number(line.quantity), unitCode=UNIT),
        _money("cbc:LineExtensionAmount", line.net, e_invoice),
        _period(line.period),
        _line_object(line.object_id),
        *(_charge(charge, e_invoice) for charge in line.charges),
        node(
            "cac:Item",
            node("cbc:Name", line.name),
            _line_tax(line.category, line.rate),
        ),
        node("cac:Price", _money("cbc:PriceAmount", line.price, e_invoice)),
    )


def _line_object(object_id: str | None) -> Element | None:
    if object_id is None:
        return None
    return node(
        "cac:DocumentReference",
        node("cbc:ID", object_id),
        node("cbc:DocumentTypeCode", LINE_OBJECT),
    )


def _charge(charge: Charge, e_invoice: EInvoice) -> Element | None:
    return node(
        "cac:AllowanceCharge",
        node("cbc:ChargeIndicator", "true" if charge.amount > 0 else "false"),
        node("cbc:AllowanceChargeReason", charge.reason),
        _money("cbc:Amount", abs(charge.amount), e_invoice),
    )


def _line_tax(category: VatCategory, rate: Decimal | None) -> Element | None:
    return node(
        "cac:ClassifiedTaxCategory",
        node("cbc:ID", category),
        _percent(rate),
        node("cac:TaxScheme", node("cbc:ID", "VAT")),
    )
