"""Budgets: refused before the request, with what was spent and on what; spending is folded from the ledger."""

from __future__ import annotations

from decimal import Decimal

import anyio
import pytest

from bus.lives import FIRST, Life
from contracts.spending import Allowance
from servers.model import GIVE_UP_AFTER
from servers.specialist import ToolError
from tests.model.rig import GOOD, RUN, MemoryLedger, Rig, budgets, rig
from tests.model.script import Asked, Step

ANSWER = {"reply": GOOD}
AGAIN = {"rules": [{"steps": [ANSWER], "again": True}]}


async def refused(at: Rig, caller: str = "code_writer", max_tokens: int = 1000) -> ToolError:
    """What asking is refused with; the endpoint is not asked."""
    before = len(at.endpoint.requests)
    with pytest.raises(ToolError) as failed:
        await at.complete(caller, max_tokens=max_tokens)
    assert failed.value.failure.kind == "budget"
    assert len(at.endpoint.requests) == before
    return failed.value


async def test_a_call_that_could_cost_more_than_the_run_may_spend_is_not_made():
    # 1,000 tokens of output at $10 a million are a cent.
    async with rig([ANSWER], MemoryLedger(budgets(usd="0.005"))) as at:
        error = await refused(at)
    assert "1,000 out" in str(error)
    assert "$0.0050 in all" in str(error)
    assert "spent so far: nothing" in str(error)
    assert "--budget-usd" in error.failure.way_out


async def test_what_is_spent_is_missing_from_the_budget_and_told_by_agent():
    # The worst case is $0.011, what an answer costs is half of it: a third one does not fit into two cents.
    dear = {"reply": GOOD, "usage": {"input_tokens": 100, "output_tokens": 500}}
    async with rig({"rules": [{"steps": [dear], "again": True}]}, MemoryLedger(budgets(usd="0.02"))) as at:
        for agent in ("code_writer", "orchestrator"):
            await at.complete(agent)
        error = await refused(at)
    assert (
        "spent so far: $0.0102 (2 requests, 1,200 tokens), of that code_writer $0.0051 (1 request, 600 tokens), "
        "orchestrator $0.0051 (1 request, 600 tokens)"
    ) in str(error)


async def test_a_run_that_was_interrupted_goes_on_with_what_it_had_spent():
    ledger = MemoryLedger(budgets(calls=2))
    async with rig(AGAIN, ledger) as at:
        await at.complete()
    ledger.answers += [("orchestrator", {"endpoint": "scripted", "ready": True}), *ledger.answers]
    async with rig(AGAIN, ledger) as at:
        error = await refused(at)
    assert "2 requests in all" in str(error)
    assert "(2 requests, 240 tokens)" in str(error)


async def test_other_runs_spend_their_own():
    ledger = MemoryLedger(budgets(calls=1))
    async with rig(AGAIN, ledger) as at:
        done = await at.complete()
    ledger.answers[:] = [("code_writer", done.model_copy(update={"run": "r-other"}).model_dump(mode="json"))]
    async with rig(AGAIN, ledger) as at:
        assert (await at.complete()).outcome == "ok"


async def test_an_agent_has_a_budget_of_its_own():
    async with rig(AGAIN, MemoryLedger(budgets(agent=Allowance(tokens=3000)))) as at:
        for _ in range(3):
            await at.complete("orchestrator", max_tokens=3000)
        error = await refused(at, "code_writer", max_tokens=3000)
        assert (await at.complete("code_writer")).outcome == "ok"
    assert "code_writer may spend 3,000 tokens" in str(error)
    assert "[budgets.agents.code_writer]" in error.failure.way_out


async def test_money_cannot_be_limited_for_a_model_without_a_price():
    async with rig(AGAIN, MemoryLedger(budgets(usd=100)), priced=False) as at:
        error = await refused(at)
    assert "no known price" in error.failure.way_out
    async with rig(AGAIN, MemoryLedger(budgets(tokens=100_000)), priced=False) as at:
        result = await at.complete()
    assert (result.outcome, result.spent.cost_usd, result.priced_at) == ("ok", None, "")


