"""MLflow's server, attacked on what `make up` starts and on what the compose file starts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import tracking_server
from ops.doors import Door, door
from tasks.registry import model_aliases, tagged_heads, tracking
from tests.support.attack import CREATE, EVIL, SECRET, Server, knock, routes, run_in, stands_still
from tests.support.served import by_compose, made_up

RUNS = "/api/2.0/mlflow/runs/create"
UPLOAD = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(scope="module", params=[made_up, by_compose], ids=lambda how: how.__name__)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, int]]:
    with request.param(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def server(served: tuple[Server, int]) -> Server:
    return served[0]


def test_what_a_killed_server_left_in_its_temporary_folder_is_gone_at_the_next_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "tmp" / "tmpabc").mkdir(parents=True)
    (tmp_path / "tmp" / "tmpabc" / "half").write_text("of an artifact")
    (tmp_path / "tmp" / "lost+found").mkdir()  # where the volume is a disk of its own
    assert tracking_server._emptied(tmp_path / "tmp") == str(tmp_path / "tmp")
    assert [one.name for one in (tmp_path / "tmp").iterdir()] == ["lost+found"]


# --- without a password


def test_no_route_of_mlflows_changes_anything_for_who_has_no_password(server: Server) -> None:
    offered = routes()
    assert len(offered) > 250
    with server.client() as nobody, stands_still(server):
        for method, path in sorted(offered):
            answer = knock(server, nobody, method, path)
            where = door(method, path)
            if where in (Door.WRITE, Door.SHUT) or (server.reader and where is Door.READ):
                wanted = 403 if where is Door.SHUT else 401
                assert answer.status_code == wanted, (method, path, answer.text)
                assert ("www-authenticate" in answer.headers) == (wanted == 401)


def test_a_path_that_mlflow_might_read_otherwise_opens_no_door(server: Server) -> None:
    odd = [
        "/api/2.0/mlflow//experiments/create",
        "//api/2.0/mlflow/experiments/create",
        "/static-files/../api/2.0/mlflow/experiments/create",
        "/static-files/%2e%2e/api/2.0/mlflow/experiments/create",
        "/api/2.0/mlflow/runs/search/../../experiments/create",
        "/api/2.0/mlflow/experiments/create/",
        "/api/2.0/mlflow/experiments/create;x",
        "/API/2.0/mlflow/experiments/create",
        "/api/3.0/mlflow/experiments/create",
        "/api/2.0/preview/mlflow/experiments/create",
        "/api/2.0/mlflow/experiments/create%00",
        "/api/2.0/mlflow/experiments/create%0a",
        "/health/../api/2.0/mlflow/experiments/create",
    ]
    with stands_still(server):
        for path in odd:
            for method in ("POST", "PUT", "GET"):
                status, _ = server.raw(method, path, b'{"name": "evil"}')
                assert status >= 300, (method, path)


@pytest.mark.parametrize(
    "login",
    [
        *(("gatelatch", ""), ("gatelatch", "wrong"), ("", ""), ("admin", "password1234")),
        *(("gatelatch", "wrong:password"), ("reader", "x"), ("gatelatch", "ä")),
    ],
)
def test_a_wrong_password_opens_nothing(server: Server, login: tuple[str, str]) -> None:
    with server.client() as nobody:
        user, password = (part.encode() for part in login)
        answer = nobody.post(CREATE, json={"name": "evil"}, auth=(user, password))
    assert answer.status_code == 401


def test_a_websocket_is_not_accepted(server: Server) -> None:
    header = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    header["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    with server.client(**header) as nobody:
        assert nobody.get("/").status_code in (200, 401, 403)  # an ordinary answer, or a refusal


def test_health_needs_no_password(server: Server) -> None:
    with server.client() as nobody:
        assert nobody.get("/health").text == "OK"


# --- with the password: MLflow works, and only below its root


def test_reading_asks_for_a_password_where_a_readers_one_is_set(server: Server) -> None:
    with server.client() as nobody:
        assert nobody.get("/").status_code == (401 if server.reader else 200)
    if server.reader:
        with server.client("reader") as reader, stands_still(server):
            assert "<!doctype html>" in reader.get("/").text.lower()
            assert reader.get("/api/2.0/mlflow/experiments/get?experiment_id=0").is_success
            assert reader.post(CREATE, json={"name": "evil"}).status_code == 401


def test_a_client_with_the_password_keeps_files_and_reads_them_back(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(server, monkeypatch)
    (tmp_path / "plain.txt").write_text("kept")
    with tracking.asking("nothing") as client:
        run = tracking.start("kept", "proposal", {})
        client.log_artifacts(run, str(tmp_path), "work")
        tracking.log_metrics(run, {"accuracy": 0.9})
        got = client.download_artifacts(run, "work/plain.txt", str(tmp_path))
        assert Path(got).read_text() == "kept"
        source = f"{client.get_run(run).info.artifact_uri}/work"
        client.create_registered_model("kept")
        client.create_model_version("kept", source, run)
        model_aliases.point("kept", {"champion": 1})
        assert client.get_model_version_by_alias("kept", "champion").version == "1"
    assert tagged_heads.keep_heads("kept", {1: (1, "head")}) == [1]
    assert tagged_heads.kept_heads("kept") == ({(1, 1): "head"}, {1})
    assert (server.root / source.removeprefix("mlflow-artifacts:/") / "plain.txt").exists()
    with server.client("reader" if server.reader else "") as reader:
        page = "/model-versions/get-artifact?name=kept&version=1&path=plain.txt"
        assert reader.get(page).text == "kept"
        assert reader.get(f"/get-artifact?run_uuid={run}&path=work/plain.txt").text == "kept"


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_an_error_that_names_the_variable(
    server: Server, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(server, monkeypatch)
    run = tracking.start("churn", "proposal", {})
    login(server, monkeypatch, password)
    tracking.connect()  # whether it is there at all needs no password
    for ask in (
        lambda: tracking.start("churn", "another", {}),
        lambda: tracking.log_metrics(run, {"accuracy": 0.9}),
        lambda: tracking.put_json(run, "gates", {}),
    ):
        with pytest.raises(tracking.RegistryRefused, match="MLFLOW_TRACKING_PASSWORD"):
            ask()


def login(server: Server, patch: pytest.MonkeyPatch, password: str | None = None) -> None:
    patch.setenv("MLFLOW_TRACKING_URI", server.url)
    patch.setenv("MLFLOW_TRACKING_USERNAME", "gatelatch")
    patch.setenv("MLFLOW_TRACKING_PASSWORD", server.password if password is None else password)
    patch.delenv("GATELATCH_ARTIFACTS", raising=False)
    tracking.connect.cache_clear()


def test_no_location_outside_the_root_is_taken_from_whoever_has_the_password(
    server: Server,
) -> None:
    with server.client("gatelatch") as writer:
        run = writer.post(RUNS, json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        model = {"name": f"m{run}"}
        writer.post("/api/2.0/mlflow/registered-models/create", json=model).raise_for_status()
        with stands_still(server):
            for place in server.places():
                for name in ("artifact_location", "artifactLocation"):
                    said = {"name": place, name: place}
                    answer = writer.post(CREATE, json=said)
                    assert answer.status_code == 403, (place, answer.text)
                    assert "outside the server's artifact root" in answer.text
                    twice = writer.post(CREATE, json=json.dumps(said))
                    assert twice.status_code == 403, (place, twice.text)
                for more in ({}, {"run_id": run}):
                    said = {**model, **more, "source": place}
                    answer = writer.post("/api/2.0/mlflow/model-versions/create", json=said)
                    assert answer.status_code == 403, (place, answer.text)


def test_no_path_leads_out_of_the_root(server: Server) -> None:
    up = "../" * (len(server.root.parts) + 2)
    dags = str(server.around / "dags" / "evil.py").lstrip("/")
    paths = [
        *(f"{up}{dags}", f"{up}{dags}".replace("/", "%2f"), f"{up}{dags}".replace(".", "%2e")),
        *(f"{up}{dags}".replace(".", "%252e"), f"//{dags}", f"/{dags}", f"%2f{dags}"),
        *(f"x/{up}{dags}", f"..%5c..%5c{dags}", f"x%00/{dags}", f"x/..;/{up}{dags}"),
        *(f"file:///{dags}", f"file:%2f%2f%2f{dags}"),
    ]
    before = {path for path in server.around.rglob("*") if not path.is_relative_to(server.root)}
    for path in paths:
        server.raw("PUT", f"{UPLOAD}/{path}", EVIL, "gatelatch")
        key = path.replace("dags", "keys").replace("evil.py", "signing.pem")
        _, got = server.raw("GET", f"{UPLOAD}/{key}", b"", "gatelatch")
        assert SECRET not in got, path
        for folder in (path, key.replace("signing.pem", "")):
            _, listed = server.raw("GET", f"{UPLOAD}?path={folder}", b"", "gatelatch")
            assert "there.txt" not in listed, path
            assert "signing.pem" not in listed, path
    after = {path for path in server.around.rglob("*") if not path.is_relative_to(server.root)}
    assert after == before


@pytest.mark.parametrize("spelling", ["{}", "file://{}", "file://{}/../keys", "{root}/../../keys"])
def test_a_run_whose_artifacts_lie_elsewhere_is_neither_read_nor_written(
    server: Server, spelling: str
) -> None:
    place = spelling.format(server.around / "keys", root=server.root)
    run = run_in(server, place)
    with server.client("gatelatch") as writer:
        for path in (
            f"/get-artifact?run_uuid={run}&path=signing.pem",
            f"/api/2.0/mlflow/artifacts/list?run_id={run}",
            f"/ajax-api/2.0/mlflow/artifacts/list?run_id={run}&path=.",
        ):
            answer = writer.get(path)
            assert not answer.is_success, path
            assert SECRET not in answer.text
            assert "signing.pem" not in answer.text
        with stands_still(server):
            params = {"run_uuid": run, "path": "evil.py"}
            upload = "/ajax-api/2.0/mlflow/upload-artifact"
            assert writer.post(upload, params=params, content=EVIL).status_code == 403


def test_a_link_below_the_root_leads_nowhere(server: Server) -> None:
    link = server.root / "link"
    link.symlink_to(server.around / "keys")
    try:
        with server.client("gatelatch") as writer, stands_still(server):
            assert SECRET not in writer.get(f"{UPLOAD}/link/signing.pem").text
            assert not writer.put(f"{UPLOAD}/link/evil.py", content=EVIL).is_success
    finally:
        link.unlink()


# --- pages in a browser


@pytest.mark.parametrize(
    "header",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_writes_nothing_though_the_browser_knows_the_password(
    server: Server, header: dict[str, str]
) -> None:
    with server.client("gatelatch", **header) as page, stands_still(server):
        assert page.post(CREATE, json={"name": "evil"}).status_code == 403
        assert page.put(f"{UPLOAD}/evil.py", content=EVIL).status_code == 403
        assert not page.options(CREATE).is_success


def test_a_page_of_its_own_writes_with_the_password(server: Server) -> None:
    header = {"origin": server.url, "sec-fetch-site": "same-origin"}
    said = {"experiment_id": "0", "key": "note", "value": str(time.monotonic_ns())}
    with server.client("gatelatch", **header) as page:
        path = "/ajax-api/2.0/mlflow/experiments/set-experiment-tag"
        assert page.post(path, json=said).is_success


def test_another_host_name_is_refused(server: Server) -> None:
    with server.client("gatelatch", host="evil.example") as rebound:
        assert rebound.get("/api/2.0/mlflow/experiments/get?experiment_id=0").status_code == 403


def test_every_door_that_is_open_for_reading_only_reads() -> None:
    reads = {(m, p) for m, p in routes() if door(m, p) in (Door.READ, Door.OPEN)}
    assert {m for m, _ in reads} == {"GET", "POST"}
    searches = {p.split("mlflow/")[-1] for m, p in reads if m == "POST"}
    assert searches == {
        *("/graphql", "experiments/search", "experiments/search-datasets", "runs/search"),
        *("logged-models/search", "registered-models/get-latest-versions"),
    }


def test_what_starts_programs_or_calls_addresses_is_shut_for_everybody(server: Server) -> None:
    words = (
        "assistant",
        "gateway",
        "jobs",
        "webhooks",
        "invoke",
        "prompt",
        "mcp-servers",
        "scorer",
    )
    listed = {(m, p) for m, p in routes() if any(word in p for word in words)}
    assert len(listed) > 100
    with server.client("gatelatch") as writer, stands_still(server):
        for method, path in sorted(listed):
            assert knock(server, writer, method, path).status_code == 403, (method, path)
