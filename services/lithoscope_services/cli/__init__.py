"""The command line; what is slow to import is imported by the command that needs it."""

import sys

import typer

from lithoscope_services.cli.app import make_app
from lithoscope_services.cli.failures import describe_failure, named_failures

EXIT_FAILURE = 1


def main() -> None:
    """Run a command; a named failure ends in one line on standard error and exit code 1."""
    try:
        make_app()(prog_name="lithoscope")
    except named_failures() as error:
        line = describe_failure(error)
        if line is None:
            raise
        typer.echo(f"lithoscope: error: {line}", err=True)
        sys.exit(EXIT_FAILURE)


__all__ = ["main", "make_app"]
