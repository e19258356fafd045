"""A good configuration becomes frozen models with the contract's defaults."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from checks.registry import kinds
from service.config import Config, ConfigError, load, parse, schema
from service.errors import UserError
from service.segment import segment_key

HERE = Path(__file__).parent
SMALL = """
version: 1
targets:
  - name: router
    endpoint: {kind: probe, base_url: "http://127.0.0.1:1/v1", model: m}
    golden: golden.jsonl
    scorers: [{kind: exact_match}]
"""

needs_openai_chat = pytest.mark.skipif(
    "openai_chat" not in kinds("service.endpoints"), reason="the openai_chat endpoint is not there yet"
)


def small(more: str = "", home: str = "/etc/goldwatch") -> Config:
    return parse((SMALL + more).encode(), Path(home, "goldwatch.yaml"))


@needs_openai_chat
def test_the_sample_of_the_contract_loads() -> None:
    """Every key of the documented sample is understood."""
    config = load(HERE / "sample.yaml")
    target = config.target("ticket-router")
    assert target.golden == HERE / "golden" / "tickets.jsonl"
    assert target.schedule.every_s == 3600
    assert target.scorers[0].min == 0.9
    assert target.endpoint.price.output_per_mtok == 1.2
    assert target.reference.model_name == "Llama-3-8B-Instruct"
    assert target.limits.tokens_per_day == 2_000_000
    assert [n.name for n in config.notifiers_of(target)] == ["ml-oncall"]


@needs_openai_chat
def test_the_sample_satisfies_the_json_schema() -> None:
    """An editor that uses the schema accepts what load accepts."""
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    jsonschema.Draft202012Validator(made).validate(yaml.safe_load((HERE / "sample.yaml").read_text()))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("repeats: 0", "repeats"),
        ("timeout: soon", "timeout"),
        ("schedul: {}", "schedul"),
        ("severity: high", "severity"),
    ],
)
def test_the_json_schema_refuses_what_load_refuses(change: str, key: str) -> None:
    """The schema holds the same bounds as the models."""
    data = yaml.safe_load(SMALL + f"    {change}\n")
    errors = list(jsonschema.Draft202012Validator(schema()).iter_errors(data))
    assert any(key in error.message or key in error.absolute_path for error in errors)
    with pytest.raises(ConfigError):
        small(f"    {change}\n")


def test_the_json_schema_offers_every_known_plug_in() -> None:
    """Each scorer kind is one alternative that needs its kind."""
    made = schema()
    for room, place in (("checks.scorers", "scorers"), ("service.endpoints", "endpoint")):
        field = made["$defs"]["Target"]["properties"][place]
        offered = [a["$ref"].rpartition("/")[2] for a in field.get("items", field)["oneOf"]]
        assert offered == [f"{room.rpartition('.')[2]}.{kind}" for kind in kinds(room)]
        for name in offered:
            definition = made["$defs"][name]
            assert definition["properties"]["kind"]["const"] == name.partition(".")[2]
            assert "kind" in definition["required"]


def test_what_is_left_out_has_the_documented_default() -> None:
    """The four required keys of a target are enough."""
    config = small()
    target = config.targets[0]
    assert (target.severity, target.repeats, target.concurrency, target.retries) == ("warning", 1, 8, 3)
    assert (target.timeout_s, target.deadline_s, target.min_answered) == (30.0, 1800.0, 0.9)
    assert (target.schedule.every_s, target.baseline.runs, target.confirm) == (3600.0, 10, True)
    assert target.limits.model_dump() == {
        "requests_per_second": None,
        "tokens_per_day": None,
        "usd_per_day": None,
    }
    assert target.reference is None
    assert target.labels == {}
    assert target.challengers == {}
    assert (config.web.host, config.web.port, config.web.show_texts) == ("127.0.0.1", 9790, True)
    assert (config.alerting.owner, config.alerting.repeat_every_s) == ("goldwatch", 4 * 3600)
    assert config.period_h == 2160
    assert config.retention.texts_s == 90 * 86400
    assert config.notifiers_of(target) == ()


def test_the_false_alarm_budget_is_shared_equally() -> None:
    """Two targets take half of it each."""
    config = small(SMALL.partition("targets:\n")[2].replace("router", "other"))
    assert [target.share for target in config.targets] == [0.5, 0.5]


def test_a_target_of_more_weight_has_more_of_the_budget() -> None:
    """Weights 3 and 1 take three quarters and one quarter; the weight does not begin a new segment."""
    other = SMALL.partition("targets:\n")[2].replace("router", "other")
    config = small("    weight: 3\n" + other)
    assert [target.share for target in config.targets] == [0.75, 0.25]
    assert segment_key(config.targets[0], "d", None) == segment_key(small(other).targets[0], "d", None)


def test_the_smallest_effect_is_none_unless_stated() -> None:
    """It is a share of the score; two points are 0.02."""
    assert small("").targets[0].smallest_effect is None
    assert small("    smallest_effect: 0.02\n").targets[0].smallest_effect == 0.02


def test_a_budget_of_several_pages_shortens_the_period() -> None:
    """Four pages a year are one per 2190 hours."""
    assert small("false_alarms: {at_most: 4, per: 365d}\n").period_h == pytest.approx(2190)


def test_paths_and_sqlite_urls_start_at_the_configuration_file() -> None:
    """Not at the folder that the command happens to run in."""
    config = small(
        "    baseline: {from: base/line.jsonl}\nstore: sqlite:///data/g.db\nweb: {token_file: token}\n"
    )
    assert config.targets[0].golden == Path("/etc/goldwatch/golden.jsonl")
    assert config.targets[0].baseline.from_file == Path("/etc/goldwatch/base/line.jsonl")
    assert config.web.token_file == Path("/etc/goldwatch/token")
    assert config.store_url({}) == "sqlite:////etc/goldwatch/data/g.db"


def test_a_secret_file_of_a_plug_in_starts_there_too() -> None:
    """``api_key_file: key`` stands beside the configuration."""
    config = parse(
        SMALL.replace("model: m", "model: m, api_key_file: key").encode(), Path("/etc/goldwatch/g.yaml")
    )
    assert config.targets[0].endpoint.api_key_file == "/etc/goldwatch/key"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/g.db", "postgresql+psycopg://me@db/g"])
def test_absolute_store_urls_stay_as_they_are(url: str) -> None:
    """Only relative SQLite paths are completed."""
    assert small(f"store: {url}\n").store_url({}) == url


def test_the_store_may_come_from_a_variable() -> None:
    """``store_env`` keeps a password out of the file, and a missing variable is named."""
    config = small("store_env: GOLDWATCH_STORE\n")
    assert (
        config.store_url({"GOLDWATCH_STORE": "postgresql+psycopg://u:p@db/g"})
        == "postgresql+psycopg://u:p@db/g"
    )
    with pytest.raises(UserError, match="GOLDWATCH_STORE"):
        config.store_url({})


def test_the_digest_ignores_layout_and_sees_content() -> None:
    """Comments and the order of keys do not change it; a value does."""
    plain = small("    repeats: 2\n    retries: 1\n").digest
    assert plain == small("    retries: 1  # a comment\n    repeats: 2\n").digest
    assert plain.startswith("sha256:")
    assert plain != small("    repeats: 3\n    retries: 1\n").digest


def test_a_configuration_cannot_be_changed() -> None:
    """The models are frozen."""
    config = small()
    with pytest.raises(ValidationError):
        config.targets[0].repeats = 5  # type: ignore[misc]


def test_anchors_and_merges_are_understood() -> None:
    """Own keys win over merged ones, and the first source over later ones."""
    shared = "    limits: &l {tokens_per_day: 5}\n" + SMALL.partition("targets:\n")[2].replace(
        "router", "other"
    )
    config = small(shared + "    limits: {<<: *l, requests_per_second: 2}\n")
    assert config.target("other").limits.tokens_per_day == 5
    assert config.target("other").limits.requests_per_second == 2
    both = small("    labels: {<<: [{a: first}, {a: second, b: second}], c: own}\n")
    assert both.targets[0].labels == {"a": "first", "b": "second", "c": "own"}


def test_a_byte_order_mark_is_harmless() -> None:
    """Editors write one."""
    assert parse(b"\xef\xbb\xbf" + SMALL.encode(), Path("g.yaml")).version == 1


def test_times_of_day_and_dates_stay_texts() -> None:
    """YAML 1.1 would read 12:30 as 750."""
    assert small("    labels: {at: 12:30, day: 2024-01-01}\n").targets[0].labels == {
        "at": "12:30",
        "day": "2024-01-01",
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.write_bytes(b"#" * 1_000_002), "too many"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_configuration_error(
    tmp_path: Path, make: object, message: str
) -> None:
    """Missing, a folder, too big: a message and no traceback."""
    path = tmp_path / "goldwatch.yaml"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=message):
        load(path)


def test_many_faults_are_told_at_once_and_their_list_is_bounded() -> None:
    """Sixty faults: fifty are listed, ten counted."""
    with pytest.raises(ConfigError, match="and 10 more faults") as caught:
        small("".join(f"    unknown_{i}: 1\n" for i in range(60)))
    assert len(caught.value.problems) == 60
    assert caught.value.exit_code == 2


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    """The error lists what there is."""
    with pytest.raises(UserError, match="did you mean 'router'"):
        small().target("ruter")
