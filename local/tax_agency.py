"""
A stand-in of the tax agency's service for VERI*FACTU, on loopback.

It speaks the agency's WSDL over TLS: submissions of records, and queries. It asks for a certificate
of the taxpayer, checks each message by the agency's own schemas, and of each record what comes
before it, its huella, that it is new, and when it was generated. It is stricter than the agency in
one thing: a record that does not follow the last one of its chain gets the error 2003.

    python -m local.tax_agency FOLDER PORT

FOLDER keeps its certificates, what came (records.jsonl), and its orders: while orders.json is
there, with fields of Orders, it does what they say. It ends with its standard input.
"""

import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from django_verifactu.aeat.schemas import get_schema  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from local import certificates

PATH = "/wlpl/TIKE-CONT/ws/SistemaFacturacion/VerifactuSOAP"
REFUSED_AT = "https://sede.agenciatributaria.gob.es/Sede/errores/erro4011.html"
MAX_RECORDS = 1000
PAGE = 10_000
PATIENCE = timedelta(seconds=240)
"""How far the time of generation may be from the agency's own clock."""

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ROOT = (
    "https://www2.agenciatributaria.gob.es/static_files/common/internet/dep/aplicaciones/es/aeat"
    "/tike/cont/ws/"
)
_RECORDS, _SUBMISSION = f"{_ROOT}SuministroInformacion.xsd", f"{_ROOT}SuministroLR.xsd"
_ANSWER, _QUERY = f"{_ROOT}RespuestaSuministro.xsd", f"{_ROOT}ConsultaLR.xsd"
_QUERY_ANSWER = f"{_ROOT}RespuestaConsultaLR.xsd"
_MADRID = ZoneInfo("Europe/Madrid")
_TRIMMED = "".join(map(chr, range(0x21)))

_ERRORS = {
    1100: "Valor o tipo incorrecto del campo.",
    1108: "El NIF del IDEmisorFactura debe ser el mismo que el NIF del ObligadoEmision.",
    1112: "El campo FechaExpedicionFactura es superior a la fecha actual.",
    2000: "El cálculo de la huella suministrada es incorrecta.",
    2003: "El contenido de la huella del registro anterior no cumple con las especificaciones.",
    2004: "El valor del campo FechaHoraHusoGenRegistro debe ser la fecha actual del sistema.",
    2007: "No debe informarse como primer registro.",
    3000: "Registro de facturación duplicado.",
    3002: "No existe el registro de facturación.",
    4102: "El XML no cumple el esquema. Falta informar campo obligatorio.",
    4112: "El titular del certificado debe ser Obligado Emisión, Colaborador Social, Apoderado o "
    "Sucesor.",
    4114: "El XML no cumple el esquema: se ha superado el límite máximo permitido de facturas a "
    "registrar.",
}
_REJECTED, _FLAWED, _ACCEPTED = "Incorrecto", "AceptadoConErrores", "Correcto"
_DUPLICATES = {_FLAWED: "AceptadaConErrores", _ACCEPTED: "Correcta"}


@dataclass
class Orders:
    """What the service is told to do, as long as it is."""

    reject: Mapping[str, int] = field(default_factory=dict)
    """Numbers of documents to be rejected, each with the code."""
    wait_seconds: int = 60
    delay_seconds: float = 0
    lose_answers: bool = False
    """Take what comes, and close the line without an answer."""
    hang_up: bool = False
    """Close the line before anything was taken."""
    too_many: bool = False
    """Answer 429."""
    refuse_certificates: bool = False
    """Answer as the agency does for a certificate that it does not know: with a redirect."""
    fault: str | None = None
    """Answer a SOAP fault: a code of the client's as 4112, or `Server`."""


@dataclass
class Record:
    """A record that came, and what was said of it."""

    chain: str
    tax_id: str
    number: str
    date: str
    operation_date: str
    huella: str
    generated_at: str
    kind: str
    total: str
    state: str
    code: int | None
    request_id: str
    at: str


class Fault(Exception):  # noqa: N818 - what SOAP calls it
    """A message that is refused as a whole."""

    def __init__(self, code: int | str, more: str = "", *, by: str = "Client") -> None:
        text = _ERRORS.get(code, "") if isinstance(code, int) else ""
        super().__init__(f"Codigo[{code}].{text} {more}".strip())
        self.by = by


