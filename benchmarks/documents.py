"""
How long a PDF takes: the whole of it, typst alone, and WeasyPrint on the same content.

    pip install --group bench
    PYTHONPATH=.:layers/billing python -m benchmarks.documents

They take turns, every time with an invoice that was not seen before, so that what else the
machine does and what typst remembers count for all alike. Medians are told, and the targets.

WeasyPrint cuts fonts down to the characters used by HarfBuzz where the system has
libharfbuzz-subset, else by fontTools, which takes longer than all the rest of it: both are told.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html import escape
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import weasyprint
from weasyprint.pdf import fonts as weasyprint_fonts
from weasyprint.text.fonts import FontConfiguration

from billing.domain.invoices import IssuedInvoice
from functions.documents.pdf import render as documents
from tests.sample_invoices import TWELVE_LINES, many

REPO = Path(__file__).parents[1]
ROUNDS = 15
TYPST_ROUNDS_PER_ROUND = 3

FONTS = REPO / "functions" / "documents" / "pdf" / "fonts"
CSS = f"""
@font-face {{ font-family: Inter; src: url({(FONTS / "Inter-Regular.otf").as_uri()}) }}
@font-face {{ font-family: Inter; font-weight: 600;
              src: url({(FONTS / "Inter-SemiBold.otf").as_uri()}) }}
