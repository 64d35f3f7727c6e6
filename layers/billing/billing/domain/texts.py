"""
What documents say in each language, in one table: a row for a text, a column for a language.

To add a language: name it in `Language` of parties.py, give every row a text in it, and say in
`language_of` in which countries it is the default.
"""

from billing.domain.parties import Account, Language

_TEXTS: dict[str, dict[Language, str]] = {
    # Lines of usage.
    "usage_data": {"en": "Data", "es": "Datos"},
    "usage_sms": {"en": "SMS", "es": "SMS"},
    "usage_voice": {"en": "Voice", "es": "Voz"},
    "byte": {"en": "byte", "es": "byte"},
    "bytes": {"en": "bytes", "es": "bytes"},
    "message": {"en": "message", "es": "mensaje"},
    "messages": {"en": "messages", "es": "mensajes"},
    "second": {"en": "second", "es": "segundo"},
    "seconds": {"en": "seconds", "es": "segundos"},
    # Why no tax is charged, with the legal ground: BT-120 and the PDF's tax table.
    # The names are kept with charges and documents: add some, change the words, remove none.
    "exempt": {"en": "Exempt from VAT", "es": "Operación exenta de IVA"},
    "exempt_igic": {"en": "Exempt from IGIC", "es": "Operación exenta de IGIC"},
    "exempt_ipsi": {"en": "Exempt from IPSI", "es": "Operación exenta de IPSI"},
    "exempt_tax": {"en": "Exempt from tax", "es": "Operación exenta de impuestos"},
    "reverse_charge": {
        "en": "Reverse charge (art. 196, Directive 2006/112/EC)",
        "es": "Inversión del sujeto pasivo (art. 196, Directiva 2006/112/CE)",
    },
    "reverse_charge_iva": {
        "en": "Reverse charge (art. 84.Uno.2.º, Ley 37/1992)",
        "es": "Inversión del sujeto pasivo (art. 84.Uno.2.º, Ley 37/1992)",
    },
    "reverse_charge_igic": {
        "en": "Reverse charge (art. 19.1.2.º, Ley 20/1991)",
        "es": "Inversión del sujeto pasivo (art. 19.1.2.º, Ley 20/1991)",
    },
    "reverse_charge_ipsi": {
        "en": "Reverse charge (Ley 8/1991)",
        "es": "Inversión del sujeto pasivo (Ley 8/1991)",
    },
    "reverse_charge_named": {"en": "Reverse charge", "es": "Inversión del sujeto pasivo"},
    "outside_business": {
        "en": "Not subject to VAT: service to a business outside the EU's VAT area "
        "(art. 44, Directive 2006/112/EC)",
        "es": "No sujeta a IVA: servicio a una empresa fuera del territorio IVA de la UE "
        "(art. 44, Directiva 2006/112/CE)",
    },
    "outside_consumer": {
        "en": "Not subject to VAT: service to a customer outside the EU's VAT area "
        "(art. 58, Directive 2006/112/EC)",
        "es": "No sujeta a IVA: servicio a un cliente fuera del territorio IVA de la UE "
        "(art. 58, Directiva 2006/112/CE)",
    },
    "out_of_scope": {"en": "Not subject to VAT", "es": "Operación no sujeta a IVA"},
    # Notes of the e-invoice, and the reason of a line's charge: BT-22, BT-20 and BT-144.
    "rounding": {"en": "Rounding", "es": "Redondeo"},
    "exact_total": {"en": "Exact total", "es": "Importe exacto"},
    "setup_costs": {"en": "Setup costs", "es": "Cuota de alta"},
    "in_favour": {"en": "Amount in favour of the customer", "es": "Importe a favor del cliente"},
    # Labels and headings of the PDF, from the top of the page to its end.
    "fiscal_qr": {
        "en": "QR code to verify this document at Spain's tax agency",
        "es": "Código QR para verificar este documento en la Agencia Tributaria",
    },
    "logo": {"en": "Logo of", "es": "Logotipo de"},
    "invoice": {"en": "Invoice", "es": "Factura"},
    "credit_note": {"en": "Credit note", "es": "Factura rectificativa"},
    "bill_to": {"en": "Bill to", "es": "Cliente"},
    "attention": {"en": "Attn.", "es": "A la atención de"},
    "tax_id": {"en": "Tax ID", "es": "NIF"},
    "issued": {"en": "Issue date", "es": "Fecha de expedición"},
    "period": {"en": "Period of supply", "es": "Periodo facturado"},
    "original": {"en": "Corrects invoice", "es": "Rectifica la factura"},
    "dated": {"en": "of", "es": "del"},
    "your_reference": {"en": "Your reference", "es": "Su referencia"},
    "customer": {"en": "Customer no.", "es": "N.º de cliente"},
    "amount_due": {"en": "Amount due", "es": "Total a pagar"},
    "amount_credited": {"en": "Amount credited", "es": "Total abonado"},
    "due": {"en": "Due on", "es": "Vencimiento"},
    "description": {"en": "Description", "es": "Descripción"},
    "order": {"en": "Order", "es": "Pedido"},
    "subscription": {"en": "Subscription", "es": "Suscripción"},
    "setup": {"en": "includes setup costs of", "es": "incluye alta de"},
    "quantity": {"en": "Qty", "es": "Cantidad"},
    "price": {"en": "Unit price", "es": "Precio"},
    "tax": {"en": "Tax", "es": "Impuesto"},
    "amount": {"en": "Amount", "es": "Importe"},
    "taxable": {"en": "Taxable amount", "es": "Base imponible"},
    "net": {"en": "Net total", "es": "Base imponible"},
    "total_tax": {"en": "Total tax", "es": "Total impuestos"},
    "total": {"en": "Total", "es": "Total"},
    "national_tax": {"en": "Total tax in", "es": "Impuestos en"},
    "exchange_rate": {"en": "Exchange rate", "es": "Tipo de cambio"},
    "pay": {"en": "How to pay", "es": "Forma de pago"},
    "pay_by": {
        "en": "By bank transfer, quoting the reference",
        "es": "Transferencia bancaria, indicando la referencia",
    },
    "holder": {"en": "Account holder", "es": "Titular"},
    "reference": {"en": "Reference", "es": "Referencia"},
    "scan": {"en": "Scan with your banking app", "es": "Escanéelo con la aplicación de su banco"},
    "qr": {"en": "QR code for a SEPA credit transfer", "es": "Código QR de transferencia SEPA"},
    "sample": {"en": "SAMPLE", "es": "MUESTRA"},
    "page": {"en": "Page", "es": "Página"},
    "of": {"en": "of", "es": "de"},
    # The page to share: what has become of a document, in one word or two.
    "is_unpaid": {"en": "To be paid", "es": "Pendiente de pago"},
    "is_partly_paid": {"en": "Partly paid", "es": "Pagada en parte"},
    "is_overdue": {"en": "Overdue", "es": "Vencida"},
    "is_paid": {"en": "Paid", "es": "Pagada"},
    "is_credited": {"en": "Credited", "es": "Abonada"},
    "is_issued": {"en": "Issued", "es": "Emitida"},
    # The page to share, from its top to its end.
    "as_of": {"en": "As of", "es": "A fecha de"},
    "nothing_due": {"en": "Nothing to pay", "es": "Nada que pagar"},
    "paid": {"en": "Paid", "es": "Pagado"},
    "credited": {"en": "Credited", "es": "Abonado"},
    "files": {"en": "Downloads", "es": "Descargas"},
    "pdf_file": {"en": "Download PDF", "es": "Descargar PDF"},
    "e_invoice_file": {"en": "E-invoice", "es": "Factura electrónica"},
    "questions": {"en": "Any questions? Write to", "es": "¿Alguna duda? Escriba a"},
    # The page to share, where there is nothing to show: a heading, and what to do.
    "link_expired": {"en": "This link has expired", "es": "Este enlace ha caducado"},
    "link_revoked": {"en": "This link was withdrawn", "es": "Este enlace se ha retirado"},
    "ask_for_link": {
        "en": "Please ask whoever sent it to you for a new one.",
        "es": "Pida uno nuevo a quien se lo envió.",
    },
    "erased": {
        "en": "This document is no longer available",
        "es": "Este documento ya no está disponible",
    },
    "why_erased": {
        "en": "It was deleted, as the law no longer asks for it to be kept.",
        "es": "Se ha eliminado, pues la ley ya no exige conservarlo.",
    },
    "no_such_page": {"en": "This page does not exist", "es": "Esta página no existe"},
    "check_address": {
        "en": "Please check that you have opened the whole address.",
        "es": "Compruebe que ha abierto la dirección completa.",
    },
    "not_ready": {"en": "The PDF is being prepared", "es": "El PDF se está preparando"},
    "in_seconds": {
        "en": "Please try again in a few seconds.",
        "es": "Vuelva a intentarlo en unos segundos.",
    },
    "failed": {"en": "Something went wrong", "es": "Algo ha ido mal"},
    "in_minutes": {
        "en": "It is not your fault. Please try again in a few minutes.",
        "es": "No es culpa suya. Vuelva a intentarlo en unos minutos.",
    },
    "data": {
        "en": "This invoice as data: Factur-X, EN 16931",
        "es": "Esta factura en datos: Factur-X, EN 16931",
    },
    # The mail that brings a document, from its subject to its end; braces are filled in.
    "mail_subject": {
        "en": "{document} {number} from {seller}",
        "es": "{document} {number} de {seller}",
    },
    "mail_greeting": {"en": "Hello {name},", "es": "Hola, {name}:"},
    "mail_invoice": {
        "en": "Your invoice {number} of {day} is attached to this mail.",
        "es": "Le adjuntamos su factura {number}, del {day}.",
    },
    "mail_credit_note": {
        "en": "Your credit note {number} of {day} is attached to this mail.",
        "es": "Le adjuntamos su factura rectificativa {number}, del {day}.",
    },
    "mail_please_pay": {
        "en": "Please pay {amount} by {day}, quoting {number}.",
        "es": "Por favor, pague {amount} a más tardar el {day}, indicando {number}.",
    },
    "mail_nothing_to_pay": {
        "en": "There is nothing left to pay.",
        "es": "No queda nada por pagar.",
    },
    "mail_link": {"en": "Open it online", "es": "Verla en línea"},
    "mail_questions": {
        "en": "Any questions? Answer this mail.",
        "es": "¿Tiene alguna pregunta? Responda a este correo.",
    },
    "mail_sample": {
        "en": "This is a sample from a sandbox: nobody has to pay it.",
        "es": "Esto es una muestra de un entorno de pruebas: nadie tiene que pagarla.",
    },
}


def language_of(buyer: Account) -> Language:
    """Return the language of a buyer's documents: the one it chose, or that of its country."""
    return buyer.language or ("es" if buyer.country == "ES" else "en")


def texts(language: Language) -> dict[str, str]:
    """Return all texts in a language, by their name."""
    return {name: row[language] for name, row in _TEXTS.items()}


def text(name: str, language: Language) -> str:
    """Return one text in a language."""
    return _TEXTS[name][language]
