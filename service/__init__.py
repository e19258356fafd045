"""Everything that touches a network, a disk or a clock: the shell around ``checks``."""

__version__ = "0.1.0"
