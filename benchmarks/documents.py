"""
PDFs: the whole of one, typst's part of it, and WeasyPrint on the same content.

It prints its section, in a process that has WeasyPrint on its path. Each PDF is that of an invoice
that was not seen before, so that what typst remembers counts for none. WeasyPrint cuts fonts down
to the characters used by HarfBuzz where the system has libharfbuzz-subset, else by fontTools, which
takes longer than all the rest of it: both are shown.
"""

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jinja2
import weasyprint
from weasyprint.pdf import fonts as weasyprint_fonts
from weasyprint.text.fonts import FontConfiguration

from benchmarks.figures import Figure, in_turns, milliseconds, ratio, table
from billing.domain.invoices import IssuedInvoice
from functions.documents.pdf.render import inputs, render, typeset
from functions.documents.pdf.view import view
from local.stack import ROOT
from tests.sample_invoices import TWELVE_LINES, many

FONTS = next((ROOT / "functions" / "documents").rglob("Inter-Regular.otf")).parent
HTML, CSS = (Path(__file__).with_name(f"invoice.{kind}").read_text() for kind in ("html", "css"))
"""The same invoice, laid out like ours."""
PAGE = jinja2.Template(HTML)
CONFIGURED = FontConfiguration()
STYLE = weasyprint.CSS(string=CSS, font_config=CONFIGURED, base_url=f"{FONTS}/")
HARFBUZZ = weasyprint_fonts.harfbuzz_subset
ROUNDS = 15
NUMBERS = (f"F2026-{number:06}" for number in count(1))
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


class Time(NamedTuple):
    wall: float


def main() -> None:
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    subsets = {"HarfBuzz": HARFBUZZ, "fontTools": None} if HARFBUZZ else {"fontTools": None}
    weasy = (partial(_weasyprint, subset) for subset in subsets.values())
    steps: list[Callable[[], Time]] = [_whole, _typst, *weasy]
    whole, typst, *others = in_turns(steps, ROUNDS)
    [cold] = in_turns([lambda: _timed(_new_process, "render(TWELVE_LINES)")], 5)
    of_typst = ratio(whole, typst, "wall")
    kilobytes = int(_new_process(f"render(many(1000)); {PEAK}"))
    memory = Figure.of([kilobytes / (1024 if sys.platform == "linux" else 1024**2)])
    rows = [
        ["12 lines, warm: XML, PDF, XMP", _ms(whole), "", ""],
        ["of it typst", _ms(typst), f"whole / it {of_typst.text()}", of_typst.verdict(1.3)],
    ]
    for name, times in zip(subsets, others, strict=True):
        slower = ratio(times, whole, "wall")
        verdict = slower.verdict(40, at_least=True)
        rows.append([f"WeasyPrint, {name}", _ms(times), f"it / whole {slower.text()}", verdict])
    rows += [
        ["12 lines, cold: a new process, imports included", _ms(cold), "", ""],
        ["1,000 lines", _ms([_timed(render, many(1000))]), "", ""],
        ["memory of its process", f"{memory.median:.0f} MB", "", memory.verdict(1024)],
    ]
    print("## Documents\n\n" + table(["a PDF", "", "beside", "goal"], rows))


_ms = partial(milliseconds, what="wall", digits=1)


def _timed(work: Callable[..., object], *arguments: Any) -> Time:
    began = perf_counter()
    work(*arguments)
    return Time((perf_counter() - began) * 1e3)


def _unseen() -> IssuedInvoice:
    number = next(NUMBERS)
    return replace(TWELVE_LINES, number=number, description=f"Servicios, {number}")


def _whole() -> Time:
    return _timed(render, _unseen())


def _typst() -> Time:
    invoice = _unseen()
    return _timed(typeset, inputs(invoice), invoice)


def _weasyprint(subset: Any) -> Time:
    weasyprint_fonts.harfbuzz_subset = subset
    invoice = _unseen()
    html, xml = PAGE.render(view(invoice)), inputs(invoice)["factur_x"]
    attached = [weasyprint.Attachment(string=xml, name="factur-x.xml")]
    options = {"stylesheets": [STYLE], "font_config": CONFIGURED, "pdf_variant": "pdf/a-3a"}
    return _timed(lambda: weasyprint.HTML(string=html).write_pdf(attachments=attached, **options))


def _new_process(script: str) -> str:
    imports = f"from {render.__module__} import render; from tests.sample_invoices import *; "
    command = [sys.executable, "-c", imports + script]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
