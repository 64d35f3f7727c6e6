"""The page of the command line says what the commands say."""

from tools import command_line


def test_the_page_is_written_from_the_commands() -> None:
    assert command_line.page() == command_line.PAGE.read_text(), "run `make docs`"
