"""How does trouble of goldwatch's own stay away from the model's Pod? By a process that ends only when told to.

    python -m service.sidecar serve -c /etc/goldwatch/goldwatch.yaml

Kubernetes calls a Pod ready only while every container of it runs, so a second container that ends takes the model
out of service. This one starts ``goldwatch`` with the arguments that it is given, starts it again when it ended or no
longer answers its health check, ever later, and itself ends at SIGTERM alone. SIGHUP goes on to goldwatch. It imports
next to nothing, and as process 1 it buries what goldwatch leaves behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence

from service.healthcheck import DEFAULT, healthy

FIRST_WAIT_S = 1.0
LAST_WAIT_S = 300.0
STEADY_S = 600.0
"""Who ran that long is started again at once."""
LOOK_EVERY_S = 30.0
START_S = 180.0
"""So long a start may take until its health is asked for."""
MISSES = 4
LEAVE_WITHIN_S = 20.0
LISTENED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def next_wait_s(last_s: float, lived_s: float) -> float:
    """Seconds until the next start: twice the last wait, from 1 s to 5 min; 1 s after a steady life."""
    if lived_s >= STEADY_S:
        return FIRST_WAIT_S
    return min(max(2 * last_s, FIRST_WAIT_S), LAST_WAIT_S)


def say(event: str, **facts: object) -> None:
    """One JSON object on standard error, like the daemon's own lines."""
    line = {"event": event, "level": "warning", "logger": "goldwatch.sidecar", "at": time.time(), **facts}
    print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201


def started(arguments: Sequence[str]) -> int | None:
    """The process id of a new goldwatch, which takes the signals that this process holds back; None if none began."""
    command = [sys.executable, "-m", "service", *arguments]
    try:
        return os.posix_spawn(sys.executable, command, os.environ, setsigmask=())
    except OSError as error:  # no memory, no process left: later there may be
        say("goldwatch could not be started", reason=str(error))
        return None


def buried(child: int | None) -> int | None:
    """Collect every process that ended; the exit code of ``child`` if it is among them (minus a signal), else None."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def leave(child: int) -> None:
    """Ask it to end, wait, and insist."""
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + LEAVE_WITHIN_S
    while buried(child) is None:
        if (left := end - time.monotonic()) <= 0:
            os.kill(child, signal.SIGKILL)
            return
        signal.sigtimedwait((signal.SIGCHLD,), left)


def keep(arguments: Sequence[str], url: str) -> int:
    """Keep goldwatch alive until SIGTERM or SIGINT.

    Args:
        arguments: of ``goldwatch``.
        url: its health check.

    Returns:
        The exit code: always 0, since being told to leave is no fault.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, LISTENED)
    child: int | None = None
    wait_s, misses, born, due = 0.0, 0, 0.0, time.monotonic()
    while True:
        heard = signal.sigtimedwait(LISTENED, max(due - time.monotonic(), 0.0))
        if heard is not None and heard.si_signo in (signal.SIGTERM, signal.SIGINT):
            if child is not None:
                leave(child)
            return 0
        if heard is not None and heard.si_signo == signal.SIGHUP:
            if child is not None:
                os.kill(child, signal.SIGHUP)
            else:  # a new configuration may be what it lacked
                due = time.monotonic()
            continue
        code, now = buried(child), time.monotonic()
        if code is not None:
            wait_s = next_wait_s(wait_s, now - born)
            say("goldwatch ended; the model's Pod is not affected", code=code, again_in_s=wait_s)
            child, misses, due = None, 0, now + wait_s
        elif now < due:
            continue
        elif child is None:
            child, born = started(arguments), now
            wait_s = wait_s if child else next_wait_s(wait_s, 0.0)
            due = now + (LOOK_EVERY_S if child else wait_s)
        else:
            misses = misses + 1 if now - born > START_S and healthy(url) is not None else 0
            if misses >= MISSES:
                say("goldwatch does not answer; it is stopped and started again")
                os.kill(child, signal.SIGKILL)
            due = time.monotonic() + LOOK_EVERY_S


def main() -> int:
    """Read the arguments and keep goldwatch alive."""
    arguments = sys.argv[1:] or ["serve", "-c", "/etc/goldwatch/goldwatch.yaml"]
    return keep(arguments, os.environ.get("GOLDWATCH_HEALTH_URL", DEFAULT))


if __name__ == "__main__":
    sys.exit(main())
