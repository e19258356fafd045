"""What went wrong that the user can put right?

Every error that a person caused, or can repair, derives from :class:`UserError`. The command line prints it as
plain text and leaves with its ``exit_code``; the daemon logs it. Anything else is a fault of goldwatch.
"""

from __future__ import annotations


class UserError(Exception):
    """A fault that the user can put right: what happened (``message``) and what to do (``remedy``).

    ``exit_code`` is the exit code of a command that ends with it: 2 for usage and configuration, 3 where the
    model could not be measured.
    """

    exit_code: int = 2

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message, and the remedy on a line of its own.

        >>> print(UserError("no store at x.db", "run: goldwatch doctor"))
        no store at x.db
          run: goldwatch doctor
        """
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message
