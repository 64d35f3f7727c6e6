"""
Messages to the tax agency's service, and its answers: SOAP, by SistemaFacturacion.wsdl.

A message has a header and up to 1,000 records, each of them written as XML already.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from billing.domain.errors import UpstreamFailedError
from billing.domain.fiscal_answers import Answer, RecordAnswer, StoredRecord
from billing.domain.fiscal_sending import FIRST_WAIT
from billing.domain.verifactu import AgencyError, RecordState, day
from billing.verifactu.record import INFORMATION, SUPPLY

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ROOT = SUPPLY.rpartition("/")[0]
_ANSWER, _QUERY = f"{_ROOT}/RespuestaSuministro.xsd", f"{_ROOT}/ConsultaLR.xsd"
_QUERY_ANSWER = f"{_ROOT}/RespuestaConsultaLR.xsd"

_STATES = {
    "Correcto": RecordState.ACCEPTED,
    "Correcta": RecordState.ACCEPTED,
    "AceptadoConErrores": RecordState.ACCEPTED_WITH_ERRORS,
    "AceptadaConErrores": RecordState.ACCEPTED_WITH_ERRORS,
    "Incorrecto": RecordState.REJECTED,
    "Anulado": RecordState.ACCEPTED,  # a record that was accepted, and annulled since
    "Anulada": RecordState.ACCEPTED,
}
_LONGEST_MESSAGE = 500
"""Characters that are kept of what the agency says of a record."""


def submission(legal_name: str, tax_id: str, records: Iterable[str], *, late: bool) -> bytes:
    """
    Write the message with records of a taxpayer, in the order of their chain.

    `late` says that something kept them from being sent in time.
    """
    incident = (
        "<sum1:RemisionVoluntaria><sum1:Incidencia>S</sum1:Incidencia></sum1:RemisionVoluntaria>"
    )
    content = "".join(f"<sum:RegistroFactura>{record}</sum:RegistroFactura>" for record in records)
    return _envelope(
        f'<sum:RegFactuSistemaFacturacion xmlns:sum="{SUPPLY}" xmlns:sum1="{INFORMATION}">'
        f"<sum:Cabecera>{_taxpayer(legal_name, tax_id)}{incident if late else ''}</sum:Cabecera>"
        f"{content}</sum:RegFactuSistemaFacturacion>"
    )


def question(
    legal_name: str,
    tax_id: str,
    month: date,
    first: date,
    last: date,
    *,
    number: str | None = None,
    after: StoredRecord | None = None,
) -> bytes:
    """
    Write the question for the records of a month, issued from one day to another.

    The month is that of the operation. `number` names the only document that is asked for, `after`
    is the last record of the page before.
    """
    document = f"<con:NumSerieFactura>{escape(number)}</con:NumSerieFactura>" if number else ""
    span = (
        f"<sum1:FechaExpedicionFactura>{day(first)}</sum1:FechaExpedicionFactura>"
        if first == last  # a range of one day is refused
        else f"<sum1:RangoFechaExpedicion><sum1:Desde>{day(first)}</sum1:Desde>"
        f"<sum1:Hasta>{day(last)}</sum1:Hasta></sum1:RangoFechaExpedicion>"
    )
    place = after and (
        f"<con:ClavePaginacion><sum1:IDEmisorFactura>{escape(tax_id)}</sum1:IDEmisorFactura>"
        f"<sum1:NumSerieFactura>{escape(after.number)}</sum1:NumSerieFactura>"
        f"<sum1:FechaExpedicionFactura>{day(after.issued_on)}</sum1:FechaExpedicionFactura>"
        "</con:ClavePaginacion>"
    )
    return _envelope(
        f'<con:ConsultaFactuSistemaFacturacion xmlns:con="{_QUERY}" xmlns:sum1="{INFORMATION}">'
        "<con:Cabecera><sum1:IDVersion>1.0</sum1:IDVersion>"
        f"{_taxpayer(legal_name, tax_id)}</con:Cabecera><con:FiltroConsulta>"
        f"<con:PeriodoImputacion><sum1:Ejercicio>{month.year:04}</sum1:Ejercicio>"
        f"<sum1:Periodo>{month.month:02}</sum1:Periodo></con:PeriodoImputacion>"
        f"{document}<con:FechaExpedicionFactura>{span}</con:FechaExpedicionFactura>{place or ''}"
        "</con:FiltroConsulta></con:ConsultaFactuSistemaFacturacion>"
    )


def read_answer(body: bytes) -> Answer:
    """Read the answer to a submission. Raise UpstreamFailedError where it is another, or none."""
    answer = _content(body, f"{{{_ANSWER}}}RespuestaRegFactuSistemaFacturacion")
    try:
        return Answer(
            csv=_text(answer, "CSV"),
            wait=_wait(_text(answer, "TiempoEsperaEnvio")),
            records=[_line(each) for each in answer.iterfind(f"{{{_ANSWER}}}RespuestaLinea")],
        )
    except (KeyError, ValueError) as error:
        raise UpstreamFailedError("The tax agency's answer cannot be read.") from error


def read_stored(body: bytes) -> tuple[list[StoredRecord], bool]:
    """Read the answer to a question: a page of records, and whether there are more."""
    answer = _content(body, f"{{{_QUERY_ANSWER}}}RespuestaConsultaFactuSistemaFacturacion")
    page = f"{{{_QUERY_ANSWER}}}RegistroRespuestaConsultaFactuSistemaFacturacion"
    try:
        records = [
            StoredRecord(
                *_name(each),
                _text(each, "DatosRegistroFacturacion/{*}Huella") or "",
                _STATES[_text(each, "EstadoRegistro/{*}EstadoRegistro") or ""],
                _error(each.find("{*}EstadoRegistro")),
            )
            for each in answer.iterfind(page)
        ]
    except (KeyError, ValueError) as error:
        raise UpstreamFailedError("The tax agency's answer cannot be read.") from error
    return records, _text(answer, "IndicadorPaginacion") == "S"


def _envelope(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{_SOAP}"><soapenv:Header/>'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def _taxpayer(legal_name: str, tax_id: str) -> str:
    return (
        f"<sum1:ObligadoEmision><sum1:NombreRazon>{escape(legal_name)}</sum1:NombreRazon>"
        f"<sum1:NIF>{escape(tax_id)}</sum1:NIF></sum1:ObligadoEmision>"
    )


def _content(body: bytes, name: str) -> ET.Element:
    """Return what an answer has to have in it. Raise UpstreamFailedError with a fault's words."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - over TLS from the agency itself
    except ET.ParseError as error:
        raise UpstreamFailedError("The tax agency's answer is no XML.") from error
    fault = root.find(f"{{{_SOAP}}}Body/{{{_SOAP}}}Fault")
    if fault is not None:
        said = " ".join((fault.findtext("faultstring") or "").split())
        raise UpstreamFailedError(f"The tax agency refused the message: {said[:_LONGEST_MESSAGE]}")
    answer = root.find(f"{{{_SOAP}}}Body/{name}")
    if answer is None:
        raise UpstreamFailedError("The tax agency's answer is no answer to what was sent.")
    return answer


