"""What dies, and what lives on: the server, a worker, a child, at any moment."""

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

Starts = Callable[..., Any]
SERVE = ("serve", "--port", "0", "--no-ui", "--workers", "1", "--queue", "100")

ALONE = ("serve", "--port", "0", "--no-ui", "--workers", "0", "--queue", "100")


def post(address: str, order: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return httpx.post(f"{address}/v1/jobs", headers=headers, timeout=60, **order)


def settle(address: str, jobs: list[str], seconds: float = 120) -> dict[str, str]:
    """Wait until all have come to their end; give the state of each."""
    until = time.monotonic() + seconds
    with httpx.Client(base_url=address, timeout=60) as client:
        while True:
            states = {job: client.get(f"/v1/jobs/{job}").json()["state"] for job in jobs}
            if not {"queued", "running"} & set(states.values()):
                return states
            assert time.monotonic() < until, states
            time.sleep(0.2)


def children(program: Any) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children(recursive=True)


def test_what_was_accepted_is_done_after_a_kill(
    program_in: Starts, order: dict[str, Any], tmp_path: Path
) -> None:
    first = program_in(*SERVE)
    jobs = [post(first.address, order).json()["id"] for _ in range(4)]
    orphans = children(first)
    first.kill()
    second = program_in(*SERVE)
    assert set(settle(second.address, jobs).values()) == {"done"}
    gone, _ = psutil.wait_procs(orphans, 20)
    assert len(gone) == len(orphans), "a child outlived its worker"
    assert not list((tmp_path / "service").rglob("*.part"))


def test_kills_at_random_lose_nothing_and_deliver_nothing_twice(
    program_in: Starts, order: dict[str, Any], tmp_path: Path
) -> None:
    """A server and a worker share the table; each in turn is killed while jobs come in."""
    chance = random.Random(5)  # noqa: S311 - to be repeated, not to be secret
    server = program_in(*ALONE)
    worker = program_in("worker", "--workers", "1")
    jobs: list[str] = []
    for turn in range(3):
        for _ in range(2):
            answer = post(server.address, order, key=f"{turn}-{len(jobs)}")
            assert answer.status_code == 202, answer.text
            jobs.append(answer.json()["id"])
        time.sleep(chance.uniform(0.0, 3.0))
        if turn % 2:
            server.kill()
            server = program_in(
                "serve", "--port", "0", "--no-ui", "--workers", "0", "--queue", "100"
            )
        else:
            worker.kill()
            worker = program_in("worker", "--workers", "1")
    states = settle(server.address, jobs, 150)
    assert set(states.values()) == {"done"}
    worker.stop()
    server.stop()
    with sqlite3.connect(tmp_path / "service" / "jobs.sqlite") as table:
        rows = table.execute("SELECT id, state, attempt FROM unblur_jobs").fetchall()
    table.close()
    assert sorted(row[0] for row in rows) == sorted(jobs)
    for job, _, attempt in rows:
        folders = [p.name for p in (tmp_path / "service" / "files" / job).iterdir() if p.is_dir()]
        assert str(attempt) in folders


def test_a_child_that_dies_is_replaced(service: Any, order: dict[str, Any]) -> None:
    for child in children(service):
        child.kill()
    job = post(service.address, order).json()["id"]
    assert settle(service.address, [job]) == {job: "done"}


def test_stopping_lets_running_jobs_end(program_in: Starts, order: dict[str, Any]) -> None:
    program = program_in(*SERVE)
    jobs = [post(program.address, order).json()["id"] for _ in range(2)]
    program.process.send_signal(signal.SIGTERM)
    refused = False
    try:
        for _ in range(100):
            answer = post(program.address, order)
            if answer.status_code == 503:
                assert answer.json()["code"] == "shutting_down"
                assert int(answer.headers["retry-after"]) > 0
                refused = True
                break
            jobs.append(answer.json()["id"])
    except httpx.TransportError:
        pass  # the doors were closed before the second request
    assert program.stop() == 0
    again = program_in(*SERVE)
    assert set(settle(again.address, jobs).values()) == {"done"}
    assert refused or len(jobs) >= 2


def test_limits_of_time_and_memory_end_the_job_not_the_service(
    program_in: Starts, order: dict[str, Any]
) -> None:
    program = program_in(*SERVE, "--job-memory", "100MB")
    job = post(program.address, order).json()["id"]
    assert settle(program.address, [job]) == {job: "failed"}
    shown = httpx.get(f"{program.address}/v1/jobs/{job}").json()
    assert shown["error"]["code"] in ("memory_limit", "out_of_memory")
    assert shown["error"]["status"] == 413
    assert httpx.get(f"{program.address}/healthz").status_code == 200


def test_a_full_queue_says_when_to_come_again(
    program_in: Starts, order: dict[str, Any], tmp_path: Path
) -> None:
    program = program_in("serve", "--port", "0", "--no-ui", "--workers", "0", "--queue", "2")
    answers = [post(program.address, order) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
    assert answers[2].json()["code"] == "queue_full"
    assert (tmp_path / "service").stat().st_mode & 0o077 == 0, "others may read what was sent"
    assert int(answers[2].headers["retry-after"]) >= 1
    program.stop()


def test_other_addresses_need_tokens_and_users_are_apart(
    program_in: Starts, order: dict[str, Any], tmp_path: Path, command: Any
) -> None:
    file = tmp_path / "tokens"
    assert "can be reached by others" in command("serve", "--host", "192.0.2.1").err
    tokens = {
        name: command("serve", "--tokens", file, "--new-token", name).out.strip()
        for name in ("anna", "bert")
    }
    assert file.stat().st_mode & 0o077 == 0
    assert not any(token in file.read_text() for token in tokens.values())
    assert "there is one" in command("serve", "--tokens", file, "--new-token", "anna").err

    program = program_in(*SERVE[:-4], "--workers", "0", "--tokens", str(file))
    with httpx.Client(base_url=program.address) as client:
        refused = client.post("/v1/jobs", **order)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        for wrong in ("Bearer x", "Bearer", "Basic !!", "Basic YTpi", tokens["anna"]):
            assert client.get("/v1/methods", headers={"authorization": wrong}).status_code == 401
        assert client.get("/healthz").status_code == 200
        anna, bert = ({"authorization": f"Bearer {tokens[name]}"} for name in ("anna", "bert"))
        job = client.post("/v1/jobs", headers=anna, **order).json()["id"]
        assert client.get(f"/v1/jobs/{job}", headers=anna).status_code == 200
        assert client.get(f"/v1/jobs/{job}", headers=bert).status_code == 404
        assert client.delete(f"/v1/jobs/{job}", headers=bert).status_code == 404
        assert client.get("/v1/methods", auth=("bert", tokens["bert"])).status_code == 200
        assert client.get("/v1/methods", auth=("anna", tokens["bert"])).status_code == 401
    program.stop()


def test_what_cannot_be_is_told_with_its_option(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    home = ("--database", f"sqlite:///{tmp_path / 'jobs.sqlite'}", "--port", "0")
    assert "--store" in command("serve", *home, "--store", file / "x").err
    for option in ("--max-body", "--job-memory"):
        told = command("serve", *home, "--store", tmp_path / "store", option, "foo").err
        assert f"{option} must be" in told


def test_several_machines_share_postgresql(
    program_in: Starts, order: dict[str, Any], postgres: str, tmp_path: Path
) -> None:
    """A server without workers, two workers with homes of their own, one of them killed."""
    shared = {"UNBLUR_DATABASE": postgres, "UNBLUR_STORE": str(tmp_path / "store")}
    server = program_in(*SERVE[:-4], "--workers", "0", "--queue", "100", **shared)
    one, two = (
        program_in("worker", "--workers", "1", folder=tmp_path / name, **shared)
        for name in ("one", "two")
    )
    jobs = [post(server.address, order).json()["id"] for _ in range(6)]
    time.sleep(0.5)
    one.kill()
    assert set(settle(server.address, jobs).values()) == {"done"}
    assert two.stop() == 0
    assert httpx.get(f"{server.address}/v1/jobs/{jobs[0]}/result").content[1:4] == b"PNG"
    server.stop()
