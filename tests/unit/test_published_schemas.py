"""What others have published, and what we publish ourselves, has these fields and no others."""

import json
from typing import Any

import pytest

from tools import openapi

SCHEMAS: dict[str, Any] = json.loads(openapi.FILE.read_text())["components"]["schemas"]

TYPED = {
    "Invoice": "id:string creationDate:integer dueDate:integer invoiceNumber:string "
    "invoiceHash:string description:string currency:string currencySign:string "
    "amountIncVAT:string amountExclVAT:string paymentStatus:integer paymentDate:integer "
    "isCredit:integer remainingAmount:string totalPaidAmount:string",
    "InvoiceDetails": "id:integer invoiceNumber:string invoiceHash:string clientNumber:string "
    "creationDate:string dueDate:string paymentStatus:integer paymentDate:integer "
    "isCredit:integer paymentTerm:integer currency:string currencySign:string "
    "vatPercentage:integer vatAmount:string amountIncVat:string amountExclVat:string "
    "items:array clientDetails:ClientDetails companyDetails:CompanyDetails",
    "InvoiceItem": "orderId:string description:string periodFrom:string periodTo:string "
    "remarks:string quantity:integer setupCosts:string unitPrice:string vatPercentage:integer "
    "vatAmount:string amountIncVat:string amountExclVat:string",
    "ClientDetails": "fullName:string companyName:string email:string address:string zip:string "
    "city:string country:string vatNumber:string iban:string bic:string",
    "CompanyDetails": "name:string address:string zip:string city:string country:string "
    "phone:string email:string url:string iban:string bic:string",
    "ErrorResponse": "errorCode:integer errorMessage:string errors:array",
    "ErrorMessage": "code:integer status:string message:string detailMsg:string",
    "InvoiceInfoList": "account_id:integer period_date:PeriodDate invoices:array",
    "InvoiceInfoDetail": "value:number delivery_mode:string date:string pay_date? number:string "
    "path:string status cycle",
    "PeriodDate": "start_date:string end_date:string",
    "GenericCreatedResponseDTO": "id:string",
    "GenericResponseDTO": "code? message:string details? trace_id?",
    "InvoicePublicLinkResponseDTO": "invoice_id:string url:string expires_at:string "
    "content_type:string",
}
"""What is published with types: all fields are required but those with a question mark."""

