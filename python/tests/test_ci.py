"""The shell that CI systems run, run by bash against the simulator, or against a command that ends as it is told."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import infermeter
import pytest
from ruamel.yaml import YAML

FLAGS = """
--rate 60
--duration 1s
--warmup 0s
--workload fixed:24,6
"""


@pytest.fixture(scope="session")
def path(tmp_path_factory) -> str:
    """A path in which the command is called by its name."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "infermeter").symlink_to(infermeter.binary())
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def stubbed(place: Path, run: int, gate: int) -> str:
    """A path in which the command ends with these codes, and leaves what it would."""
    folder = place / "bin"
    folder.mkdir()
    stub = folder / "infermeter"
    stub.write_text(
        f"""#!/bin/sh
echo "$1" >> {place}/called
case $1 in
    run) while [ "$1" != --out ]; do shift; done; mkdir "$2" && echo new > "$2/run.json"; exit {run} ;;
    gate) echo '# Gate'; exit {gate} ;;
    report)
        for word in "$@"; do case $word in --html=*) echo '<!-- -->' > "${{word#--html=}}" ;; esac; done
        echo '# Report' ;;
    export) while [ "$1" != --out ]; do shift; done; echo '<testsuites/>' > "$2" ;;
esac
"""
    )
    stub.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


