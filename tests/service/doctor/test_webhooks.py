"""Does the doctor look for the secrets of webhooks?"""

from __future__ import annotations

from pathlib import Path

from service.config import load
from service.doctor import Level
from service.doctor.local import look_at_secrets

CONFIG = """
version: 1
web: {webhooks: {mlflow_secret_env: HOOK, huggingface_secret_file: hub}}
targets:
  - name: router
    endpoint: {kind: openai_chat, base_url: "http://127.0.0.1:9/v1", model: m}
    golden: golden.jsonl
    scorers: [{kind: exact_match}]
"""


def test_the_secrets_of_webhooks_are_looked_for(tmp_path: Path) -> None:
    """Each that is missing is named with its key and what to do; each that is there is named, not shown."""
    (tmp_path / "goldwatch.yaml").write_text(CONFIG)
    config = load(tmp_path / "goldwatch.yaml")
    missing = look_at_secrets(config, [], {})
    assert [one.level for one in missing] == [Level.FAILED, Level.FAILED]
    assert "web.webhooks.mlflow_secret_env" in missing[0].message
    assert "web.webhooks.huggingface_secret_file" in missing[1].message
    (tmp_path / "hub").write_text("hunter2\n")
    there = look_at_secrets(config, [], {"HOOK": "hunter2"})
    assert [one.level for one in there] == [Level.OK, Level.OK]
    assert not any("hunter2" in one.message for one in there)