NAMED = {
    "RefundRequestDTO": "refund_datetime period_start_datetime? period_end_datetime? amount "
    "external_invoice_id? external_refund_unique_id billable description",
    "RefundNonSubscribableProductsRequestDTO": "refund_datetime period_start_datetime? "
    "period_end_datetime? amount external_invoice_id? external_refund_unique_id? "
    "transaction_type_id description",
    "RefundResponseDTO": "id movement_id subscription_id refund_datetime period_start_datetime "
    "period_end_datetime amount external_invoice_id external_refund_unique_id "
    "transaction_type_id billable description status invoice_cycle_date invoice_id created_at "
    "updated_at",
    "MovementRequestDTO": "account_id movement_datetime period_start_datetime? "
    "period_end_datetime? amount operation_type kind external_movement_unique_id description "
    "transaction_type_id?",
    "MovementResponseDTO": "id subscription_id account_id movement_datetime "
    "period_start_datetime period_end_datetime amount operation_type kind "
    "external_movement_unique_id description transaction_type_id refunded refundable "
    "invoice_cycle_date invoice_id created_at",
    "AccountAdjustmentResponseDTO": "id adjustment_datetime period_start_datetime "
    "period_end_datetime amount operation_type external_adjustment_unique_id "
    "transaction_type_id invoice_cycle_date description",
    "AmountRequestDTO": "value_with_taxes value_without_taxes tax? currency?",
    "BillableAmountRequestDTO": "value_with_taxes value_without_taxes tax? currency? billable",
    "AddressDTO": "street postal_code city region? country",
    "PaymentRequestDTO": "amount currency? paid_datetime method? external_payment_unique_id",
    "ConsumptionRequestDTO": "records",
    "ConsumptionDTO": "external_consumption_unique_id type consumed_datetime units unit amount "
    "destination?",
    "LocationTaxDTO": "state_id country region name tax valid_from",
    "InvoiceSummaryDTO": "id number kind status description issued_at issue_date due_date "
    "currency net tax gross paid credited remaining account_id",
    "InvoiceResponseDTO": "id number kind status description issued_at issue_date due_date "
    "currency net tax gross paid credited remaining account_id lines taxes national_tax? period "
    "payments corrects? corrected_by buyer seller hash previous_hash",
    "TaxTotalDTO": "type percentage category net amount exemption_reason?",
    "CorrectionDTO": "id number",
    "InvoiceRequestDTO": "external_invoice_unique_id description currency? due_date? "
    "buyer_reference? lines",
    "InvoiceLineRequestDTO": "description quantity unit_price setup_costs? tax? period_start? "
    "period_end? order_id? remarks?",
    "CreditNoteRequestDTO": "external_credit_note_unique_id description reason? lines?",
    "CreditNoteLineRequestDTO": "line amount_without_taxes",
    "UpcomingDocumentDTO": "kind currency lines taxes net tax gross corrects?",
    "BalanceDTO": "currency unpaid credit",
    "PaymentResponseDTO": "id amount currency paid_datetime method reversal?",
    "PaymentReversalRequestDTO": "reason reversed_datetime external_reversal_unique_id",
    "PayoutRequestDTO": "amount paid_datetime method? external_payout_unique_id",
    "TaxDTO": "type percentage category? exemption_reason?",
    "ElectronicAddressDTO": "scheme id",
    "BillingInfo": "legal_name tax_id address currency time_zone payment_term_days phone? email "
    "url? iban? bic? invoice_series? credit_series? accent? sandbox? lanes? fiscal_regime? "
    "one_stop_shop? electronic_address? mail_from?",
    "AccountBillingDetailsRequestDTO": "name company_name? tax_id? email address country state_id? "
    "billing_day time_zone delivery_mode payment_term_days currency? iban? bic? closed? language? "
    "vat_number_status? buyer_reference? electronic_address? account_id? next_billing_date? "
    "mail_state? current_period?",
    "AccountBillingDetailsResponseDTO": "name company_name? tax_id? email address country "
    "state_id? billing_day time_zone delivery_mode payment_term_days currency? iban? bic? closed? "
    "language? vat_number_status? buyer_reference? electronic_address? account_id "
    "next_billing_date mail_state current_period",
    "PeriodDTO": "start_datetime end_datetime",
    "AccountSummaryDTO": "account_id name company_name email country closed",
    "SubscriptionDTO": "subscription_id",
    "BillingRunRequestDTO": "until? external_billing_run_unique_id",
    "BillingRunResponseDTO": "id until created_at status accounts_total accounts_done "
    "invoices_issued failures",
    "BillingRunSummaryDTO": "id until created_at status accounts_total accounts_done "
    "invoices_issued",
    "ConsumptionReceiptDTO": "accepted duplicates",
    "ShareLinkResponseDTO": "id expires_at revoked opened",
    "SandboxClockDTO": "now",
}
"""The same without types: those of money, times and unions are written in several ways."""


@pytest.mark.parametrize(("name", "fields"), [*TYPED.items(), *NAMED.items()])
def test_it_has_these_fields_and_no_others(name: str, fields: str) -> None:
    schema = SCHEMAS[name]
    asked = [each.partition(":") for each in fields.split()]

    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {field.rstrip("?") for field, _, _ in asked}
    assert set(schema["required"]) == {field for field, _, _ in asked if field[-1] != "?"}
    for field, _, kind in asked:
        if kind:
            said = schema["properties"][field]
            found = said.get("type") or said.get("$ref") or said["allOf"][0]["$ref"]
            assert found.rpartition("/")[2] == kind, field


def test_every_object_is_closed() -> None:
    open_ones = [
        name
        for name, schema in SCHEMAS.items()
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False
    ]

    assert open_ones == []
