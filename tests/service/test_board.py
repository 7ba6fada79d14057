import asyncio
from typing import Any

import pytest

from unblur.service.board import Board
from unblur.service.order import Job, Order


def job(state: str) -> Job:
    order = Order("deblur", "wiener", {}, {}, "a.png")
    return Job(
        "a" * 22, "me", "f", order, state, 1, 0, False, "", 0.0, None, None, None, 1.0, None, None,
        None,
    )  # fmt: skip


class Table:
    state = "running"

    def get_all(self, _: Any) -> list[Job]:
        return [job(self.state)]


async def insist(task: "asyncio.Task[Any]") -> None:
    """Cancel again and again, as task groups do."""
    for _ in range(200):
        if task.done():
            return
        task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.02, 0.03])
def test_those_who_leave_keep_nobody(pause: float) -> None:
    table: Any = Table()

    async def play() -> Job:
        board = Board(table, 100)
        runner = asyncio.create_task(board.run())
        leaving = [asyncio.create_task(board.wait(job("running"), 60)) for _ in range(5)]
        staying = asyncio.create_task(board.wait(job("running"), 60))
        await asyncio.sleep(pause)
        board.changed()
        await asyncio.gather(*map(insist, leaving))
        table.state = "done"
        board.changed()
        done, _ = await asyncio.wait([staying], timeout=10)
        assert done, "the one who stayed hears nothing"
        found = staying.result()
        await insist(runner)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return found

    assert asyncio.run(play()).state == "done"