class TaxAgency:
    """The service: what it was sent, and what it answers."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.orders = Orders()
        self.messages = 0
        """The submissions that it took."""
        self.incidents = 0
        """Those of them that said they were late."""
        self.queries = 0
        self.breaks: list[str] = []
        """Numbers of the records that did not follow the last one of their chain."""
        self.kept: dict[tuple[str, str, str], Record] = {}
        self._seen: dict[str, set[str]] = {}
        self._last: dict[str, str] = {}
        self._folder, self._clock = folder, clock
        self._file = folder / "records.jsonl"
        self._lock = threading.Lock()
        self._remember()

    def told(self) -> Orders:
        """Return the orders: those of the file, where there is one."""
        file = self._folder / "orders.json"
        if not file.exists():
            return self.orders
        said = json.loads(file.read_text())
        unknown = said.keys() - {each.name for each in fields(Orders)}
        if unknown:
            raise ValueError(f"orders.json: {', '.join(sorted(unknown))}")
        return Orders(**said)

    def answer(self, body: bytes, tax_ids: Iterable[str]) -> str:
        """Answer a message of who has a certificate for these tax ids. Raise Fault."""
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            content = etree.fromstring(body, parser).find(f"{{{_SOAP}}}Body")[0]
        except (etree.XMLSyntaxError, TypeError, IndexError) as error:
            raise Fault(4102) from error
        orders = self.told()
        if orders.fault:
            by = "Server" if orders.fault == "Server" else "Client"
            raise Fault(int(orders.fault) if orders.fault.isdigit() else "", by=by)
        if content.tag == f"{{{_QUERY}}}ConsultaFactuSistemaFacturacion":
            _check_schema(content, "ConsultaLR")
            return self._answer_query(content, tax_ids)
        if len(content.findall(f"{{{_SUBMISSION}}}RegistroFactura")) > MAX_RECORDS:
            raise Fault(4114)
        _check_schema(content, "SuministroLR")
        with self._lock:
            return self._take(content, tax_ids, orders)

    # ---------------------------------------------------------------- submissions

    def _take(self, content: Any, tax_ids: Iterable[str], orders: Orders) -> str:
        header = content.find(f"{{{_SUBMISSION}}}Cabecera")
        tax_id = _text(header, "ObligadoEmision/NIF")
        if tax_id not in tax_ids:
            raise Fault(4112, f"NIF:{tax_id}")
        self.messages += 1
        late = _text(header, "RemisionVoluntaria/Incidencia") == "S"
        self.incidents += late
        now = self._clock()
        request_id = f"{self.messages:06}{now:%Y%m%d%H%M%S}"
        lines, states, new = [], [], []
        for each in content.iterfind(
            f"{{{_SUBMISSION}}}RegistroFactura/{{{_RECORDS}}}RegistroAlta"
        ):
            code, duplicate = self._judge(each, tax_id, now, orders, late=late)
            state = _state(code)
            new.append(_read(each, state, code, request_id, now))
            self._keep(new[-1])
            lines.append(_line(each, state, code, duplicate))
            states.append(state)
        with self._file.open("a") as file:
            file.writelines(json.dumps(asdict(each)) + "\n" for each in new)
        whole = states[0] if len(set(states)) == 1 and states[0] != _FLAWED else ""
        presented = (
            f"<r:CSV>A-{sha256(request_id.encode()).hexdigest()[:14].upper()}</r:CSV>"
            f"<r:DatosPresentacion><s:NIFPresentador>{tax_id}</s:NIFPresentador>"
            f"<s:TimestampPresentacion>{_local(now)}</s:TimestampPresentacion>"
            "</r:DatosPresentacion>"
        )
        cabecera = "".join(etree.tostring(each, encoding="unicode") for each in header)
        return _envelope(
            f'<r:RespuestaRegFactuSistemaFacturacion xmlns:r="{_ANSWER}" xmlns:s="{_RECORDS}">'
            f"{'' if whole == _REJECTED else presented}<r:Cabecera>{cabecera}</r:Cabecera>"
            f"<r:TiempoEsperaEnvio>{orders.wait_seconds}</r:TiempoEsperaEnvio>"
            f"<r:EstadoEnvio>{whole or 'ParcialmenteCorrecto'}</r:EstadoEnvio>{''.join(lines)}"
            "</r:RespuestaRegFactuSistemaFacturacion>"
        )

    def _judge(
        self, record: Any, tax_id: str, now: datetime, orders: Orders, *, late: bool
    ) -> tuple[int | None, Record | None]:
        """Return the code of what is wrong with a record, and its duplicate."""
        number, date = _key(record)[1:]
        issued = datetime.strptime(date, "%d-%m-%Y").date()  # noqa: DTZ007 - a date
        generated = datetime.fromisoformat(_text(record, "FechaHoraHusoGenRegistro"))
        before = self.kept.get(_key(record))
        replaces = _text(record, "Subsanacion") == "S" and _text(record, "RechazoPrevio") != "X"
        found = {
            1100: not all((leaf.text or "").strip() for leaf in record.iter() if not len(leaf)),
            1108: _key(record)[0] != tax_id,
            orders.reject.get(number): number in orders.reject,
            1112: issued > now.astimezone(_MADRID).date(),
            3000: before and not replaces,
            3002: replaces and not before,
            2000: _huella(record) != _text(record, "Huella"),
            2004: abs(now - generated) > PATIENCE and not late,
        }
        code = next((code for code, is_so in found.items() if is_so), self._link(record))
        return code, before if code == 3000 else None

    def _link(self, record: Any) -> int | None:
        """Return what is wrong with the place of a new record in its chain, if anything."""
        chain = _chain(record)
        if _text(record, "Huella") in self._seen.get(chain, ()):
            return None
        before = _text(record, "Encadenamiento/RegistroAnterior/Huella")
        if before == self._last.get(chain, ""):
            return None
        self.breaks.append(_text(record, "IDFactura/NumSerieFactura"))
        return 2003 if before else 2007

    def _keep(self, record: Record) -> None:
        """Keep what is known of a record that was judged."""
        seen = self._seen.setdefault(record.chain, set())
        if record.huella not in seen:
            seen.add(record.huella)
            self._last[record.chain] = record.huella
        if record.state != _REJECTED:
            self.kept[record.tax_id, record.number, record.date] = record

    def _remember(self) -> None:
        """Read what came before."""
        if self._file.exists():
            for line in self._file.read_text().splitlines():
                self._keep(Record(**json.loads(line)))

    # ---------------------------------------------------------------- queries

    def _answer_query(self, content: Any, tax_ids: Iterable[str]) -> str:
        self.queries += 1
        header, asked = (
            content.find(f"{{{_QUERY}}}Cabecera"),
            content.find(f"{{{_QUERY}}}FiltroConsulta"),
        )
        tax_id = _text(header, "ObligadoEmision/NIF")
        if tax_id not in tax_ids:
            raise Fault(4112, f"NIF:{tax_id}")
        year = _text(asked, "PeriodoImputacion/Ejercicio")
        month = _text(asked, "PeriodoImputacion/Periodo")
        found = [
            each
            for each in self.kept.values()
            if each.tax_id == tax_id
            and each.operation_date[3:] == f"{month}-{year}"
            and _is_asked_for(each, asked)
        ]
        after = _text(asked, "ClavePaginacion/NumSerieFactura")
        numbers = [each.number for each in found]
        page = found[numbers.index(after) + 1 if after else 0 :][:PAGE]
        more = bool(page) and page[-1] is not found[-1]
        next_page = f"<q:ClavePaginacion>{_id(page[-1])}</q:ClavePaginacion>" if more else ""
        cabecera = "".join(etree.tostring(each, encoding="unicode") for each in header)
        return _envelope(
            f'<q:RespuestaConsultaFactuSistemaFacturacion xmlns:q="{_QUERY_ANSWER}"'
            f' xmlns:s="{_RECORDS}"><q:Cabecera>{cabecera}</q:Cabecera><q:PeriodoImputacion>'
            f"<q:Ejercicio>{year}</q:Ejercicio><q:Periodo>{month}</q:Periodo>"
            f"</q:PeriodoImputacion><q:IndicadorPaginacion>{'S' if more else 'N'}"
            "</q:IndicadorPaginacion>"
            f"<q:ResultadoConsulta>{'ConDatos' if page else 'SinDatos'}</q:ResultadoConsulta>"
            f"{''.join(map(_found, page))}{next_page}</q:RespuestaConsultaFactuSistemaFacturacion>"
        )


class Server(ThreadingHTTPServer):
    """The service at an address."""

    daemon_threads = True

    def __init__(self, agency: TaxAgency, folder: Path, port: int = 0) -> None:
        self.agency = agency
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificates.server(folder))
        self._tls.load_verify_locations(certificates.authority(folder))
        self._tls.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Agree on TLS in the thread of the request."""
        request.settimeout(60)
        with self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, *_: Any) -> None:
        """Pass over a line that broke: a client that gave up, or has no certificate of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(*_)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a message."""
        agency = self.server.agency
        orders = agency.told()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tax_ids = _tax_ids(self.connection)
        time.sleep(orders.delay_seconds)
        if self.path != PATH:
            self._send(HTTPStatus.NOT_FOUND)
        elif orders.too_many:
            self._send(HTTPStatus.TOO_MANY_REQUESTS)
        elif orders.refuse_certificates or not tax_ids:
            self._send(HTTPStatus.FOUND, headers={"Location": REFUSED_AT})
        elif orders.hang_up:
            self.close_connection = True
        else:
            try:
                status, text = HTTPStatus.OK, agency.answer(body, tax_ids)
            except Fault as fault:
                status, text = HTTPStatus.INTERNAL_SERVER_ERROR, _fault(fault)
            self.close_connection = orders.lose_answers
            if not orders.lose_answers:
                self._send(status, text)

    def _send(
        self, status: HTTPStatus, text: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _tax_ids(connection: Any) -> list[str]:
    """Read the tax ids of the client's certificate; none where it sent no certificate."""
    subject = (connection.getpeercert() or {}).get("subject", ())
    said = [value for part in subject for name, value in part if "rganizationId" in name]
    return [value.removeprefix("VATES-") for value in said]


def _check_schema(content: Any, name: str) -> None:
    schema = get_schema(name)
    if not schema.validate(content):
        raise Fault(4102, str(schema.error_log[0].message))


def _read(record: Any, state: str, code: int | None, request_id: str, now: datetime) -> Record:
    tax_id, number, date = _key(record)
    return Record(
        chain=_chain(record),
        tax_id=tax_id,
        number=number,
        date=date,
        operation_date=_text(record, "FechaOperacion") or date,
        huella=_text(record, "Huella"),
        generated_at=_text(record, "FechaHoraHusoGenRegistro"),
        kind=_text(record, "TipoFactura"),
        total=_text(record, "ImporteTotal"),
        state=state,
        code=code,
        request_id=request_id,
        at=_local(now),
    )


def _state(code: int | None) -> str:
    if code is None:
        return _ACCEPTED
    return _FLAWED if 2000 <= code < 3000 else _REJECTED


def _huella(record: Any) -> str:
    """Compute the huella of a record from what is written in it."""
    read = {
        "IDEmisorFactura": "IDFactura/IDEmisorFactura",
        "NumSerieFactura": "IDFactura/NumSerieFactura",
        "FechaExpedicionFactura": "IDFactura/FechaExpedicionFactura",
        "TipoFactura": "TipoFactura",
        "CuotaTotal": "CuotaTotal",
        "ImporteTotal": "ImporteTotal",
        "Huella": "Encadenamiento/RegistroAnterior/Huella",
        "FechaHoraHusoGenRegistro": "FechaHoraHusoGenRegistro",
    }
    parts = (f"{name}={_text(record, path).strip(_TRIMMED)}" for name, path in read.items())
    return sha256("&".join(parts).encode()).hexdigest().upper()


def _chain(record: Any) -> str:
    system = "SistemaInformatico"
    names = ("NIF", "IDOtro/ID", "IdSistemaInformatico", "NumeroInstalacion")
    parts = [_text(record, f"{system}/{name}") for name in names]
    return "#".join([_text(record, "IDFactura/IDEmisorFactura"), *parts])


def _key(record: Any) -> tuple[str, str, str]:
    return (
        _text(record, "IDFactura/IDEmisorFactura"),
        _text(record, "IDFactura/NumSerieFactura"),
        _text(record, "IDFactura/FechaExpedicionFactura"),
    )


def _text(element: Any, path: str) -> str:
    """Read a text below an element; the names of a path are of any of the agency's schemas."""
    found = element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return "" if found is None else found.text or ""


def _is_asked_for(kept: Record, asked: Any) -> bool:
    number = _text(asked, "NumSerieFactura")
    dates = "FechaExpedicionFactura"
    day = _text(asked, f"{dates}/{dates}")
    first = _text(asked, f"{dates}/RangoFechaExpedicion/Desde")
    last = _text(asked, f"{dates}/RangoFechaExpedicion/Hasta")
    return (
        (not number or kept.number == number)
        and (not day or kept.date == day)
        and (not first or _sortable(first) <= _sortable(kept.date))
        and (not last or _sortable(kept.date) <= _sortable(last))
    )


def _sortable(date: str) -> str:
    return date[6:] + date[3:5] + date[:2]


def _line(record: Any, state: str, code: int | None, duplicate: Record | None) -> str:
    flags = "".join(
        f"<s:{name}>{_text(record, name)}</s:{name}>"
        for name in ("Subsanacion", "RechazoPrevio")
        if _text(record, name)
    )
    told = _ERRORS.get(code or 0, "Rechazado por orden de la prueba.")
    error = (
        f"<r:CodigoErrorRegistro>{code}</r:CodigoErrorRegistro>"
        f"<r:DescripcionErrorRegistro>{escape(told)}</r:DescripcionErrorRegistro>"
    )
    tax_id, number, date = _key(record)
    return (
        f"<r:RespuestaLinea><r:IDFactura>{_id_of(tax_id, number, date)}</r:IDFactura>"
        f"<r:Operacion><s:TipoOperacion>Alta</s:TipoOperacion>{flags}</r:Operacion>"
        f"<r:EstadoRegistro>{state}</r:EstadoRegistro>{error if code else ''}"
        f"{_duplicate(duplicate) if duplicate else ''}</r:RespuestaLinea>"
    )


def _duplicate(kept: Record) -> str:
    code = f"<s:CodigoErrorRegistro>{kept.code}</s:CodigoErrorRegistro>" if kept.code else ""
    return (
        "<r:RegistroDuplicado>"
        f"<s:IdPeticionRegistroDuplicado>{kept.request_id}</s:IdPeticionRegistroDuplicado>"
        f"<s:EstadoRegistroDuplicado>{_DUPLICATES[kept.state]}</s:EstadoRegistroDuplicado>"
        f"{code}</r:RegistroDuplicado>"
    )


def _found(kept: Record) -> str:
    code = f"<q:CodigoErrorRegistro>{kept.code}</q:CodigoErrorRegistro>" if kept.code else ""
    return (
        "<q:RegistroRespuestaConsultaFactuSistemaFacturacion>"
        f"<q:IDFactura>{_id(kept)}</q:IDFactura><q:DatosRegistroFacturacion>"
        f"<q:TipoFactura>{kept.kind}</q:TipoFactura><q:ImporteTotal>{kept.total}</q:ImporteTotal>"
        f"<q:FechaHoraHusoGenRegistro>{kept.generated_at}</q:FechaHoraHusoGenRegistro>"
        f"<q:Huella>{kept.huella}</q:Huella></q:DatosRegistroFacturacion><q:DatosPresentacion>"
        f"<s:NIFPresentador>{kept.tax_id}</s:NIFPresentador>"
        f"<s:TimestampPresentacion>{kept.at}</s:TimestampPresentacion>"
        f"<s:IdPeticion>{kept.request_id}</s:IdPeticion></q:DatosPresentacion><q:EstadoRegistro>"
        f"<q:TimestampUltimaModificacion>{kept.at}</q:TimestampUltimaModificacion>"
        f"<q:EstadoRegistro>{kept.state}</q:EstadoRegistro>{code}</q:EstadoRegistro>"
        "</q:RegistroRespuestaConsultaFactuSistemaFacturacion>"
    )


def _id(kept: Record) -> str:
    return _id_of(kept.tax_id, kept.number, kept.date)


def _id_of(tax_id: str, number: str, date: str) -> str:
    return (
        f"<s:IDEmisorFactura>{tax_id}</s:IDEmisorFactura>"
        f"<s:NumSerieFactura>{escape(number)}</s:NumSerieFactura>"
        f"<s:FechaExpedicionFactura>{date}</s:FechaExpedicionFactura>"
    )


def _fault(fault: Fault) -> str:
    return _envelope(
        f"<env:Fault><faultcode>env:{fault.by}</faultcode>"
        f"<faultstring>{escape(str(fault))}</faultstring></env:Fault>"
    )


def _envelope(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<env:Envelope xmlns:env="{_SOAP}"><env:Header/><env:Body>{body}</env:Body></env:Envelope>'
    )


def _local(instant: datetime) -> str:
    return instant.astimezone(_MADRID).isoformat(timespec="seconds")


def main() -> None:
    """Serve until the standard input ends."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = Server(TaxAgency(folder), folder, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