# What the run and the gate end with, and what is made of both. 101 is a crash.
CODES = [
    (0, 0, 0),
    (0, 1, 1),
    (1, 0, 1),
    (5, 0, 5),
    (0, 5, 5),
    (5, 1, 1),
    (1, 5, 1),
    (3, 1, 3),
    (1, 4, 4),
    (130, 4, 130),
    (0, 2, 2),
    (0, 101, 101),
    (101, 5, 101),
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Measured:
    """What measure.sh has left."""

    def __init__(self, root: Path, place: Path, path: str, **variables: str) -> None:
        self.place = place
        files = {"GITHUB_OUTPUT": place / "output", "GITHUB_STEP_SUMMARY": place / "summary"}
        environment = {**os.environ, "PATH": path, "RECORD": "out/record", "FLAGS": FLAGS}
        environment.update({name: str(file) for name, file in files.items()}, **variables)
        self.done = subprocess.run(
            ["bash", str(root / "packaging/action/measure.sh")],
            cwd=place,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        text = (place / "output").read_text() if (place / "output").exists() else ""
        self.outputs = dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here, which the Action asks with")
def test_a_server_is_started_measured_and_stopped(root, tmp_path, path, repeated):
    port = free_port()
    seen = Measured(
        root,
        tmp_path,
        path,
        TARGET=f"http://127.0.0.1:{port}",
        SERVE=f"exec infermeter mock --preset llama-8b-h100 --port {port}",
        READY_URL=f"http://127.0.0.1:{port}/health",
        READY_TIMEOUT="20",
        BASELINE=str(repeated.path),
        # A blank in front, one inside, and an empty line.
        FAIL_IF="\n  error_rate>50%\n\n",
    )
    assert seen.done.returncode == 0, seen.done
    assert seen.outputs["exit-code"] in ("0", "3", "5"), seen.outputs
    assert infermeter.load(tmp_path / seen.outputs["record"]).requests("polars").height > 0
    assert (tmp_path / seen.outputs["report"]).read_text().startswith("<!")
    comment = (tmp_path / seen.outputs["comment"]).read_text()
    assert comment.startswith("# Gate") and "TTFT" in comment
    assert (tmp_path / "summary").read_text() == comment
    assert not answers(port)


def test_a_wrong_flag_ends_it(root, tmp_path, path):
    seen = Measured(root, tmp_path, path, TARGET="mock:llama-8b-h100", FLAGS="--durtion 1s")
    assert seen.done.returncode == 2
    assert seen.outputs == {"exit-code": "2"}
    assert "--duration" in seen.done.stderr


def test_a_missed_objective_is_told_and_no_failure_of_the_script(root, tmp_path, path):
    flags = FLAGS + "--slo ttft.p50<1us\n"
    seen = Measured(root, tmp_path, path, TARGET="mock:llama-8b-h100", FLAGS=flags)
    assert seen.done.returncode == 0, seen.done
    # 3: a busy machine may spoil the measurement.
    assert seen.outputs["exit-code"] in ("1", "3")


def test_a_server_that_does_not_start_is_named(root, tmp_path, path):
    port = str(free_port())
    seen = Measured(
        root,
        tmp_path,
        path,
        TARGET="mock:llama-8b-h100",
        SERVE="echo out of memory; exit 1",
        READY_URL=f"http://127.0.0.1:{port}/",
    )
    assert seen.done.returncode == 1
    assert "out of memory" in seen.done.stderr
    assert not seen.outputs


@pytest.mark.parametrize(("run", "gate", "expected"), CODES)
def test_the_gravest_code_is_told(root, tmp_path, run, gate, expected):
    path = stubbed(tmp_path, run, gate)
    seen = Measured(root, tmp_path, path, TARGET="mock:fixed", BASELINE="before", FAIL_IF="error_rate>50%")
    assert seen.done.returncode == 0, seen.done
    assert seen.outputs["exit-code"] == str(expected)
    assert (tmp_path / seen.outputs["comment"]).read_text() == "# Gate\n# Report\n"


def test_a_record_that_is_there_is_no_new_one(root, tmp_path):
    record = tmp_path / "out/record"
    record.mkdir(parents=True)
    seen = Measured(root, tmp_path, stubbed(tmp_path, 0, 0), TARGET="mock:fixed")
    assert seen.done.returncode == 2
    assert "out/record is there already" in seen.done.stderr
    assert not seen.outputs and not (tmp_path / "called").exists() and not list(record.iterdir())


def test_a_gate_of_an_earlier_measurement_is_not_told_again(root, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/gate.md").write_text("# Gate of another run\n")
    seen = Measured(root, tmp_path, stubbed(tmp_path, 0, 0), TARGET="mock:fixed")
    assert (tmp_path / seen.outputs["comment"]).read_text() == "# Report\n"


class Commented:
    """What comment.sh has asked of GitHub, whose comments are these."""

    def __init__(self, root: Path, place: Path, comments: list, name: str = "nightly") -> None:
        gh = place / "gh"
        # As gh does it, its own jq included.
        gh.write_text(
            f"#!/bin/sh\necho \"$@\" >> {place}/called\n"
            f"while [ $# -gt 0 ]; do case $1 in\n"
            f"    --jq) jq -r \"$2\" {place}/comments ;;\n"
            f"    body=@*) cp \"${{1#body=@}}\" {place}/body ;;\n"
            f"esac; shift; done\n"
        )
        gh.chmod(0o755)
        (place / "comments").write_text(json.dumps(comments))
        (place / "comment.md").write_text("x" * 70_000)
        environment = {
            **os.environ,
            "PATH": f"{place}{os.pathsep}{os.environ['PATH']}",
            "COMMENT": str(place / "comment.md"),
            "PULL_REQUEST": "7",
            "REPOSITORY": "owner/name",
            "NAME": name,
        }
        script = ["bash", str(root / "packaging/action/comment.sh")]
        self.done = subprocess.run(script, env=environment, capture_output=True, encoding="utf-8", check=False)
        self.called = (place / "called").read_text() if (place / "called").exists() else ""
        self.body = (place / "body").read_text() if (place / "body").exists() else ""


def comment(number: int, kind: str, body: str) -> dict:
    return {"id": number, "user": {"type": kind}, "body": body}


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here, which gh has in it")
@pytest.mark.parametrize(
    ("comments", "asked"),
    [
        ([], "POST repos/owner/name/issues/7/comments"),
        (
            [
                comment(40, "Bot", "<!-- infermeter: other -->"),
                comment(41, "Bot", "<!-- infermeter: nightly -->\n# Gate"),
                comment(42, "Bot", "<!-- infermeter: nightly -->"),
            ],
            "PATCH repos/owner/name/issues/comments/41",
        ),
        # Somebody's own words are not written over.
        ([comment(41, "User", "<!-- infermeter: nightly -->")], "POST repos/owner/name/issues/7/comments"),
    ],
)
def test_one_comment_is_kept(root, tmp_path, comments, asked):
    seen = Commented(root, tmp_path, comments)
    assert seen.done.returncode == 0, seen.done
    assert seen.body.startswith("<!-- infermeter: nightly -->\n") and "cut here" in seen.body
    assert len(seen.body) < 65_536
    assert f"--method {asked}" in seen.called


@pytest.mark.parametrize("name", ['a" or true', "a --> b", "a\nb"])
def test_a_name_that_would_end_the_mark_is_refused(root, tmp_path, name):
    seen = Commented(root, tmp_path, [], name)
    assert seen.done.returncode == 2
    assert "holds more than letters" in seen.done.stderr and not seen.called


def test_the_action_uses_what_it_declares(root):
    text = (root / "packaging/action/action.yml").read_text()
    action = YAML(typ="safe").load(text)
    used = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert used == set(action["inputs"])
    written = set(re.findall(r"steps\.measure\.outputs\.([a-z-]+)", text))
    script = (root / "packaging/action/measure.sh").read_text()
    assert all(f'echo "{name}=' in script for name in written)
    example = YAML(typ="safe").load((root / "packaging/action/example.yml").read_text())
    steps = example["jobs"]["measure"]["steps"]
    (given,) = [step["with"] for step in steps if step["uses"] == "./packaging/action"]
    assert set(given) <= set(action["inputs"])
    page = (root / "docs/src/ci.md").read_text()
    assert all(f"`{name}`" in page for name in action["inputs"])


def piped(root: Path, place: Path, path: str, **variables: str) -> subprocess.CompletedProcess:
    """The job of GitLab, as its runner does it: one shell, which ends with the first line that fails."""
    job = YAML(typ="safe").load((root / "packaging/gitlab/infermeter.yml").read_text())[".infermeter"]
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["before_script"] + job["script"])],
        cwd=place,
        env={**os.environ, **job["variables"], **variables, "PATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(("run", "gate", "expected"), CODES)
def test_the_gitlab_job_ends_with_the_gravest_code(root, tmp_path, run, gate, expected):
    done = piped(root, tmp_path, stubbed(tmp_path, run, gate), BASELINE="before")
    assert done.returncode == expected, done
    assert (tmp_path / "infermeter/gate.md").read_text() == "# Gate\n"


def test_the_gitlab_job_wants_a_new_record(root, tmp_path):
    record = tmp_path / "infermeter/record"
    record.mkdir(parents=True)
    done = piped(root, tmp_path, stubbed(tmp_path, 0, 0))
    assert done.returncode == 2
    assert "is there already" in done.stderr and not (tmp_path / "called").exists()


def test_the_gitlab_job_measures(root, tmp_path, path, repeated):
    flags = " ".join(FLAGS.split())
    done = piped(root, tmp_path, path, FLAGS=flags, BASELINE=str(repeated.path), FAIL_IF="--fail-if error_rate>50%")
    assert done.returncode in (0, 3, 5), done
    for file in ("record/run.json", "report.md", "report.html", "gate.md", "junit.xml"):
        assert (tmp_path / "infermeter" / file).stat().st_size > 0, (file, done)
