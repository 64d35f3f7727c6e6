"""
Writes docs/cli.md, from what the commands say of themselves.

    make docs
"""

from collections.abc import Iterator

import click

from billing_cli.__main__ import cli
from local.stack import ROOT

PAGE = ROOT / "docs" / "cli.md"
WIDTH = 100
START = """# The command line

`billing` works on the tables of a stack, with the credentials and the region that the AWS tools are
configured with. It is for those who run the stack; clients use the API.

```
pip install '.[cli]'
export AWS_DEFAULT_REGION=eu-west-1
billing --stack billing audit --org acme
```

On the local stack it is `make billing ARGS='audit --org demo'`. Each command says what it does with
`--help`; `make docs` writes this page from those texts.
"""


def page() -> str:
    """Return the whole page."""
    return START + "".join(_section(context) for context in _contexts(cli, None))


def _contexts(command: click.Command, parent: click.Context | None) -> Iterator[click.Context]:
    """Yield a context for a command, and for each command in it."""
    context = click.Context(
        command,
        parent=parent,
        info_name=command.name if parent else "billing",
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        **command.context_settings,
    )
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _contexts(below, context)


def _section(context: click.Context) -> str:
    return f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