@page {{ size: A4; margin: 17mm 18mm 21mm;
        @bottom-left {{ content: string(imprint); font: 7pt Inter; color: #59636e; width: 80% }}
        @bottom-right {{ content: "Página " counter(page) " de " counter(pages);
                         font: 7pt Inter; color: #59636e }} }}
body {{ font: 9pt/1.3 Inter; color: #1b1f24; font-variant-numeric: tabular-nums }}
.imprint {{ string-set: imprint content(); height: 0; overflow: hidden }}
.beside {{ display: flex; justify-content: space-between; margin-bottom: 7mm }}
.beside > * {{ margin: 0; flex: 1 }} .right {{ text-align: right }}
h1 {{ font-size: 19pt; font-weight: 600; margin: 0 }} h2 {{ font-size: 10pt; margin: 0 }}
.seller b {{ font-size: 15pt; color: #0b5394 }} b, h2 {{ font-weight: 600 }}
.hero {{ background: #eef3f7; border-left: 2.5pt solid #0b5394; padding: 3.5mm 5mm }}
.hero b {{ font-size: 20pt; color: #0b5394 }} .hero .right b {{ font-size: 15pt; color: #1b1f24 }}
table {{ width: 100%; border-collapse: collapse }}
th {{ font-size: 7.5pt; font-weight: 600; color: #0b5394 }} tr {{ break-inside: avoid }}
td, th {{ text-align: right; padding: 1.7mm 2.5mm; border-bottom: 0.5pt solid #d8dee4 }}
td:first-child, th:first-child {{ text-align: left }}
small, dt {{ color: #59636e; font-size: 7.5pt }} dl {{ display: grid; grid: auto / 1fr 1fr }}
dd {{ margin: 0 }} .pay {{ border: 0.5pt solid #d8dee4; border-radius: 3pt; padding: 4mm }}
svg {{ width: 25mm }}
"""


def main() -> None:
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    numbers = count(1)

    def fresh(invoice: IssuedInvoice = TWELVE_LINES) -> IssuedInvoice:
        number = f"F2026-{next(numbers):06}"
        return replace(invoice, number=number, description=f"Servicios, {number}")

    html = _html_renderer()
    documents.render(fresh())
    html(fresh())

    whole, alone, by_harfbuzz, by_fonttools = [], [], [], []
    for _ in range(ROUNDS):
        for _ in range(TYPST_ROUNDS_PER_ROUND):
            whole.append(_seconds(documents.render, fresh()))
            invoice = fresh()
            inputs = documents.inputs(invoice)
            alone.append(_seconds(documents.typeset, inputs, invoice))
        if harfbuzz := weasyprint_fonts.harfbuzz_subset:
            by_harfbuzz.append(_seconds(html, fresh()))
        weasyprint_fonts.harfbuzz_subset = None
        by_fonttools.append(_seconds(html, fresh()))
        weasyprint_fonts.harfbuzz_subset = harfbuzz

    ratio = median(whole) / median(alone)
    print("12 lines, warm")
    _tell("whole document: XML, PDF, XMP", median(whole))
    _tell("typst alone", median(alone), f"whole is {ratio:.2f} times it; target: up to 1.5")
    for name, seconds in (("HarfBuzz", by_harfbuzz), ("fontTools", by_fonttools)):
        if seconds:
            times = median(seconds) / median(whole)
            _tell(f"WeasyPrint, {name}", median(seconds), f"{times:.0f} times whole; target: 40")
    print("12 lines, cold: a new process, imports included")
    _tell("whole document", median(_cold() for _ in range(5)))
    print("1,000 lines")
    _tell("whole document", _seconds(documents.render, many(1000)))
    print(f"  {'memory of the process':30}{_peak_of_a_thousand_lines():8.0f} MB   target: 1024")


def _tell(what: str, seconds: float, compared: str = "") -> None:
    print(f"  {what:30}{seconds * 1e3:8.1f} ms   {compared}".rstrip())


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    began = perf_counter()
    work(*arguments)
    return perf_counter() - began


def _in_a_new_process(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPO, check=True, capture_output=True, text=True
    )
    return done.stdout


def _cold() -> float:
    return _seconds(
        _in_a_new_process,
        "from functions.documents.pdf.render import render;"
        "from tests.sample_invoices import TWELVE_LINES; render(TWELVE_LINES)",
    )


def _peak_of_a_thousand_lines() -> float:
    kilobytes = _in_a_new_process(
        "import resource; from functions.documents.pdf.render import render;"
        "from tests.sample_invoices import many; render(many(1000));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    return int(kilobytes) / (1024 if sys.platform == "linux" else 1024**2)


def _html_renderer() -> Callable[[IssuedInvoice], bytes]:
    """Render by WeasyPrint, with all loaded beforehand that can be."""
    fonts = FontConfiguration()
    css = weasyprint.CSS(string=CSS, font_config=fonts)

    def render(invoice: IssuedInvoice) -> bytes:
        inputs = documents.inputs(invoice)
        attachment = weasyprint.Attachment(string=inputs["factur_x"], name="factur-x.xml")
        pdf: bytes = weasyprint.HTML(string=_html(json.loads(inputs["document"]))).write_pdf(
            stylesheets=[css],
            font_config=fonts,
            pdf_variant="pdf/a-3a",
            attachments=[attachment],
        )
        return pdf

    return render


def _html(view: dict[str, Any]) -> str:
    """Lay out the same content: see invoice.typ."""
    seller, buyer, payment = view["seller"], view["buyer"], view["payment"]

    def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
        heads = "".join(f"<th>{name}</th>" for name in head)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"

    def facts(*pairs: tuple[str, str | None]) -> str:
        return "<dl>" + "".join(f"<dt>{n}</dt><dd>{v}</dd>" for n, v in pairs if v) + "</dl>"

    def text(*lines: str | None) -> str:
        return "<br>".join(escape(line) for line in lines if line)

    lines = [
        (
            f"{escape(line['description'])}<br><small>"
            f"{text(line['remarks'], line['period'], line['order'], line['setup'])}</small>",
            *(escape(line[key]) for key in ("quantity", "price", "tax", "net")),
        )
        for line in view["lines"]
    ]
    taxes = [tuple(escape(tax[key]) for key in ("name", "net", "amount")) for tax in view["taxes"]]
    return f"""<html lang="es"><title>Factura {view["number"]}</title>
        <div class="imprint">{text(seller["name"])} · NIF {seller["tax_id"]} ·
          {" · ".join(map(escape, seller["contact"]))}</div>
        <div class="beside">
          <p class="seller"><b>{text(seller["name"])}</b><br>
            <small>{text(*seller["address"], "NIF: " + seller["tax_id"])}</small></p>
          <div class="right"><h1>Factura</h1>{view["number"]}</div></div>
        <div class="beside">
          <p><small>Cliente</small><br><b>{text(buyer["name"])}</b><br>{text(*buyer["address"])}<br>
            {text("A la atención de " + buyer["contact"], "NIF: " + buyer["tax_id"])}</p>
          {
        facts(
            ("Fecha de expedición", view["issue_date"]),
            ("Periodo facturado", view["period"]),
            ("N.º de cliente", buyer["id"]),
        )
    }</div>
        <div class="beside hero"><p><small>Total a pagar</small><br><b>{view["total"]}</b></p>
          <p class="right"><small>Vencimiento</small><br><b>{view["due_date"]}</b></p></div>
        <p><b>{text(view["note"])}</b></p>
        {table(("Descripción", "Cantidad", "Precio", "Impuesto", "Importe (EUR)"), lines)}
        <div class="beside">
          {table(("Impuesto", "Base imponible", "Importe"), taxes)}
          {
        facts(
            ("Base imponible", view["net"]),
            ("Total impuestos", view["tax"]),
            ("Total", view["total"]),
        )
    }</div>
        <div class="beside pay"><div><h2>Forma de pago</h2>
          <small>Transferencia bancaria, indicando la referencia</small>
          {
        facts(
            ("Titular", text(seller["name"])),
            ("IBAN", payment["iban"]),
            ("BIC", payment["bic"]),
            ("Referencia", view["number"]),
        )
    }</div>
          <div class="right">{payment["qr"]}<br>
          <small>Escanéelo con la aplicación de su banco</small></div></div>"""


if __name__ == "__main__":
    main()
