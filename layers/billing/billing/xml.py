"""XML as EN 16931, Peppol and the tax agency want it: nothing empty, nothing XML cannot hold."""

import re
from decimal import Decimal
from xml.etree.ElementTree import Element, tostring

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def node(tag: str, *content: Element | str | None, **attributes: str) -> Element | None:
    """
    Create an element from text or elements; return None if it would be empty.

    Empty elements are against the rules of EN 16931, Peppol and the agency. Characters that XML
    cannot hold are replaced.
    """
    element = Element(tag, attributes)
    for part in content:
        if isinstance(part, str):
            element.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", part).strip()
        elif part is not None:
            element.append(part)
    return element if len(element) or element.text else None


def number(value: Decimal) -> str:
    """Write a number as XML wants it: no exponent, no grouping, no negative zero."""
    return f"{value if value else abs(value):f}"


def optional(value: Decimal | None) -> str | None:
    """Write a number that may be missing."""
    return None if value is None else number(value)


def document(tag: str, namespaces: dict[str, str], *content: Element | None) -> bytes:
    """Write a whole document; the namespaces are declared once, at its root."""
    root = Element(tag, namespaces)
    root.extend(part for part in content if part is not None)
    # By way of a string, since ElementTree is slow at writing bytes.
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
