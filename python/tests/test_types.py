"""The types are those of the schemas, and of what is printed."""

import subprocess
import sys
from typing import Any, get_type_hints

from infermeter import schema


def test_the_types_are_as_the_schemas_say(root):
    words = [sys.executable, str(root / "python/tools/make_schema.py"), "--check"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


def members(kind: Any) -> dict:
    return get_type_hints(kind, vars(schema))


def test_a_run_has_the_members_of_its_types(measured):
    for value, kind in (
        (measured.manifest, schema.Manifest),
        (measured.report, schema.Report),
        (measured.summary, schema.Summary),
        (measured.headline, schema.Headline),
        (measured.findings[0], schema.Finding),
        (measured.headline["ttft"], schema.HeadlineTimes),
    ):
        assert set(value) <= set(members(kind)), kind
        assert kind.__required_keys__ <= set(value), kind


def test_what_is_no_word_is_a_member_all_the_same():
    assert "warmup-min" in members(schema.Plan) or "rate-profile" in members(schema.Plan)
