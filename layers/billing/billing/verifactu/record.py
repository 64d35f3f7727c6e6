"""A fiscal record as XML: RegistroAlta of SuministroInformacion.xsd, in the order of the schema."""

from decimal import Decimal
from xml.etree.ElementTree import Element

from billing.domain.verifactu import (
    LARGE,
    CorrectedDocument,
    FiscalRecord,
    Link,
    Recipient,
    System,
    TaxRow,
    amount,
    day,
)
from billing.xml import document, node

_SCHEMAS = (
    "https://www2.agenciatributaria.gob.es/static_files/common/internet/dep/aplicaciones/es/aeat"
    "/tike/cont/ws"
)
INFORMATION = f"{_SCHEMAS}/SuministroInformacion.xsd"
"""The namespace of records: sum1."""
SUPPLY = f"{_SCHEMAS}/SuministroLR.xsd"
"""The namespace of messages of records: sum."""

_YES, _NO = "S", "N"


def record_xml(record: FiscalRecord) -> bytes:
    """Write a record as a document of its own."""
    root = record_element(record)
    return document(root.tag, {"xmlns:sum1": INFORMATION}, *root)


def record_element(record: FiscalRecord) -> Element:
    """Write a record as an element; the prefix sum1 is declared around it."""
    said, amendment = record.declaration, record.amendment
    root = Element("sum1:RegistroAlta")
    parts = [
        node("sum1:IDVersion", "1.0"),
        _document_id("sum1:IDFactura", said.seller_tax_id, said.number, day(said.issue_date)),
        node("sum1:NombreRazonEmisor", said.seller_name),
        node("sum1:Subsanacion", _YES) if amendment else None,
        node("sum1:RechazoPrevio", amendment.previous_rejection) if amendment else None,
        node("sum1:TipoFactura", said.type),
        node("sum1:TipoRectificativa", "I") if said.is_credit else None,
        _corrected(said.seller_tax_id, said.corrects) if said.corrects else None,
        node("sum1:FechaOperacion", day(said.operation_date)) if said.operation_date else None,
        node("sum1:DescripcionOperacion", said.description),
        node("sum1:FacturaSinIdentifDestinatarioArt61d", _YES) if said.without_recipient else None,
        node("sum1:Macrodato", _YES) if abs(said.total) >= LARGE else None,
        node("sum1:Destinatarios", _recipient(said.recipient)) if said.recipient else None,
        node("sum1:Desglose", *map(_row, said.rows)),
        node("sum1:CuotaTotal", amount(said.tax)),
        node("sum1:ImporteTotal", amount(said.total)),
        node("sum1:Encadenamiento", _previous(said.seller_tax_id, record.previous)),
        _system(record.system),
        node("sum1:FechaHoraHusoGenRegistro", record.generated_at),
        node("sum1:TipoHuella", "01"),
        node("sum1:Huella", record.huella),
    ]
    root.extend(part for part in parts if part is not None)
    return root


def _document_id(tag: str, tax_id: str, number: str, issue_date: str) -> Element | None:
    return node(
        tag,
        node("sum1:IDEmisorFactura", tax_id),
        node("sum1:NumSerieFactura", number),
        node("sum1:FechaExpedicionFactura", issue_date),
    )


def _corrected(tax_id: str, corrects: CorrectedDocument) -> Element | None:
    corrected = _document_id(
        "sum1:IDFacturaRectificada", tax_id, corrects.number, day(corrects.issue_date)
    )
    return node("sum1:FacturasRectificadas", corrected)


def _recipient(recipient: Recipient) -> Element | None:
    other = None
    if recipient.tax_id is None:
        other = node(
            "sum1:IDOtro",
            node("sum1:CodigoPais", recipient.country) if recipient.country else None,
            node("sum1:IDType", recipient.id_type),
            node("sum1:ID", recipient.id),
        )
    return node(
        "sum1:IDDestinatario",
        node("sum1:NombreRazon", recipient.name),
        node("sum1:NIF", recipient.tax_id) if recipient.tax_id else other,
    )


def _row(row: TaxRow) -> Element | None:
    treatment = "sum1:OperacionExenta" if row.is_exempt else "sum1:CalificacionOperacion"
    return node(
        "sum1:DetalleDesglose",
        node("sum1:Impuesto", row.tax),
        node("sum1:ClaveRegimen", row.regime),
        node(treatment, row.treatment),
        _optional("sum1:TipoImpositivo", row.rate),
        node("sum1:BaseImponibleOimporteNoSujeto", amount(row.base)),
        _optional("sum1:CuotaRepercutida", row.amount),
    )


def _optional(tag: str, value: Decimal | None) -> Element | None:
    return None if value is None else node(tag, amount(value))


def _previous(tax_id: str, previous: Link | None) -> Element | None:
    if previous is None:
        return node("sum1:PrimerRegistro", _YES)
    return node(
        "sum1:RegistroAnterior",
        node("sum1:IDEmisorFactura", tax_id),
        node("sum1:NumSerieFactura", previous.number),
        node("sum1:FechaExpedicionFactura", day(previous.issue_date)),
        node("sum1:Huella", previous.huella),
    )


def _system(system: System) -> Element | None:
    return node(
        "sum1:SistemaInformatico",
        node("sum1:NombreRazon", system.producer),
        node("sum1:NIF", system.producer_tax_id),
        node("sum1:NombreSistemaInformatico", system.name),
        node("sum1:IdSistemaInformatico", system.id),
        node("sum1:Version", system.version),
        node("sum1:NumeroInstalacion", system.installation),
        node("sum1:TipoUsoPosibleSoloVerifactu", _YES),
        node("sum1:TipoUsoPosibleMultiOT", _YES),
        # Each org is an installation of its own, with its own number and its own chain.
        node("sum1:IndicadorMultiplesOT", _NO),
    )
