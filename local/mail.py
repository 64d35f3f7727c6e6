"""
The local mailbox: every mail that was sent, as a file that any mail program opens.

    make mail        list the mails, newest last, and show the last one
    make mail N=3    show the third one

What a mail shows and has attached is written beside it, so that a browser opens it.
"""

from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path

ENVELOPE = "X-Envelope-To"
"""The header that a mail gets here: whom SES was told to send it to."""


def files(folder: Path) -> list[Path]:
    """List the mails of a mailbox, oldest first."""
    return sorted(folder.glob("*.eml"))


def read(file: Path) -> EmailMessage:
    """Read a mail."""
    with file.open("rb") as content:
        message: EmailMessage = BytesParser(policy=SMTP).parse(content)
    return message


def listed(folder: Path) -> Iterator[str]:
    """Write a line for each mail."""
    for number, file in enumerate(files(folder), 1):
        message = read(file)
        yield f"{number:>4}  {message[ENVELOPE]}  {message['Subject']}"


def shown(file: Path) -> Iterator[str]:
    """Write the headers and the text of a mail, and where its HTML and what is attached stand."""
    message = read(file)
    for name in ("From", "To", ENVELOPE, "Reply-To", "Subject"):
        if name in message:
            yield f"{name}: {message[name]}"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    if text:
        yield ""
        yield text.get_content()
    parts = [("mail.html", html.get_content().encode())] if html else []
    for each in message.iter_attachments():
        parts.append((Path(each.get_filename() or "attached").name, each.get_content()))
    folder = file.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, content in parts:
        (folder / name).write_bytes(content)
        yield str(folder / name)
