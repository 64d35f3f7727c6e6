"""Every command of the pages for operators can be typed: its syntax, and all that it names."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name

from billing_cli.__main__ import cli
from local.stack import ROOT
from tests import template

RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = [
    *sorted(RUNBOOKS.glob("*.md")),
    ROOT / "docs" / "deploy.md",
    ROOT / "docs" / "upgrading.md",
]
FOR_ALL_CALLS = {"output", "query", "region", "no-paginate", "max-items", "cli-input-json"}
TRANSFERS = {"s3"}
"""Commands of the AWS CLI that are no operation of a service."""
SERVICES = {"s3api": "s3"}
"""What the AWS CLI calls otherwise."""
FENCED = re.compile(r"^ *```(?:sh|bash)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4,}).*\n)+", re.MULTILINE)
INLINE = re.compile(r"`((?:aws|billing) [^`]+)`", re.DOTALL)
SET_BEFORE = {"TOKEN", "1", "@"}
"""Variables that the pages tell the reader to have, or that belong to the shell."""


def blocks(page: Path) -> Iterator[str]:
    """Yield what is to be typed, as it stands in fences, indented, or within a line."""
    text = page.read_text()
    yield from (match[1] for match in FENCED.finditer(text))
    rest = FENCED.sub("", text)
    yield from (match[0] for match in INDENTED.finditer(rest) if "aws " in match[0])
    yield from (" ".join(match[1].split()) for match in INLINE.finditer(INDENTED.sub("\n", rest)))


def commands(program: str) -> list[pytest.param]:  # type: ignore[valid-type]
    found = []
    for page in PAGES:
        for block in blocks(page):
            joined = re.sub(r"\\\n\s*", " ", block)
            for match in re.finditer(
                rf"(?<![\w./'-]){program} ((?:'[^']*'|\"[^\"]*\"|[^\n'\"])*)", joined
            ):
                words = _words(match[1])
                if words and "…" not in words:
                    found.append(pytest.param(words, id=f"{page.stem}: {' '.join(words[:2])}"))
    return found


def _words(text: str) -> list[str]:
    """Split a command up to where the next one begins."""
    text = re.sub(r"\$\(id ([^)]*)\)", r"id:\1", text)
    text = re.sub(r"\$\([^)]*\)", "0", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|)")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = []
    for word in lexer:
        if set(word) <= set(";&|)"):
            break
        words.append(word)
    return words


AWS = commands("aws")


@pytest.fixture(scope="module")
def session() -> botocore.session.Session:
    return botocore.session.get_session()


@pytest.mark.parametrize("words", AWS)
def test_aws_has_the_operation_and_its_options(
    words: list[str], session: botocore.session.Session
) -> None:
    service, operation, *rest = words
    if service in TRANSFERS:
        assert operation == "sync"
        return
    if operation == "wait":
        waiter, *rest = rest
        model = session.get_waiter_model(service)
        name = next(name for name in model.waiter_names if xform_name(name, "-") == waiter)
        operation = xform_name(model.get_waiter(name).operation, "-")
    described = session.get_service_model(SERVICES.get(service, service))
    by_name = {xform_name(name, "-"): name for name in described.operation_names}
    assert operation in by_name, f"aws {service} has no {operation}"
    shape = described.operation_model(by_name[operation]).input_shape
    known = {xform_name(name, "-") for name in shape.members} if shape else set()
    options = {word[2:].partition("=")[0] for word in rest if word.startswith("--")}
    unknown = options - known - {f"no-{name}" for name in known} - FOR_ALL_CALLS
    assert not unknown, f"aws {service} {operation} has no {unknown}"
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    assert required <= options | {name.removeprefix("no-") for name in options}


@pytest.mark.parametrize("words", commands("billing"))
def test_billing_has_the_command_and_its_options(words: list[str]) -> None:
    command: click.Command = cli
    rest = [word for word in words if word != "--stack"]
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        assert name in command.commands, f"billing has no {name}"
        command = command.commands[name]
    known = {option for each in command.params for option in each.opts}
    assert {word for word in rest if word.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_shell_takes_every_block(page: Path) -> None:
    for block in blocks(page):
        if "aws " in block:
            shell = subprocess.run(["bash", "-n", "-c", block], capture_output=True, check=False)
            assert shell.returncode == 0, f"{block}\n{shell.stderr.decode()}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_is_one_of_the_template(page: Path) -> None:
    resources = template.resources().keys()
    for block in blocks(page):
        loops = dict(re.findall(r"for (\w+) in ([\w ]+)", block))
        for named in re.findall(r"(?<!\w)id (\$?\{?\w+\}?\w*)\)", block):
            names = [named]
            if variable := re.match(r"\$\{(\w+)\}", named):
                names = [named.replace(variable[0], value) for value in loops[variable[1]].split()]
            assert set(names) <= resources, page


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_every_variable_is_set_before(page: Path) -> None:
    set_first = (RUNBOOKS / "README.md").read_text()
    text = "\n".join(blocks(page))
    known = set(re.findall(r"(?<![\w-])(\w+)=", set_first + text)) | SET_BEFORE
    known |= set(re.findall(r"for (\w+) in", text))

    used = set(re.findall(r"\$\{?(\w+|@)\}?", re.sub(r"'[^']*'", "", text)))

    assert used <= known
