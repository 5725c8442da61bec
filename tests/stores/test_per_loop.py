"""What belongs to an event loop: found again there, made anew elsewhere, and gone with it."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from transactions.stores.per_loop import PerLoop, done_on_loop, work_for


class Thing:
    """Something that serves one loop."""


async def twice(things: PerLoop[Thing]) -> list[Thing | None]:
    return [things.here(), things.made_here()]


def test_a_loop_finds_its_own_thing_again_also_after_another_loop_has_asked() -> None:
    things = PerLoop(Thing)
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first, found = one.run_until_complete(twice(things))
        of_other, found_by_other = other.run_until_complete(twice(things))
        again, _ = one.run_until_complete(twice(things))
    finally:
        one.close()
        other.close()
    assert first is found is again
    assert of_other is found_by_other
    assert first is not of_other


def test_a_thing_goes_with_its_loop() -> None:
    things = PerLoop(Thing)
    loop = asyncio.new_event_loop()
    made = weakref.ref(loop.run_until_complete(twice(things))[0])
    loop.close()
    del loop
    gc.collect()
    assert made() is None


def test_a_thing_that_was_dropped_is_not_found_again() -> None:
    things = PerLoop(Thing)

    async def drop() -> tuple[Thing | None, Thing | None]:
        first = things.here()
        things.drop(first)
        return first, things.made_here()

    first, found = asyncio.run(drop())
    assert first is not None
    assert found is None


async def where() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def fails() -> None:
    raise OSError("away")


def test_a_thread_that_works_for_a_loop_has_work_done_there_and_is_told_what_fails() -> None:
    async def ask() -> tuple[object, object, BaseException | None]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, initializer=work_for, initargs=(loop,)) as thread:
            found = await loop.run_in_executor(thread, done_on_loop, where)
            failed = thread.submit(done_on_loop, fails)
            await asyncio.wait([asyncio.wrap_future(failed)])
        return loop, found, failed.exception()

    loop, found, error = asyncio.run(ask())
    assert found is loop
    assert (type(error), str(error)) == (OSError, "away")


def test_a_thread_that_works_for_none_has_work_done_on_a_loop_of_its_own() -> None:
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(done_on_loop, where).result(30).is_closed()


def test_so_has_one_whose_loop_is_closed() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with ThreadPoolExecutor(1, initializer=work_for, initargs=(loop,)) as thread:
        assert thread.submit(done_on_loop, where).result(30) is not loop


def test_so_has_one_whose_loop_has_stopped() -> None:
    """As that of a server which ends is, while it waits for its threads."""
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1, initializer=work_for, initargs=(loop,)) as thread:
        assert thread.submit(done_on_loop, where).result(30) is not loop
    loop.close()


def test_whoever_waits_for_a_loop_that_stops_is_told() -> None:
    loop, asked = asyncio.new_event_loop(), threading.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    running = threading.Thread(target=loop.run_forever)
    running.start()
    with ThreadPoolExecutor(1, initializer=work_for, initargs=(loop,)) as thread:
        waiting = thread.submit(done_on_loop, never)
        assert asked.wait(30)
        loop.call_soon_threadsafe(loop.stop)
        running.join(30)
        with pytest.raises(RuntimeError, match="stopped"):
            waiting.result(30)
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
