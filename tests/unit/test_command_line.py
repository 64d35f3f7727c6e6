"""The page of the command line says what the commands say, and each command finds its stack."""

from collections.abc import Iterator

import click

from billing_cli.__main__ import cli
from billing_cli.stack import StackCommand
from tools import command_line


def test_the_page_is_written_from_the_commands() -> None:
    assert command_line.page() == command_line.PAGE.read_text(), "run `make docs`"


def test_each_command_finds_its_stack() -> None:
    commands = list(_commands(cli))

    assert len(commands) > 10
    assert [each.name for each in commands if not isinstance(each, StackCommand)] == []


def _commands(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _commands(each)
    else:
        yield command
