"""HTML as a tree: whatever a text says, it is never markup."""

from xml.etree.ElementTree import Element, tostring

type Child = Element | str | None


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """
    Return an element with its children, elements and texts; None is no child.

    Attributes are written as Python can name them: `class_` is class, `aria_label` is aria-label.
    """
    made = Element(tag, {_name(name): value for name, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + child
        elif child is not None:
            made.text = (made.text or "") + child
    return made


def document(root: Element) -> str:
    """Write a whole document."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html")


def _name(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")
