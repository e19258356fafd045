"""One command per file. To add one: a module with ``command`` (or a Typer ``app``) and its row in ``app.COMMANDS``."""
