"""
How long a PDF takes: the whole of it, typst's part of that, and WeasyPrint on the same content.

    pip install --group bench
    PYTHONPATH=.:layers/billing python -m benchmarks.documents

They take turns, every time with an invoice that was not seen before, so that what else the machine
does and what typst remembers count for all alike. What is printed are medians, and the goals.

WeasyPrint cuts fonts down to the characters used by HarfBuzz where the system has
libharfbuzz-subset, else by fontTools, which takes longer than all the rest of it: both are shown.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from string import Template
from time import perf_counter
from typing import Any

import typst
import weasyprint
from weasyprint.pdf import fonts as weasyprint_fonts
from weasyprint.text.fonts import FontConfiguration

from functions.documents.pdf.render import render
from tests.sample_invoices import TWELVE_LINES, many

REPO = Path(__file__).parents[1]
FONTS = next((REPO / "functions" / "documents").rglob("Inter-Regular.otf")).parent
HTML, CSS = (Path(__file__).with_name(f"invoice.{kind}").read_text() for kind in ("html", "css"))
"""The invoice of twelve lines, laid out like ours."""
XML = json.loads((REPO / "events" / "answers" / "invoices_e_invoice.json").read_text())["body"]
ROUNDS = 15
ROUNDS_OF_OURS = 3
"""Of ours, for each of WeasyPrint's."""
IMPORTS = f"from {render.__module__} import render; from tests.sample_invoices import *; "


class Compiler:
    """Typst's compiler, watched."""

    seconds = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._compiler = COMPILER(*arguments, **options)

    def compile(self, *arguments: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            return self._compiler.compile(*arguments, **options)
        finally:
            Compiler.seconds = perf_counter() - began


COMPILER = typst.Compiler
typst.Compiler = Compiler  # type: ignore[assignment,misc]


def main() -> None:
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
    numbers = (f"F2026-{number:06}" for number in count(1))
    fonts, html = FontConfiguration(), Template(HTML)
    css = weasyprint.CSS(string=CSS, font_config=fonts, base_url=f"{FONTS}/")

    def ours() -> None:
        number = next(numbers)
        render(replace(TWELVE_LINES, number=number, description=f"Servicios, {number}"))

    def weasy() -> None:
        weasyprint.HTML(string=html.substitute(number=next(numbers))).write_pdf(
            stylesheets=[css],
            font_config=fonts,
            pdf_variant="pdf/a-3a",
            attachments=[weasyprint.Attachment(string=XML, name="factur-x.xml")],
        )

    ours()
    weasy()
    whole, alone, by_harfbuzz, by_fonttools = [], [], [], []
    for _ in range(ROUNDS):
        for _ in range(ROUNDS_OF_OURS):
            whole.append(_seconds(ours))
            alone.append(Compiler.seconds)
        if harfbuzz := weasyprint_fonts.harfbuzz_subset:
            by_harfbuzz.append(_seconds(weasy))
        weasyprint_fonts.harfbuzz_subset = None
        by_fonttools.append(_seconds(weasy))
        weasyprint_fonts.harfbuzz_subset = harfbuzz

    times = median(whole) / median(alone)
    print("12 lines, warm")
    _show("whole document: XML, PDF, XMP", median(whole))
    _show("typst alone", median(alone), f"whole is {times:.2f} times it; target: up to 1.5")
    for name, seconds in (("HarfBuzz", by_harfbuzz), ("fontTools", by_fonttools)):
        if seconds:
            times = median(seconds) / median(whole)
            _show(f"WeasyPrint, {name}", median(seconds), f"{times:.0f} times whole; target: 40")
    print("12 lines, cold: a new process, imports included")
    cold = [_seconds(lambda: _new_process("render(TWELVE_LINES)")) for _ in range(5)]
    _show("whole document", median(cold))
    print("1,000 lines")
    _show("whole document", _seconds(lambda: render(many(1000))))
    peak = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    kilobytes = int(_new_process(f"import resource; render(many(1000)); print({peak})"))
    megabytes = kilobytes / (1024 if sys.platform == "linux" else 1024**2)
    print(f"  {'memory of the process':30}{megabytes:8.0f} MB   target: 1024")


def _show(what: str, seconds: float, compared: str = "") -> None:
    print(f"  {what:30}{seconds * 1e3:8.1f} ms   {compared}".rstrip())


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _new_process(script: str) -> str:
    command = [sys.executable, "-c", IMPORTS + script]
    return subprocess.run(command, cwd=REPO, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
