"""What does the daemon write to its log? One event per line: for people on a terminal, JSON for machines.

Everything goes to standard error through structlog, the standard library's loggers (uvicorn, APScheduler) too. Three
things happen to every event before it is written: secrets that the configuration names are replaced by ``***``,
likewise whatever looks like a credential; text from outside is made harmless (``service.text.safe``), so that a model's
answer can neither forge a line nor command a terminal; a traceback becomes one value.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog

from service.text import safe

if TYPE_CHECKING:
    from service.config import Config

HIDDEN = "***"
LONGEST = 4000
"""Characters of one value; a traceback may be four times as long."""

_SHORTEST_SECRET = 4
_MOST_SECRET_BYTES = 65_536
_SECRET_KEY = re.compile(
    r"(?i)(authorization|api[-_]?key|password|passwd|secret|cookie|credential|^token$|_token$)"
)
_CREDENTIAL = re.compile(
    r"(?i)(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)"
    r"|(?P<slack>hooks\.slack(?:-gov)?\.com/)[\w./-]+"
    r"|(?P<key>\b(?:sk|rk|pk|xox[abprs]|ghp|glpat|hf|whsec)[-_])[\w-]{8,}"
)

Event = MutableMapping[str, Any]


class Redactor:
    """Knows the secrets of the configuration in force; :meth:`learn` replaces them at a reload."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """From now on hide these."""
        kept = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        self._secrets = tuple(sorted(kept, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without secrets.

        >>> Redactor(["hunter22"]).clean("pass hunter22 or Bearer abcdefgh12345")
        'pass *** or Bearer ***'
        """
        return _CREDENTIAL.sub(_hide, self.without_secrets(text))

    def without_secrets(self, text: str) -> str:
        """The text without the configured secrets; what only looks like a credential stays.

        >>> Redactor(["hunter22"]).without_secrets("hunter22, basic troubleshooting")
        '***, basic troubleshooting'
        """
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """A structlog processor."""
        return {key: self._value(key, value) for key, value in event.items()}

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            return HIDDEN if value and _SECRET_KEY.search(key) else self.clean(value)
        if isinstance(value, Mapping):
            return {str(k): self._value(str(k), v) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(key, v) for v in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self.clean(str(value))


def configure(level: str, form: str, redactor: Redactor, *, stream: TextIO | None = None) -> None:
    """Write every log, structlog's and the standard library's, to one stream.

    Args:
        level: the least level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``console``, ``json``, or ``auto``: console where the stream is a terminal.
        redactor: hides secrets.
        stream: standard error by default.
    """
    out = stream or sys.stderr
    for_people = form == "console" or (form == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        redactor,
        harmless,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=()), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(out, for_people),
            ],
        )
    )
    handler.addFilter(_not_cancelled)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in (
        "apscheduler",
        "uvicorn",
        "httpx",
        "httpcore",
        "asyncio",
        "aiohttp",
        "botocore",
        "urllib3",
        "google",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _not_cancelled(record: logging.LogRecord) -> bool:
    """False for what was cancelled because goldwatch ends: APScheduler calls that an error of the job."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def harmless(_logger: Any, _method: str, event: Event) -> Event:
    r"""A structlog processor: every text becomes one harmless line; a traceback keeps its own line breaks.

    >>> harmless(None, "info", {"event": "said", "text": "a\n\x1b[2Jb"})
    {'event': 'said', 'text': 'a⏎␛[2Jb'}
    """
    return {safe(str(key), 100): _harmless(str(key), value) for key, value in event.items()}


def secrets_of(config: Config, environ: Mapping[str, str] | None = None) -> set[str]:
    """The values of every secret that a configuration names, as far as they can be read now."""
    environ = os.environ if environ is None else environ
    variables = {name for name in (config.store_env, config.web.token_env) if name}
    files = {str(config.web.token_file)} if config.web.token_file is not None else set()
    for env, file in config.web.webhooks.where().values():
        variables |= {env} if env else set()
        files |= {file} if file else set()
    values = {notifier.url for notifier in config.notifiers if getattr(notifier, "url", None)}
    parts: list[Any] = list(config.notifiers)
    for target in config.targets:
        parts += [
            target.endpoint,
            *([target.reference] if target.reference else []),
            *target.challengers.values(),
            *(one for s in target.scorers if (one := getattr(s, "endpoint", None)) is not None),
        ]
    for part in parts:
        for key, where in part.secrets().items():
            (files if key.endswith("_file") else variables).add(str(where))
    values |= {environ.get(name, "").strip() for name in variables} | {_read(name) for name in files}
    urls = [config.store or "", *(environ.get(name, "") for name in (config.store_env,) if name)]
    values |= {password for url in urls for password in _passwords(url)}
    return values - {""}


def _passwords(url: str) -> tuple[str, ...]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return ()
    return (password, unquote(password)) if password else ()


def _read(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_MOST_SECRET_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _hide(match: re.Match[str]) -> str:
    return next(kept for kept in match.groups() if kept is not None) + HIDDEN


def _harmless(key: str, value: Any) -> Any:
    if key in ("exception", "stack") and isinstance(value, str):
        lines = value[: 4 * LONGEST].splitlines()
        return "\n".join(safe(line, LONGEST) for line in lines)
    if isinstance(value, str):
        return safe(value, LONGEST)
    if isinstance(value, Mapping):
        return {safe(str(k), 100): _harmless(str(k), v) for k, v in value.items()}
    if isinstance(value, list):
        return [_harmless(key, v) for v in value]
    return value


def _ordered(event: Event) -> Event:
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return first | {key: value for key, value in event.items() if key not in first}


def _renderer(out: TextIO, for_people: bool) -> Callable[..., str]:
    if not for_people:
        as_json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        return lambda logger, method, event: str(as_json(logger, method, _ordered(event)))
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )
