"""The store on the composition's own S3 server: whole or not at all, too, and who may what."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ops.faults import containers
from ops.native import __main__ as native
from tasks import store
from tasks.disk import Unusable
from tasks.doctor import store_check
from tasks.doctor.patient import Patient
from tasks.validation.quarantine import Quarantine, quarantined_rows
from tests.support import s3
from tests.support.api_server import SIMPLE, answers
from tests.support.seen_secrets import secrets_of_team
from tests.test_backup import type_in

pytestmark = pytest.mark.timeout(300)  # the first one starts the server
Become = Callable[..., dict[str, str]]
REPORT = "churn/20260101T0000/validation-abc.html"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Running]:
    with s3.running(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def become(server: s3.Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Become:
    return s3.becomes(server, tmp_path, monkeypatch)


# --- as the services of the file see it

WORKS = """
from tasks import store
store.write("reports/churn/a.html", "old")
store.write("reports/churn/a.html", "new")
store.write("reports/churn/b.html", "gone soon")
store.remove("reports/churn/b.html")
store.remove("reports/churn/b.html")
store.probe()
print(store.read_bytes("reports/churn/a.html").decode(), *store.files_below("reports/churn"))
print(store.files_below("reports/nothing"), list(store.half_written()))
"""
READS = """
from tasks import store
from tasks.disk import Unusable
print(store.read_bytes("reports/churn/a.html").decode(), *store.files_below("reports/churn"))
for act in (
    lambda: store.write("reports/churn/a.html", "forged"),
    lambda: store.write("heads/churn.json", "forged"),
    lambda: store.remove("reports/churn/a.html"),
    store.probe,
):
    try:
        act()
        print("done")
    except Unusable as error:
        print("PermissionError: Access Denied" in str(error))
print(store.read_bytes("reports/churn/a.html").decode(), *store.files_below(""))
"""


def test_a_worker_writes_replaces_lists_and_removes_and_who_serves_pages_and_figures_only_reads(
    server: s3.Running,
) -> None:
    told = server.says("worker", WORKS).splitlines()
    assert told == ["new reports/churn/a.html", "[] []"]
    for name in ("api-server", "metrics"):
        told = server.says(name, READS).splitlines()
        assert told[0] == "new reports/churn/a.html", name
        assert told[1:5] == ["True"] * 4, name
        assert told[5].startswith("new "), name
        assert "partial" not in told[5], name
        assert "heads" not in told[5], name


STRANGER = """
import socket, sys
import grpc
for port in map(int, sys.argv[1:]):
    try:
        socket.create_connection(("s3", port), 5).close()
        print(port, "open")
    except ConnectionRefusedError:
        print(port, "refused")
field = lambda number, held: bytes([number << 3 | 2, len(held)]) + held
key = field(1, b"stranger") + field(2, b"strangers-secret")
identity = field(1, b"stranger") + field(2, key) + field(3, b"Admin")
entry = field(1, b"gatelatch") + field(2, b"reports/churn/a.html")
with grpc.insecure_channel("s3:18333") as link:
    for method, asked in (
        ("messaging_pb.SeaweedS3IamCache/PutIdentity", field(1, identity)),
        ("messaging_pb.SeaweedS3IamCache/RemoveIdentity", field(1, b"store_reader")),
        ("s3_lifecycle_pb.SeaweedS3LifecycleInternal/LifecycleDelete", entry),
    ):
        try:
            link.unary_unary("/" + method)(asked, timeout=20)
            print(method, "done")
        except grpc.RpcError as error:
            print(error.code().name)
"""


def test_what_is_behind_the_gateway_answers_no_other_container_and_nobody_makes_an_identity(
    server: s3.Running,
) -> None:
    behind = ("8888", "18888", "9333", "19333", "8080", "18080", "8181", "8111", "9101")
    told = server.says("metrics", STRANGER, "8333", *behind).splitlines()
    assert told[0] == "8333 open"
    assert told[1:-3] == [f"{port} refused" for port in behind]
    assert told[-3:] == ["UNAUTHENTICATED"] * 3


def test_who_signs_nothing_sees_nothing(server: s3.Running) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/gatelatch"),
        ("GET", "/gatelatch/reports/churn/a.html"),
        ("PUT", "/gatelatch/reports/churn/a.html"),
        ("DELETE", "/gatelatch/reports/churn/a.html"),
        ("PUT", "/another"),
    ):
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        link.request(method, path, body=b"forged" if method == "PUT" else None)
        answer = link.getresponse()
        assert (answer.status, b"AccessDenied" in answer.read()) == (403, True), (method, path)
        link.close()


def test_no_command_line_and_no_environment_holds_a_secret_of_the_store(
    server: s3.Running,
) -> None:
    seen = secrets_of_team(server.secrets)
    seen.look()
    assert "weed" in seen.programs
    assert not seen.on_command_lines | seen.in_environments
    secrets = [server.secret(role) for role in ("store_writer", "store_reader")]
    assert not any(secret in log.read_text() for secret in secrets for log in _logs(server))


def _logs(server: s3.Running) -> list[Path]:
    return list((server.home / "logs").iterdir())


# --- as a process of this machine sees it, with the same identities


def test_quarantined_rows_and_a_report_are_kept_there_and_read_by_who_may_only_read(
    become: Become, tmp_path: Path
) -> None:
    become("store_writer")
    rows = pa.table({"_row": [7, 3], "_reason": ["too long", "no class"], "x": [1.5, 2.5]})
    with Quarantine(str(tmp_path)) as quarantine:
        quarantine.add(rows)
        kept = quarantine.put("quarantine/churn/20260101T0000")
    store.write(f"reports/{REPORT}", "<p>a report</p>")
    settings = become("store_reader")
    assert kept == ("quarantine/churn/20260101T0000-0.parquet",)
    assert quarantined_rows(kept).tolist() == [3, 7]
    told = answers(SIMPLE, tmp_path, [("GET", f"/gatelatch/reports/{REPORT}")], settings=settings)
    seen = {one["name"]: (one["status"], one["text"]) for one in told}
    assert seen["viewer"] == (200, "<p>a report</p>")
    assert seen["nobody"][0] == 401


_DIES = """
import os, signal
from tasks import store
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored where tests run behind a &
with store.whole_at(store.url("reports/large"), "large") as file:
    file.write(os.urandom(60_000_000))  # more than a part
    print("half", flush=True)
    signal.pause()