def _wait(seconds: str | None) -> timedelta:
    """Read how long to wait; the schema lets the agency leave the number out."""
    return timedelta(seconds=int(seconds)) if seconds else FIRST_WAIT


def _line(line: ET.Element) -> RecordAnswer:
    name, duplicate = _name(line), line.find("{*}RegistroDuplicado")
    kept = None
    if duplicate is not None:
        state = _STATES[_text(duplicate, "EstadoRegistroDuplicado") or ""]
        kept = RecordAnswer(*name, state, _error(duplicate))
    return RecordAnswer(*name, _STATES[_text(line, "EstadoRegistro") or ""], _error(line), kept)


def _name(element: ET.Element) -> tuple[str, date]:
    number = _text(element, "IDFactura/{*}NumSerieFactura") or ""
    issued_on = _text(element, "IDFactura/{*}FechaExpedicionFactura") or ""
    return number, datetime.strptime(issued_on, "%d-%m-%Y").date()  # noqa: DTZ007 - a date


def _error(element: ET.Element | None) -> AgencyError | None:
    if element is None or (code := _text(element, "CodigoErrorRegistro")) is None:
        return None
    message = _text(element, "DescripcionErrorRegistro") or ""
    return AgencyError(code, message[:_LONGEST_MESSAGE])


def _text(element: ET.Element, path: str) -> str | None:
    """Read a text below an element, in whichever of the agency's schemas its name stands."""
    return element.findtext(f"{{*}}{path}")
