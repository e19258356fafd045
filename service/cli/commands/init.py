"""``goldwatch init``: how does one begin?"""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.options import CONFIG, ConfigFile


def command(
    vllm: Annotated[
        str | None, typer.Option("--vllm", metavar="URL", help="Ask a vLLM server which models it serves.")
    ] = None,
    openai: Annotated[
        str | None, typer.Option("--openai", metavar="MODEL", help="A fine-tuned model of OpenAI, ft:...")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Write a commented goldwatch.yaml and a starter golden set.

    The golden set goes to golden/tickets.jsonl beside the configuration: put your own examples there, best those
    that the model was not trained on.

    \b
    Examples:
      goldwatch init
      goldwatch init --vllm http://127.0.0.1:8000
      goldwatch init --openai ft:gpt-4o-mini-2024-07-18:acme:router:9aXyZ12
    """  # noqa: D301  # Typer reads the \b
    import shlex

    from service.cli import starter
    from service.config import parse
    from service.errors import UserError
    from service.text import safe

    if vllm is not None and openai is not None:
        raise UserError("--vllm and --openai are both given", "name one server")
    if vllm is not None:
        served = starter.ask_vllm(vllm)
    elif openai is not None:
        served = starter.read_openai(openai)
    else:
        served = starter.PLACEHOLDER
    golden = config.parent / "golden" / "tickets.jsonl"
    there = [str(path) for path in (config, golden) if path.exists()]
    if there and not force:
        raise UserError(f"{' and '.join(there)} would be overwritten", "use another --config, or --force")
    text = starter.configuration(served)
    parse(text.encode(), config)  # what is written is known to load
    try:
        golden.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(text, encoding="utf-8")
        golden.write_text(starter.GOLDEN, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{error.filename or config}: cannot be written: {error.strerror}") from None
    option = "" if config == CONFIG else f" -c {shlex.quote(str(config))}"
    print(f"wrote {config} and {golden}")
    print(f"  model      {safe(served.model, 200)} at {safe(served.base_url, 200)}")
    if served.parent:
        print(
            f"  reference  {safe(served.parent, 200)}: the base model, to tell whether the adapter is applied"
        )
    print("next")
    print(f"  put your own examples into {golden}, and their labels into {config}")
    print(f"  goldwatch freeze {shlex.quote(str(golden))}")
    print(f"  goldwatch doctor{option}")
    print(f"  goldwatch run{option}")
