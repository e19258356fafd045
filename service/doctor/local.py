"""Are the secrets there, the golden sets frozen, and can the scorers score them? Nothing leaves this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checks.scorers import Scorer
from checks.scorers._asking import AskingScorer
from service.anchors import load as load_anchors
from service.doctor import Diagnosis, Level, Part
from service.errors import UserError
from service.golden import check_lock, load
from service.records import Golden
from service.text import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import Config, Target


def endpoints_of(target: Target) -> Mapping[str, Any]:
    """Every endpoint of a target, by its key in the configuration."""
    named = {"endpoint": target.endpoint}
    if target.reference is not None:
        named["reference"] = target.reference
    named |= {f"challengers.{name}": endpoint for name, endpoint in target.challengers.items()}
    asking = [scorer for scorer in target.scorers if isinstance(scorer, AskingScorer)]
    return named | {f"scorers.{scorer.scorer_name}": scorer.endpoint for scorer in asking}


def look_at_secrets(config: Config, targets: Sequence[Target], environ: Mapping[str, str]) -> list[Diagnosis]:
    """Whether every variable and file that the configuration names for a secret holds one; only names are told."""
    found = [*_own_secrets(config, environ)]
    for target in targets:
        for key, endpoint in endpoints_of(target).items():
            named = endpoint.secrets()
            faults = endpoint.check_secrets()
            found += [_missing(target.name, f"{key}: {fault.message}", fault.remedy) for fault in faults]
            if named and not faults:
                found.append(_present(target.name, {f"{key}.{name}": where for name, where in named.items()}))
    if not found:
        found.append(Diagnosis(Part.SECRETS, None, Level.OK, "endpoints and pages name none"))
    return found


def _own_secrets(config: Config, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    hooks = config.web.webhooks.where()
    variables = {
        "store_env": config.store_env,
        "web.token_env": config.web.token_env,
        **{f"web.webhooks.{sender}_secret_env": env for sender, (env, _) in hooks.items()},
    }
    files = {
        "web.token_file": config.web.token_file,
        **{f"web.webhooks.{sender}_secret_file": file for sender, (_, file) in hooks.items()},
    }
    for key, variable in variables.items():
        if variable is None:
            continue
        if environ.get(variable, "").strip():
            yield _present(None, {key: variable})
        else:
            yield _missing(
                None, f"the environment variable {variable} ({key}) is not set", f"export {variable}=..."
            )
    for key, file in files.items():
        if file is None:
            continue
        try:
            there = bool(Path(file).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            there = False
        what = "token" if key == "web.token_file" else "secret"
        if there:
            yield _present(None, {key: str(file)})
        else:
            yield _missing(None, f"the file {file} ({key}) holds no {what}", f"put the {what} alone into it")


def _present(subject: str | None, named: Mapping[str, Any]) -> Diagnosis:
    told = ", ".join(f"{key} {safe(str(where), 100)}" for key, where in named.items())
    return Diagnosis(Part.SECRETS, subject, Level.OK, f"present: {told}", facts={"names": sorted(named)})


def _missing(subject: str | None, message: str, remedy: str | None) -> Diagnosis:
    return Diagnosis(Part.SECRETS, subject, Level.FAILED, message, remedy)


def look_at_golden(target: Target) -> tuple[Diagnosis, Golden | None]:
    """Whether the golden set is the frozen one.

    Returns:
        The diagnosis, and the golden set as far as it can be read: also an unfrozen or edited one, so that the other
        parts can be looked at.
    """
    try:
        golden = check_lock(Path(target.golden))
    except UserError as error:
        try:
            readable = load(Path(target.golden))
        except UserError:
            readable = None
        return Diagnosis(Part.GOLDEN, target.name, Level.FAILED, error.message, error.remedy), readable
    count = len(golden.examples)
    noun = "example" if count == 1 else "examples"
    message = f"{golden.name}: {count} {noun}, frozen as version {golden.version}"
    facts = {"digest": golden.digest, "version": golden.version, "examples": count}
    return Diagnosis(Part.GOLDEN, target.name, Level.OK, message, facts=facts), golden


def look_at_scorers(target: Target, golden: Golden) -> list[Diagnosis]:
    """Whether each scorer can score each example: failed where it can score none, a warning where not all."""
    found = [_scorer(target, scorer, golden) for scorer in target.scorers]
    return found + [_anchors(target, scorer) for scorer in target.scorers if isinstance(scorer, AskingScorer)]


def _anchors(target: Target, scorer: AskingScorer) -> Diagnosis:
    """Whether the model that a scorer asks is watched; a warning where it is not."""
    name = scorer.scorer_name
    if scorer.anchors is None:
        why = f"{name} has no anchors: a change of the model that it asks would pass for one of {target.name}"
        remedy = "name a file of frozen answers with people's scores: anchors: FILE"
        return Diagnosis(Part.SCORERS, target.name, Level.WARNING, why, remedy)
    try:
        found = load_anchors(scorer.anchors)
    except UserError as error:
        return Diagnosis(Part.SCORERS, target.name, Level.FAILED, error.message, error.remedy)
    count = len(found.examples)
    message = f"{name} has {count} anchors: as many requests to its model in every run, besides answers that are new"
    return Diagnosis(Part.SCORERS, target.name, Level.OK, message, facts={"scorer": name, "anchors": count})


def _scorer(target: Target, scorer: Scorer, golden: Golden) -> Diagnosis:
    name, count = scorer.scorer_name, len(golden.examples)
    problems = {e.id: why for e in golden.examples if (why := scorer.problem(e)) is not None}
    facts: dict[str, Any] = {"scorer": name, "examples": count, "unscorable": len(problems)}
    if not problems:
        return Diagnosis(
            Part.SCORERS, target.name, Level.OK, f"{name} can score all {count} examples", facts=facts
        )
    example, why = next(iter(problems.items()))
    message = (
        f"{name} cannot score {len(problems)} of {count} examples; {safe(example, 40)}: {safe(why, 200)}"
    )
    remedy = "correct those examples and freeze the set again, or take the scorer away: they stay unscored"
    level = Level.FAILED if len(problems) == count else Level.WARNING
    return Diagnosis(Part.SCORERS, target.name, level, message, remedy, facts)
