"""Factur-X: the metadata (XMP) of a PDF about the invoice inside."""

import re

_FACTUR_X = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded Factur-X data"),
    "DocumentFileName": ("factur-x.xml", "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document"),
    "Version": ("1.0", "The version of the standard that the embedded XML follows"),
}
_VALUES = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_FACTUR_X}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    + "</rdf:Description>"
).encode()
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_FACTUR_X}</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{description}</pdfaProperty:description>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name, (_, description) in _PROPERTIES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
).encode()
_METADATA = re.compile(rb"<</Length (\d+)/Type/Metadata/Subtype/XML>>\nstream\n")
_IN_USE = re.compile(rb"^(\d{10})(?= \d{5} n)", re.MULTILINE)


def declare_factur_x(pdf: bytes) -> bytes:
    """
    Return a PDF whose metadata says that it holds a Factur-X invoice.

    Typst attaches the XML but cannot write this. The stream grows, and every offset behind it
    in the cross-reference table moves by as much.
    """
    *_, header = _METADATA.finditer(pdf)
    end = header.end() + int(header[1])
    schemas, close = b"</rdf:Bag></pdfaExtension:schemas>", b"</rdf:RDF>"
    old = pdf[header.end() : end]
    if old.count(schemas) != 1 or old.count(close) != 1:
        raise ValueError("typst writes its metadata in another way than it used to")
    new = old.replace(schemas, _SCHEMA + schemas).replace(close, _VALUES + close)
    stream = header[0].replace(header[1], b"%d" % len(new)) + new
    moved = len(stream) - (end - header.start())

    body, _, start = pdf[end:].rpartition(b"startxref\n")
    table = int(start.split()[0])
    objects, entries = body[: table - end], body[table - end :]
    entries = _IN_USE.sub(
        lambda entry: b"%010d" % (int(entry[1]) + (moved if int(entry[1]) > end else 0)), entries
    )
    return b"".join(
        (
            pdf[: header.start()],
            stream,
            objects,
            entries,
            b"startxref\n%d\n%%%%EOF" % (table + moved),
        )
    )
