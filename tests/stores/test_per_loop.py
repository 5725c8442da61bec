"""What belongs to an event loop: found again there, made anew elsewhere, and gone with it."""

import asyncio
import gc
import weakref

from transactions.stores.per_loop import PerLoop


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
