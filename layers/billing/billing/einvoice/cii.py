"""
UN/CEFACT Cross Industry Invoice D22B, in the EN 16931 profile of Factur-X and ZUGFeRD.

Elements stand in the order that the schema asks for.
"""

from dataclasses import replace
from datetime import date
from xml.etree.ElementTree import Element

from billing.domain.invoices import IssuedInvoice, LinePeriod
from billing.domain.networks import Network
from billing.einvoice.model import (
    BUSINESS_PROCESS,
    LINE_OBJECT,
    SPECIFICATIONS,
    SUPPORTING_DOCUMENT,
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
from billing.xml import document, node, number, optional

_UNCEFACT = "urn:un:unece:uncefact:data:standard"
_NAMESPACES = {
    "xmlns:rsm": f"{_UNCEFACT}:CrossIndustryInvoice:100",
    "xmlns:ram": f"{_UNCEFACT}:ReusableAggregateBusinessInformationEntity:100",
    "xmlns:udt": f"{_UNCEFACT}:UnqualifiedDataType:100",
    "xmlns:qdt": f"{_UNCEFACT}:QualifiedDataType:100",
}

_GUIDELINES = SPECIFICATIONS | {Network.PEPPOL: SPECIFICATIONS[Network.EN_16931]}
"""BT-24 here: what goes to Peppol is UBL."""


def to_cii(invoice: IssuedInvoice) -> bytes:
    """Write an invoice as CII."""
    return _write(to_e_invoice(invoice))


def to_factur_x(invoice: IssuedInvoice) -> bytes:
    """Write an invoice as its PDF carries it: Factur-X allows no claim of XRechnung."""
    return _write(replace(to_e_invoice(invoice), network=Network.EN_16931))


def _write(e_invoice: EInvoice) -> bytes:
    return document(
        "rsm:CrossIndustryInvoice",
        _NAMESPACES,
        node(
            "rsm:ExchangedDocumentContext",
            node(
                "ram:BusinessProcessSpecifiedDocumentContextParameter",
                node("ram:ID", BUSINESS_PROCESS),
            ),
            node(
                "ram:GuidelineSpecifiedDocumentContextParameter",
                node("ram:ID", _GUIDELINES[e_invoice.network]),
            ),
        ),
        node(
            "rsm:ExchangedDocument",
            node("ram:ID", e_invoice.number),
            node("ram:TypeCode", e_invoice.type_code),
            node("ram:IssueDateTime", _date(e_invoice.issue_date)),
            *(node("ram:IncludedNote", node("ram:Content", note)) for note in e_invoice.notes),
        ),
        node(
            "rsm:SupplyChainTradeTransaction",
            *(_line(line) for line in e_invoice.lines),
            node(
                "ram:ApplicableHeaderTradeAgreement",
                node("ram:BuyerReference", e_invoice.buyer_reference),
                node("ram:SellerTradeParty", *_party(e_invoice.seller)),
                node("ram:BuyerTradeParty", *_party(e_invoice.buyer)),
                node(
                    "ram:BuyerOrderReferencedDocument",
                    node("ram:IssuerAssignedID", e_invoice.order_id),
                ),
                _verification(e_invoice.verification) if e_invoice.verification else None,
            ),
            _delivery(e_invoice.delivered),
            _settlement(e_invoice),
        ),
    )


def _date(day: date | None, prefix: str = "udt") -> Element | None:
    text = f"{day:%Y%m%d}" if day else None
    return node(f"{prefix}:DateTimeString", text, format="102")


def _verification(url: str) -> Element | None:
    name, words = VERIFICATION
    return node(
        "ram:AdditionalReferencedDocument",
        node("ram:IssuerAssignedID", name),
        node("ram:URIID", url),
        node("ram:TypeCode", SUPPORTING_DOCUMENT),
        node("ram:Name", words),
    )


def _delivery(day: date | None) -> Element | None:
    if day is None:  # the schema asks for the group all the same
        return Element("ram:ApplicableHeaderTradeDelivery")
    return node(
        "ram:ApplicableHeaderTradeDelivery",
        node("ram:ActualDeliverySupplyChainEvent", node("ram:OccurrenceDateTime", _date(day))),
    )


def _period(period: LinePeriod | None) -> Element | None:
    if period is None:
        return None
    return node(
        "ram:BillingSpecifiedPeriod",
        node("ram:StartDateTime", _date(period.start)),
        node("ram:EndDateTime", _date(period.end)),
    )


def _party(party: Party) -> list[Element | None]:
    return [
        node("ram:ID", party.id),
        node("ram:Name", party.name),
        node("ram:SpecifiedLegalOrganization", node("ram:ID", party.legal_id)),
        node(
            "ram:DefinedTradeContact",
            node("ram:PersonName", party.contact),
            node("ram:TelephoneUniversalCommunication", node("ram:CompleteNumber", party.phone)),
            node("ram:EmailURIUniversalCommunication", node("ram:URIID", party.email)),
        ),
        node(
            "ram:PostalTradeAddress",
            node("ram:PostcodeCode", party.address.postal_code),
            node("ram:LineOne", party.address.street),
            node("ram:CityName", party.address.city),
            node("ram:CountryID", party.address.country),
        ),
        node(
            "ram:URIUniversalCommunication",
            node("ram:URIID", party.endpoint.id, schemeID=party.endpoint.scheme),
        ),
        node("ram:SpecifiedTaxRegistration", node("ram:ID", party.vat_id, schemeID="VA")),
        node("ram:SpecifiedTaxRegistration", node("ram:ID", party.tax_registration, schemeID="FC")),
    ]


def _line(line: InvoicedLine) -> Element | None:
    return node(
        "ram:IncludedSupplyChainTradeLineItem",
        node(
            "ram:AssociatedDocumentLineDocument",
            node("ram:LineID", line.id),
            node("ram:IncludedNote", node("ram:Content", line.note)),
        ),
        node("ram:SpecifiedTradeProduct", node("ram:Name", line.name)),
        node(
            "ram:SpecifiedLineTradeAgreement",
            node(
                "ram:NetPriceProductTradePrice",
                node("ram:ChargeAmount", number(line.price)),
            ),
        ),
        node(
            "ram:SpecifiedLineTradeDelivery",
            node("ram:BilledQuantity", number(line.quantity), unitCode=UNIT),
        ),
        node(
            "ram:SpecifiedLineTradeSettlement",
            node(
                "ram:ApplicableTradeTax",
                node("ram:TypeCode", "VAT"),
                node("ram:CategoryCode", line.category),
                node("ram:RateApplicablePercent", optional(line.rate)),
            ),
            _period(line.period),
            *map(_charge, line.charges),
            node(
                "ram:SpecifiedTradeSettlementLineMonetarySummation",
                node("ram:LineTotalAmount", number(line.net)),
            ),
            _line_object(line.object_id),
        ),
    )


def _charge(charge: Charge) -> Element | None:
    is_charge = "true" if charge.amount > 0 else "false"
    return node(
        "ram:SpecifiedTradeAllowanceCharge",
        node("ram:ChargeIndicator", node("udt:Indicator", is_charge)),
        node("ram:ActualAmount", number(abs(charge.amount))),
        node("ram:Reason", charge.reason),
    )


def _line_object(object_id: str | None) -> Element | None:
    if object_id is None:
        return None
    return node(
        "ram:AdditionalReferencedDocument",
        node("ram:IssuerAssignedID", object_id),
        node("ram:TypeCode", LINE_OBJECT),
    )


def _settlement(e_invoice: EInvoice) -> Element | None:
    payment, national = e_invoice.payment, e_invoice.national_tax
    return node(
        "ram:ApplicableHeaderTradeSettlement",
        node("ram:PaymentReference", payment.reference if payment else None),
        node("ram:TaxCurrencyCode", national.currency if national else None),
        node("ram:InvoiceCurrencyCode", e_invoice.currency),
        _payment_means(payment) if payment else None,
        *(_tax(tax) for tax in e_invoice.taxes),
        _period(e_invoice.period),
        node(
            "ram:SpecifiedTradePaymentTerms",
            node("ram:Description", e_invoice.terms),
            node("ram:DueDateDateTime", _date(e_invoice.due_date)),
        ),
        node(
            "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
            node("ram:LineTotalAmount", number(e_invoice.net)),
            node("ram:TaxBasisTotalAmount", number(e_invoice.net)),
            node("ram:TaxTotalAmount", number(e_invoice.tax), currencyID=e_invoice.currency),
            _national_tax(national) if national else None,
            node("ram:RoundingAmount", optional(e_invoice.rounding or None)),
            node("ram:GrandTotalAmount", number(e_invoice.gross)),
            node("ram:DuePayableAmount", number(e_invoice.payable)),
        ),
        _corrected(e_invoice),
    )


def _national_tax(tax: NationalTax) -> Element | None:
    return node("ram:TaxTotalAmount", number(tax.amount), currencyID=tax.currency)


def _payment_means(payment: Payment) -> Element | None:
    return node(
        "ram:SpecifiedTradeSettlementPaymentMeans",
        node("ram:TypeCode", payment.code),
        node(
            "ram:PayeePartyCreditorFinancialAccount",
            node("ram:IBANID", payment.iban),
            node("ram:AccountName", payment.account_name),
        ),
        node("ram:PayeeSpecifiedCreditorFinancialInstitution", node("ram:BICID", payment.bic)),
    )


def _tax(tax: VatBreakdown) -> Element | None:
    why = tax.exemption
    return node(
        "ram:ApplicableTradeTax",
        node("ram:CalculatedAmount", number(tax.amount)),
        node("ram:TypeCode", "VAT"),
        node("ram:ExemptionReason", why.reason if why else None),
        node("ram:BasisAmount", number(tax.net)),
        node("ram:CategoryCode", tax.category),
        node("ram:ExemptionReasonCode", why.code if why else None),
        node("ram:RateApplicablePercent", number(tax.rate)),
    )


def _corrected(e_invoice: EInvoice) -> Element | None:
    if e_invoice.corrects is None:
        return None
    original, issued = e_invoice.corrects
    return node(
        "ram:InvoiceReferencedDocument",
        node("ram:IssuerAssignedID", original),
        node("ram:FormattedIssueDateTime", _date(issued, "qdt")),
    )
