"""``python -m service`` is ``goldwatch``."""

from service.cli import main

main()
