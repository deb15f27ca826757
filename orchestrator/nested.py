"""Agents' own calls, in a replay: nobody makes them again, so they are held against what was signed of them.

An agent signs an account of what it asked on behalf of a call (`bus.nested`), and what that cost; the run's events hold
the digest of its result, and the cost. So an exchange that is missing, was changed or belongs nowhere is found out,
unless everybody who signed something about it, up to the orchestrator, has signed the other thing as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

from bus.nested import Account, account_of, nested_id
from bus.wire import arguments_sha256, correlation_of, failure_of
from contracts.base import sha256
from contracts.run import CallIntendedEvent
from contracts.spending import NOTHING, Spending
from orchestrator.auditing.records import spent_of
from orchestrator.errors import Diverged
from orchestrator.exchanges import Exchange
from orchestrator.recording import Contents
from orchestrator.seals import ORCHESTRATOR


def check_nested(run: str, contents: Contents) -> None:
    """See that every call has its place below one that the run's events speak of, and is what was signed of it.

    Raises:
        Diverged: at the step of the call; the digests are of what was signed, and of what stands there.
    """
    made = {each.subject.call_id: each for each in contents.exchanges}
    whats = (event.what for event in contents.events)
    intents = {what.call_id: what for what in whats if isinstance(what, CallIntendedEvent)}
    below: dict[str, list[Exchange]] = {}
    for each in contents.exchanges:
        if each.subject.caller == ORCHESTRATOR:
            _check_intended(run, each, intents)
        else:
            _check_parent(run, each, made)
            below.setdefault(correlation_of(each.request).parent, []).append(each)
    strays = {kept.subject: sha256(kept.body) for kept in contents.foreign}
    for each in contents.exchanges:
        family = _Family(run, each, below.get(each.subject.call_id, []), strays)
        family.check_ids()
        family.check_account()
        family.check_spending()


def _check_intended(run: str, call: Exchange, intents: Mapping[str, CallIntendedEvent]) -> None:
    intent, subject, step = intents.get(call.subject.call_id), call.subject, correlation_of(call.request).step
    if intent is None or (intent.server, intent.tool, intent.step) != (subject.server, subject.tool, step):
        raise Diverged(run, step, "no such call", _name(call), ("", sha256(call.call.body)))


def _check_parent(run: str, call: Exchange, made: Mapping[str, Exchange]) -> None:
    about, found = correlation_of(call.request), sha256(call.call.body)
    parent = made.get(about.parent)
    if parent is None or parent.subject.server != call.subject.caller:
        raise Diverged(
            run, about.step, f"no call to {call.subject.caller} that it belongs to", _name(call), ("", found)
        )
    above = correlation_of(parent.request)
    if (about.run, about.step) != (above.run, above.step):
        stands = f"{_name(call)}, for {about.step} of {about.run}"
        raise Diverged(run, above.step, f"a call for {above.step} of {above.run}", stands, ("", found))


@dataclass(frozen=True)
class _Family:
    """A call, and the calls that were made on its behalf."""

    run: str
    parent: Exchange
    nested: Sequence[Exchange]
    strays: Mapping[str, str]
    """sha256 of messages that have no place, by subject."""

    @cached_property
    def account(self) -> Account | None:
        return account_of(self.parent.answer) if self.parent.result else None

    def check_ids(self) -> None:
        """Ids are derived from what is asked; so parameters cannot be changed, nor a call be passed off as another."""
        above = self.parent.subject.call_id
        known = {each.subject.call_id for each in self.nested} | (self.account or Account()).answers.keys()
        for each in self.nested:
            tool, digest = f"{each.subject.server}.{each.subject.tool}", arguments_sha256(each.call.body)
            derived = (nested_id(above, tool, digest, nth) for nth in range(1, len(known) + 1))
            if each.subject.call_id not in derived:
                was = f"{tool} with the parameters that the id {each.subject.call_id} is derived from"
                raise self._diverged(was, f"{_name(each)} with parameters sha256 {digest}", "", digest)

    def check_account(self) -> None:
        """What the agent was told stands there; beyond that, only what an execution that was cut short has asked."""
        if self.account is None:
            return
        nested = {each.subject.call_id: each for each in self.nested}
        for call_id, told in self.account.answers.items():
            if told:
                self._check_answer(call_id, nested.get(call_id), told)
        extra = next((each for call_id, each in nested.items() if call_id not in self.account.answers), None)
        if extra is not None and self.account.attempt == 1:
            was = f"no such call in the account that {extra.subject.caller} signed"
            raise self._diverged(was, _name(extra), self.account.digest(), sha256(extra.call.body))

    def _check_answer(self, call_id: str, call: Exchange | None, told: str) -> None:
        if call is None:
            was = f"call {call_id} of {self.parent.subject.server}, answered with sha256 {told}"
            raise self._diverged(was, "no such call that has a place", told, "")
        was = f"{_name(call)}, answered with sha256 {told}"
        if call.result is None:
            stray = self.strays.get(call.subject.result, "")
            raise self._diverged(was, "no answer that has a place", told, stray)
        found = sha256(call.result.body)
        if found != told:
            raise self._diverged(was, f"an answer of sha256 {found}", told, found)

    def check_spending(self) -> None:
        """What the agent says it has spent is what the answers it was told come to; a failure may say nothing of it."""
        claimed = spent_of(self.parent.answer)
        if self.parent.result is None or not self.nested or (claimed is None and failure_of(self.parent.answer)):
            return
        account = self.account
        told = [each for each in self.nested if account is None or account.answers.get(each.subject.call_id)]
        total = _amounts(reduce(Spending.plus, (spent_of(each.answer) or NOTHING for each in told), NOTHING))
        claimed = _amounts(claimed or NOTHING)
        if claimed != total:
            was = f"{self.parent.subject.server} spent {_figures(claimed)}"
            stands = f"the answers to its calls come to {_figures(total)}"
            raise self._diverged(was, stands, claimed.digest(), total.digest())

    def _diverged(self, was: str, stands: str, was_sha256: str, stands_sha256: str) -> Diverged:
        step = correlation_of(self.parent.request).step
        return Diverged(self.run, step, was, stands, (was_sha256, stands_sha256))


def _name(call: Exchange) -> str:
    subject = call.subject
    return f"{subject.server}.{subject.tool} asked by {subject.caller}"


def _amounts(spending: Spending) -> Spending:
    return spending.model_copy(update={"masked": ()})


def _figures(spending: Spending) -> str:
    cost = "an unknown sum" if spending.cost_usd is None else f"${spending.cost_usd}"
    return f"{spending.usage.total:,} tokens in {spending.requests} requests for {cost}"