"""


def test_an_upload_that_ends_in_the_middle_leaves_the_old_file_and_nothing_to_read(
    become: Become,
) -> None:
    settings = become("store_writer")
    store.write("reports/large", "old")
    for end in (signal.SIGKILL, signal.SIGINT):
        child = subprocess.Popen(
            [sys.executable, "-c", _DIES],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # else nobody reads why it did not come to its middle
            text=True,
            env={**os.environ, **settings, "PYTHONPATH": str(Path.cwd())},
        )
        assert child.stdout
        first = child.stdout.readline()
        assert first == "half\n", first + child.stdout.read()
        child.send_signal(end)
        child.communicate()
        assert child.returncode
        assert store.read_bytes("reports/large") == b"old"
        large = [name for name in store.files_below("") if name.endswith((".partial", "large"))]
        assert large == ["reports/large"]
    store.remove("reports/large")


NOBODY = ("= store_writer", "= nobody")
ELSEWHERE = ("[gatelatch]", "[another]")
NOWHERE = ("http://127.0.0.1:", "http://127.0.0.1:1/")  # where nobody listens


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("secret_access_key = ", "secret_access_key = 0"), "PermissionError"),
        (NOBODY, "PermissionError"),
        (ELSEWHERE, r"ProfileNotFound: The config profile \(gatelatch\)"),
        (("http://", ""), "ValueError: Invalid endpoint"),
        (NOWHERE, "EndpointConnectionError: Could not connect"),
    ],
    ids=["another secret", "nobody", "no such profile", "no address", "nobody answers"],
)
def test_a_store_that_refuses_or_does_not_answer_is_named_with_its_file_and_without_a_secret(
    server: s3.Running,
    become: Become,
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[str, str],
    said: str,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs tries five times by itself
    settings = become("store_writer", wrong)
    place = rf"\(GATELATCH_STORE as gatelatch of {settings['AWS_SHARED_CREDENTIALS_FILE']}\)"
    secret = server.secret("store_writer")
    told = []
    for done, act in (
        ("read", lambda: store.read_bytes("reports/a")),
        ("read", lambda: store.files_below("reports")),
        ("read", lambda: list(store.half_written())),
        ("written", lambda: store.write("reports/a", "x")),
        ("written", lambda: store.remove("reports/a")),
    ):
        with pytest.raises(Unusable, match=f"{place} cannot be {done}: .*{said}.*; ") as failed:
            act()
        told.append(str(failed.value))
    now = Patient(None, dict(os.environ), lambda: datetime.now(UTC))
    (finding,) = store_check.look_at_store(now)
    assert (finding.state, finding.bars) == ("ill", True)
    assert said.split(":")[0] in finding.finding
    assert "AWS_SHARED_CREDENTIALS_FILE" in finding.remedy
    told += [finding.finding, finding.remedy]
    assert not any(secret in text for text in told)


def test_rows_on_another_s3_are_read_as_somebody_else(
    become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("store_writer")
    inside, outside = store._filesystem(store.url("a"))[0], store._filesystem("s3://lake/a")[0]
    assert inside.kwargs["profile"] == "gatelatch"
    assert "profile" not in outside.kwargs
    monkeypatch.setenv("GATELATCH_STORE", "s3://gatelatch/store")
    assert "profile" not in store._filesystem("s3://gatelatch/rows")[0].kwargs


def test_the_commands_that_back_up_a_bucket_and_restore_it_do_so(
    become: Become, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("store_writer")
    monkeypatch.chdir(tmp_path)
    for name in ("reports/churn/a.html", "quarantine/churn/x/b.parquet", "heads/churn.json"):
        store.write(name, f"text of {name}")
    before = {name: store.read_bytes(name) for name in store.files_below("")}
    type_in("backup s3")
    copied = {str(p.relative_to("backup/store")): p for p in Path("backup").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in copied.items()} == before
    for name in before:
        store.remove(name)
    assert store.files_below("") == []
    type_in("restore s3")
    assert {name: store.read_bytes(name) for name in store.files_below("")} == before


def test_a_server_that_is_killed_comes_back_with_what_was_written(
    server: s3.Running, become: Become
) -> None:
    become("store_writer")
    store.write("reports/kept", json.dumps({"n": 1}))
    (program,) = containers.programs(server.home, "s3")
    assert program.name() == "weed"
    before = native.states(server.home)["s3"]["restarts"]
    program.kill()
    deadline = time.monotonic() + 120
    while not (
        native.states(server.home)["s3"]["restarts"] != before
        and native.states(server.home)["s3"]["state"] == "healthy"
    ):
        assert time.monotonic() < deadline, native.states(server.home)
        time.sleep(0.2)
    become("store_reader")
    assert store.read_bytes("reports/kept") == b'{"n": 1}'
