"""Which secrets does the daemon share with others? The web's token, those of webhooks, the endpoints' keys.

Read where the configuration says they are held, at start and at each reload; the files hold their names only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from service.notifiers import read_secret

if TYPE_CHECKING:
    from service.config import Config, Target

_log = structlog.get_logger("goldwatch")


def token_of(config: Config) -> str | None:
    """The token that changes of state need; None if none is configured.

    Raises:
        UserError: the variable or file that should hold it does not.
    """
    web = config.web
    if web.token_env is None and web.token_file is None:
        return None
    return read_secret(env=web.token_env, file=str(web.token_file) if web.token_file else None)[0]


def webhook_secrets_of(config: Config) -> dict[str, str]:
    """What senders of webhooks must know, by sender.

    Raises:
        UserError: a variable or file that should hold one does not.
    """
    held = config.web.webhooks.where()
    return {sender: read_secret(env=env, file=file)[0] for sender, (env, file) in held.items()}


def warn_of_secrets(target: Target) -> None:
    """Log why a target's endpoint cannot be asked yet, where a secret is missing."""
    for error in target.endpoint.check_secrets():
        _log.warning(
            "the endpoint cannot be asked yet", target=target.name, reason=error.message, remedy=error.remedy
        )
