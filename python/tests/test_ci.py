"""The shell that CI systems run, run by bash against the simulator."""

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


@pytest.mark.parametrize("known", ["", "41"])
def test_one_comment_is_kept(root, tmp_path, known):
    gh = tmp_path / "gh"
    # What it was called with, and the comment that is there.
    gh.write_text(
        f"#!/bin/sh\necho \"$@\" >> {tmp_path}/called\n"
        f"case \"$*\" in *--jq*) echo '{known}' ;; esac\n"
        f"for word in \"$@\"; do case $word in body=@*) cp \"${{word#body=@}}\" {tmp_path}/body ;; esac; done\n"
    )
    gh.chmod(0o755)
    (tmp_path / "comment.md").write_text("x" * 70_000)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "COMMENT": str(tmp_path / "comment.md"),
        "PULL_REQUEST": "7",
        "REPOSITORY": "owner/name",
        "NAME": "nightly",
    }
    subprocess.run(["bash", str(root / "packaging/action/comment.sh")], env=environment, check=True)
    called = (tmp_path / "called").read_text()
    body = (tmp_path / "body").read_text()
    assert body.startswith("<!-- infermeter: nightly -->\n") and "cut here" in body
    assert len(body) < 65_536
    wanted = "PATCH repos/owner/name/issues/comments/41" if known else "POST repos/owner/name/issues/7/comments"
    assert f"--method {wanted}" in called


def test_the_action_uses_what_it_declares(root):
    text = (root / "packaging/action/action.yml").read_text()
    action = YAML(typ="safe").load(text)
    used = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert used == set(action["inputs"])
    written = set(re.findall(r"steps\.measure\.outputs\.([a-z-]+)", text))
    script = (root / "packaging/action/measure.sh").read_text()
    assert all(f'echo "{name}=' in script for name in written)
    example = YAML(typ="safe").load((root / "packaging/action/example.yml").read_text())
    given = example["jobs"]["measure"]["steps"][-1]["with"]
    assert set(given) <= set(action["inputs"])


def test_the_gitlab_job_measures(root, tmp_path, path, repeated):
    job = YAML(typ="safe").load((root / "packaging/gitlab/infermeter.yml").read_text())[".infermeter"]
    variables = {**job["variables"], "FLAGS": " ".join(FLAGS.split()), "BASELINE": str(repeated.path)}
    variables["FAIL_IF"] = "--fail-if error_rate>50%"
    # As its runner does: one shell, which ends with the first line that fails.
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=tmp_path,
        env={**os.environ, **variables, "PATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode in (0, 3, 5), done
    for file in ("record/run.json", "report.md", "report.html", "gate.md", "junit.xml"):
        assert (tmp_path / "infermeter" / file).stat().st_size > 0, (file, done)
