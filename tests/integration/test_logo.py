"""The logo of an org: stored by its hash, printed on what is issued from then on."""

import base64
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pypdf import PdfReader

from billing.adapters.documents import DocumentStore
from billing.domain.logos import MAX_BYTES, MAX_PIXELS
from billing.persistence.orgs import OrgRepository
from tests.integration.conftest import Answer, Invoker

PUT, GET, DELETE = (f"billing_info_{verb}_logo" for verb in ("put", "get", "delete"))
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10">'
    '<path fill="#0b5394" d="M0 0h40v10H0z"/></svg>'
)
RED = SVG.replace("#0b5394", "#cc0000")


def put(invoke: Invoker, content: bytes | str, type_: str = "image/svg+xml", **more: Any) -> Answer:
    content = content.encode() if isinstance(content, str) else content
    return invoke(PUT, base64.b64encode(content).decode(), headers={"content-type": type_}, **more)


def png(
    width: int = 4,
    height: int = 2,
    depth: int = 8,
    colour: int = 2,
    rows: bytes | None = None,
    *parts: bytes,
) -> bytes:
    pixels = rows if rows is not None else (b"\0" + b"\x0b\x53\x94" * width) * height
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [part(b"IHDR", header), *parts, part(b"IDAT", zlib.compress(pixels)), part(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def part(kind: bytes, data: bytes = b"") -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


@pytest.mark.parametrize(
    ("content", "type_"), [(SVG.encode(), "image/svg+xml"), (png(), "image/png")]
)
def test_a_logo_is_given_back_as_it_was_sent(billed: Invoker, content: bytes, type_: str) -> None:
    assert billed(GET).status == 404
    assert put(billed, content, type_).status == 204

    answer = billed(GET)
    again = billed(GET, headers={"if-none-match": answer.headers["etag"]})
    assert (answer.status, answer.headers["content-type"]) == (200, type_)
    assert answer.content == content
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (again.status, again.content) == (304, b"")

    assert [billed(DELETE).status for _ in range(2)] == [204, 204]
    assert billed(GET).status == 404


def test_a_gateway_may_hand_over_an_svg_as_text(billed: Invoker) -> None:
    event = billed.event(PUT)
    event |= {"body": SVG.replace("<path", "<desc>Ñandú</desc><path"), "isBase64Encoded": False}

    assert billed.call("billing_info", event).status == 204
    assert "Ñandú" in billed(GET).content.decode()


def test_an_org_without_a_profile_has_no_logo(invoke: Invoker) -> None:
    assert [invoke(each).status for each in (PUT, GET, DELETE)] == [404, 404, 404]


def test_the_profile_keeps_its_logo_and_does_not_show_it(billed: Invoker) -> None:
    before = billed("billing_info_get_org")
    put(billed, SVG)

    shown = billed("billing_info_get_org")
    kept = billed("billing_info_put_org", shown.json)
    changed = billed("billing_info_put_org", {"email": "other@example.com"})

    assert shown.json == before.json
    assert shown.headers["etag"] == kept.headers["etag"] == '"2"'
    assert changed.headers["etag"] == '"3"'
    assert billed(GET).content == SVG.encode()


def test_the_same_logo_again_changes_nothing(billed: Invoker) -> None:
    for _ in range(2):
        assert put(billed, SVG).status == 204

    assert billed("billing_info_get_org").headers["etag"] == '"2"'


def test_a_document_keeps_the_logo_it_was_issued_with(billed: Invoker) -> None:
    put(billed, SVG)
    with_blue = _issue(billed, "a")
    put(billed, RED)
    with_red = _issue(billed, "b")
    billed(DELETE)
    without = _issue(billed, "c")

    pdfs = [_pdf(billed, each) for each in (with_blue, with_red, without)]

    assert [_alternatives(pdf) for pdf in pdfs] == [
        {"Logotipo de Telco Ejemplo S.A."}, {"Logotipo de Telco Ejemplo S.A."}, set()
    ]  # fmt: skip
    assert [b"0.8 0 0 scn" in _drawn(pdf) for pdf in pdfs] == [False, True, False]


def _issue(billed: Invoker, name: str) -> str:
    answer = billed("invoices_create", {"external_invoice_unique_id": name})
    assert answer.status == 201
    return str(answer.json["id"])


def _pdf(billed: Invoker, invoice: str) -> bytes:
    answer = billed("invoices_get_pdf", invoiceId=invoice)
    assert answer.status == 200
    return answer.content


def _alternatives(pdf: bytes) -> set[str]:
    """Return what stands for the logo in the structure of a PDF."""
    reader = PdfReader(BytesIO(pdf))
    objects: list[Any] = [reader.get_object(n) for n in range(1, len(reader.xref[0]) + 1)]
    texts = {str(each["/Alt"]) for each in objects if isinstance(each, dict) and "/Alt" in each}
    return {text for text in texts if text.startswith("Logo")}


def _drawn(pdf: bytes) -> bytes:
    contents: Any = PdfReader(BytesIO(pdf)).pages[0].get_contents()
    return bytes(contents.get_data())


def test_a_logo_of_another_org_is_not_reached(billed: Invoker) -> None:
    put(billed, SVG)
    other = Invoker(f"{billed.org_id}-2")
    assert other("billing_info_put_org").status == 204

    logo, _ = OrgRepository().get(billed.org_id)

    assert other(GET).status == 404
    assert other(GET, caller={"org_id": billed.org_id}).status == 403
    assert logo.logo is not None
    with pytest.raises(ClientError):
        DocumentStore().get_logo(other.org_id, logo.logo)


def test_a_profile_and_a_logo_written_at_once_are_both_kept(billed: Invoker) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = [
            *pool.map(lambda n: billed("billing_info_put_org", {"phone": f"+34 {n}"}), range(4)),
            *pool.map(lambda text: put(billed, text), [SVG, RED, SVG, RED]),
        ]

    assert {answer.status for answer in written} == {204}
    assert billed("billing_info_get_org").json["phone"].startswith("+34")
    assert billed(GET).content in (SVG.encode(), RED.encode())


def test_costs_no_more_calls_than_promised(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    calls = {}
    aws_calls()

    for name, event in {"put": PUT, "put again": PUT, "get": GET, "delete": DELETE}.items():
        assert billed(event).status in (200, 204)
        calls[name] = aws_calls()

    assert calls == {
        "put": ["GetItem", "PutObject", "TransactWriteItems"],
        "put again": ["GetItem"],
        "get": ["GetItem", "GetObject"],
        "delete": ["GetItem", "TransactWriteItems"],
    }


WRONG = {
    "nothing": (b"", "must be a PNG or an SVG; line 1 is not XML"),
    "another picture": (b"GIF89a\x01\x00\x01\x00", "must be a PNG or an SVG; line 1 is not XML"),
    "another encoding": (SVG.encode("utf-16"), "must be a PNG, or an SVG in UTF-8"),
    "another kind of XML": (b"<html/>", "must be a PNG or an SVG"),
    "a script": (
        SVG.replace("<path", "<script>alert(1)</script><path").encode(),
        "must consist of shapes, without <script>; letters can be made paths",
    ),
    "letters": (
        SVG.replace("<path", "<text>Telco</text><path").encode(),
        "must consist of shapes, without <text>; letters can be made paths",
    ),
    "something that is no drawing": (
        SVG.replace("<path", '<a xmlns="http://www.w3.org/1999/xhtml"/><path').encode(),
        "must consist of shapes, without <a>; letters can be made paths",
    ),
    "an event": (
        SVG.replace("<path", '<path onclick="alert(1)"').encode(),
        "must have no scripts, such as onclick",
    ),
    "a reference to elsewhere": (
        SVG.replace("#0b5394", "url(https://example.com/a.svg#b)").encode(),
        "must refer to nothing outside of itself, as fill does",
    ),
    "a link to elsewhere": (
        SVG.replace("<path", '<linearGradient href="b.svg#c"/><path').encode(),
        "must refer to nothing outside of itself, as href does",
    ),
    "a style of elsewhere": (
        SVG.replace("<path", "<style>@import 'b.css';</style><path").encode(),
        "must refer to nothing outside of itself, as <style> does",
    ),
    "an entity": (
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.encode(),
        "must have no document type, entities or processing instructions",
    ),
    "no size": (
        SVG.replace("viewBox", "box").encode(),
        "must have a width and a height, or a viewBox, of 1 to 10,000 pixels",
    ),
    "a line": (
        SVG.replace("40 10", "400 10").encode(),
        "must have no side that is 20 times as long as the other",
    ),
    "shapes without end": (
        SVG.replace("<path", "<g>" * 30 + "</g>" * 30 + "<path").encode(),
        "must have at most 2000 shapes, 30 in each other",
    ),
    "half a PNG": (png()[:-20], "is a PNG that ends too early"),
    "a damaged PNG": (png().replace(b"IDAT", b"IDaT"), "is a PNG with a damaged part"),
    "a PNG without an end": (png()[:-12], "is a PNG without its header or its end"),
    "a PNG of a kind that is none": (png(depth=3), "is a PNG of a kind that does not exist"),
    "a PNG of too few pixels": (png(rows=b"\0" * 5), "is a PNG with too few or too many pixels"),
    "a PNG of too many pixels": (png(rows=b"\0" * 99), "is a PNG with too few or too many pixels"),
    "a PNG with a filter that is none": (png(rows=b"\7" * 26), "is a PNG with damaged pixels"),
    "a PNG without its palette": (
        png(colour=3, rows=b"\0" * 10),
        "is a PNG without its palette, or with one too many",
    ),
    "too wide a PNG": (
        png(width=MAX_PIXELS + 1, rows=b""),
        f"must have at most {MAX_PIXELS} × {MAX_PIXELS} pixels, not {MAX_PIXELS + 1} × 2",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_could_not_be_printed_for_good_is_refused(
    billed: Invoker, content: bytes, message: str
) -> None:
    answer = put(billed, content)

    assert answer.status == 400
    assert answer.json["details"] == [{"field": "body", "message": message}]
    assert billed(GET).status == 404


def test_a_picture_that_unpacks_to_far_more_is_refused_before_it_does(billed: Invoker) -> None:
    bomb = png(rows=bytes(50_000_000))

    assert len(bomb) < MAX_BYTES
    assert put(billed, bomb, "image/png").status == 400


def test_more_than_100_kb_is_413(billed: Invoker) -> None:
    just = SVG.replace("<path", "<desc>" + "x" * (MAX_BYTES - len(SVG) - 13) + "</desc><path")

    assert len(just) == MAX_BYTES
    assert put(billed, just).status == 204
    assert put(billed, just.replace("xx", "xxx", 1)).status == 413


@pytest.mark.parametrize("type_", ["application/json", "text/plain", "image/jpeg", ""])
def test_a_file_says_what_it_is(billed: Invoker, type_: str) -> None:
    answer = put(billed, SVG, type_)

    assert answer.status == 400
    assert answer.json["details"] == [
        {"field": "content-type", "message": "must be image/png or image/svg+xml"}
    ]
