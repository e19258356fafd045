"""Where is a target's deployment heard of? Model registries that send webhooks, and a watched Deployment."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from service.config.section import HomePath, Section, Variable, fault

_PART = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DEPLOYMENT = re.compile(rf"({_PART}/)?[a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?", re.ASCII)
_REPOSITORY = re.compile(r"([\w.-]+/)?[\w.-]+(@[\w.][\w./-]*)?", re.ASCII)
_MODEL = re.compile(r"[^@/:\s][^@/:]*(@[\w-]+)?")


def _model(value: str) -> str:
    given = value.removeprefix("models:/")
    if not _MODEL.fullmatch(given):
        raise fault(f"{value!r} is no registered model: write NAME@ALIAS, or NAME for every new version")
    return given


def _repository(value: str) -> str:
    given = value.removeprefix("hf://")
    if not _REPOSITORY.fullmatch(given):
        raise fault(f"{value!r} is no repository: write OWNER/NAME, or OWNER/NAME@BRANCH_OR_TAG")
    return given


def _deployment(value: str) -> str:
    if not _DEPLOYMENT.fullmatch(value):
        raise fault(f"{value!r} is no Deployment: write NAMESPACE/NAME, or NAME in goldwatch's own namespace")
    return value


class Deployments(Section):
    """Where a target's deployments are heard of. Each is marked, with its version, and starts a run."""

    mlflow: Annotated[
        Annotated[str, AfterValidator(_model)] | None,
        Field(
            description="A model in MLflow's registry, as its webhooks name it: `NAME@ALIAS` when that alias moves, "
            "`NAME` for every new version."
        ),
    ] = None
    huggingface: Annotated[
        Annotated[str, AfterValidator(_repository)] | None,
        Field(
            description="A model's repository on the Hugging Face Hub, `OWNER/NAME`, or with `@BRANCH_OR_TAG`."
        ),
    ] = None
    kubernetes: Annotated[
        Annotated[str, AfterValidator(_deployment)] | None,
        Field(
            description="A Deployment that is asked for every 15 s with the service account's token, "
            "`NAMESPACE/NAME` or `NAME`: each rollout that is complete is marked."
        ),
    ] = None

    def named(self) -> dict[str, str]:
        """What is configured, by who tells of it."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


class Webhooks(Section):
    """Secrets of webhooks that come in: without its secret, none of that sender's is taken."""

    mlflow_secret_env: Annotated[
        Variable | None, Field(description="The variable with the secret that MLflow signs with.")
    ] = None
    mlflow_secret_file: Annotated[HomePath | None, Field(description="The file with that secret.")] = None
    huggingface_secret_env: Annotated[
        Variable | None,
        Field(description="The variable with the secret that the Hugging Face Hub sends along."),
    ] = None
    huggingface_secret_file: Annotated[HomePath | None, Field(description="The file with that secret.")] = (
        None
    )

    def where(self) -> dict[str, tuple[str | None, str | None]]:
        """By sender, the variable or the file that holds its secret; those alone that have one."""
        held = {
            "mlflow": (self.mlflow_secret_env, self.mlflow_secret_file),
            "huggingface": (self.huggingface_secret_env, self.huggingface_secret_file),
        }
        return {
            k: (env, None if file is None else str(file)) for k, (env, file) in held.items() if env or file
        }

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        for env, file in (
            ("mlflow_secret_env", "mlflow_secret_file"),
            ("huggingface_secret_env", "huggingface_secret_file"),
        ):
            if getattr(self, env) and getattr(self, file):
                raise fault(f"{env} and {file} are both set: keep one")
        return self