async def test_a_repeated_request_is_held_against_the_budget_and_what_was_spent_is_kept():
    script = [{"reply": GOOD, "break_after": 3}, ANSWER]
    async with rig(script, MemoryLedger(budgets(calls=1))) as at:
        result = await at.complete()
    assert (result.outcome, len(at.endpoint.requests), result.spent.requests) == ("unavailable", 1, 1)
    assert result.failure is not None
    assert result.failure.kind == "budget"


async def test_requests_that_were_turned_away_cost_nothing():
    async with rig([{"status": 529}, {"status": 529}, ANSWER], MemoryLedger(budgets(calls=1))) as at:
        result = await at.complete()
    assert (result.outcome, result.retries, result.spent.requests) == ("ok", 2, 1)


async def test_calls_at_the_same_time_cannot_overdraw_together_and_an_abandoned_one_is_paid_for():
    arrived = anyio.Event()

    def script(asked: Asked) -> Step:
        arrived.set()
        return Step(reply=GOOD, hang_after=1)

    async with rig(script, MemoryLedger(budgets(calls=1))) as at:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at.complete)
            with anyio.fail_after(20):
                await arrived.wait()
            assert "1 more under way" in str(await refused(at))
            tasks.cancel_scope.cancel()
        assert "(1 request, " in str(await refused(at))


async def test_a_request_that_was_lost_with_its_server_counts_as_the_most_it_could_cost():
    ledger = MemoryLedger(budgets(calls=3))
    async with rig(AGAIN, ledger) as at:
        result = await at.complete(life=FIRST.next())
    assert (result.outcome, len(at.endpoint.requests), result.spent.requests, result.retries) == ("ok", 1, 2, 1)
    assert result.spent.usage.output_tokens == 1000 + 20
    assert result.spent.cost_usd is not None
    assert Decimal("0.01") < result.spent.cost_usd < Decimal("0.012")
    async with rig(AGAIN, ledger) as at:
        assert (await at.complete()).outcome == "ok"
        assert "(3 requests, " in str(await refused(at)), "a server that is started again knows of it"


async def test_what_was_lost_is_missing_from_the_budget_of_the_call_that_is_made_again():
    async with rig([ANSWER], MemoryLedger(budgets(usd="0.02"))) as at:
        result = await at.complete(life=FIRST.next())
    assert (result.outcome, at.endpoint.requests, result.spent.requests) == ("unavailable", [], 1)
    assert result.failure is not None
    assert result.failure.kind == "budget"
    assert "spent so far: $0.0109 (1 request" in result.failure.message


async def test_a_call_whose_server_ends_over_it_again_and_again_is_given_up_with_what_it_cost():
    ledger = MemoryLedger()
    async with rig([ANSWER], ledger) as at:
        result = await at.complete(life=Life(number=6, deaths=GIVE_UP_AFTER))
    assert (result.outcome, at.endpoint.requests, result.spent.requests) == ("unavailable", [], 5)
    assert result.failure is not None
    assert result.failure.retry is False
    assert "ended 3 times" in result.failure.message


async def test_the_ledgers_word_is_needed():
    async with rig([ANSWER]) as at:
        with pytest.raises(ToolError, match="knows no run") as failed:
            await at.complete(run="r-unknown")
    assert (failed.value.failure.kind, at.endpoint.requests) == ("invalid", [])


async def test_what_is_told_is_what_is_summed():
    async with rig(AGAIN, MemoryLedger(budgets(usd=1))) as at:
        results = [await at.complete() for _ in range(3)]
    assert sum((each.spent.cost_usd or Decimal(0) for each in results), Decimal(0)) == Decimal("0.0009")
    assert {each.run for each in results} == {RUN}
