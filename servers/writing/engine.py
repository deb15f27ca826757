"""The model engine: localise, ask for versions, try them all at once, and tell what failed what its tests say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from contracts.code_writer import ProposeParams, ProposeResult
from contracts.failure import sentence
from contracts.test_runner import (
    Candidate,
    CandidateResult,
    CoverageParams,
    CoverageResult,
    TryPatchesParams,
    TryPatchesResult,
)
from servers.search.engine import SUSPECTS_SHOWN, TRACING_SHARE
from servers.specialist import Call, Crew, ToolError
from servers.writing import page
from servers.writing.asker import Asker, Conversation, NoReply
from servers.writing.desk import Desk
from servers.writing.forms import Change, changed, form_for
from servers.writing.locate import Mismatch
from servers.writing.prompts import part, prompt
from servers.writing.replies import CODE, Reply
from servers.writing.scene import Scene, Target, scene
from servers.writing.score import Score, proposals, tried

ROUNDS = 2
"""Further rounds, in which versions that do not pass are told what fails."""
LEAST_TRYING_S = 60.0
"""What has been paid for is tried, also when the time is up."""


@dataclass
class Version:
    """One version's conversation, and what it has come to."""

    number: int
    target: Target
    talk: Conversation[Reply]
    change: Change | None = None
    result: CandidateResult | None = None
    why_not: str = ""


class ModelEngine:
    """Program repair by a model; the test runner judges what it writes."""

    def __init__(self, crew: Crew, clock: Callable[[], float] = time.monotonic) -> None:
        self._crew = crew
        self._clock = clock

    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Versions that make `params.failing` pass, the smallest first, with what was tried.

        Raises:
            ToolError: unavailable, when no model can be asked; budget, when one ended the asking; what repository
                and test runner say. It carries what was spent.
        """
        started = self._clock()
        asker, desk = Asker(self._crew, call, params.run), Desk(self._crew, call, params.run)
        preferred = (await asker.ready()).form
        await call.progress(0, None, "tracing the failing tests")
        tracing = CoverageParams(run=params.run, failing=params.failing, budget_s=params.budget_s * TRACING_SHARE)
        coverage = await self._crew.call("test_runner.coverage", tracing, CoverageResult, parent=call)
        seen = await scene(params, desk, coverage)
        score = Score(coverage.sandbox, known={each.patch_sha256 for each in params.feedback if each.patch_sha256})
        if coverage.failures and seen.targets:
            versions = list[Version]()
            for number in range(1, params.candidates + 1):
                target = seen.targets[(number - 1) % len(seen.targets)]
                form = form_for(preferred, target.path, target.text)
                system = prompt("repair").system.fill(form=part(f"form_{form}").text)
                talk = Conversation[Reply](asker, prompt("repair").reference, system, CODE[form], "change")
                talk.tell(_question(params, seen, target, number))
                versions.append(Version(number, target, talk))
            with asker.accounting():
                await self._rounds(params, asker, desk, versions, score, started + params.budget_s)
        else:
            score.notes.append(_nowhere(coverage, params))
        return ProposeResult(
            proposals=proposals(score, params.max_proposals),
            suspects=seen.suspects[:SUSPECTS_SHOWN],
            tried=tried(score, self._clock() - started),
            engine="model",
            note=" ".join(score.notes),
            sandbox=score.sandbox,
            spent=asker.spent,
        )

    async def _rounds(
        self, params: ProposeParams, asker: Asker, desk: Desk, versions: list[Version], score: Score, deadline: float
    ) -> None:
        """Have versions written and tried, until one passes, none can be written any more, or the time is up."""
        for number in range(ROUNDS + 1):
            await desk.call.progress(
                score.tried, None, f"round {number + 1}: asking for {page.count(len(versions), 'version')}"
            )
            await self._write(versions, score)
            asker.settle()
            fresh = _fresh(versions, score)
            if fresh:
                await self._try(params, desk.call, fresh, score, deadline)
            await desk.call.progress(
                score.tried, None, f"{page.count(score.tried, 'version')} tried, {len(score.plausible)} plausible"
            )
            if score.plausible:
                score.ended = "enough"
            versions = [each for each in versions if each.change and each.result and not each.why_not]
            if score.plausible or not versions or number == ROUNDS:
                break
            if self._clock() >= deadline:
                score.ended = "budget"
                score.notes.append("There was no time for another round.")
                break
            for version in versions:
                version.talk.tell(part("tried").fill(results=await _results(params, desk, version)))
        score.notes.insert(0, score.words)

    async def _write(self, versions: list[Version], score: Score) -> None:
        """The next change of each version."""

        async def write(version: Version) -> None:
            def use(reply: Reply) -> Change:
                change = changed(reply, version.target.path, version.target.text)
                if change.patch.sha256 in score.known:
                    raise Mismatch("This very change was tried, or turned down, before. Find another one.")
                return change

            version.change, version.result = None, None
            try:
                version.change = await version.talk.next(use)
            except NoReply as error:
                version.why_not = str(error)

        async with anyio.create_task_group() as writing:
            for version in versions:
                writing.start_soon(write, version)
        score.notes += [
            sentence(f"Version {each.number}: {page.cut(each.why_not, 600)}") for each in versions if each.why_not
        ]

    async def _try(
        self, params: ProposeParams, call: Call, fresh: Mapping[str, Version], score: Score, deadline: float
    ) -> None:
        began = self._clock()
        batch = TryPatchesParams(
            run=params.run,
            candidates=tuple(Candidate(id=name, diff=_diff(each)) for name, each in fresh.items()),
            failing=params.failing,
            budget_s=max(deadline - began, LEAST_TRYING_S),
            enough=len(fresh),
        )
        try:
            answer = await self._crew.call("test_runner.try_patches", batch, TryPatchesResult, parent=call)
        except ToolError as error:
            if error.failure.kind != "timeout":
                raise
            score.ended = "budget"
            score.notes.append(sentence(f"What the model wrote could not be tried in time: {error.failure.message}"))
            return
        score.trying_s += self._clock() - began
        score.sandbox = answer.sandbox
        for result in answer.results:
            version = fresh.get(result.id)
            if version is None or version.change is None or result.outcome == "untried":
                continue
            version.result = result
            score.note(version.change, result)


def _question(params: ProposeParams, seen: Scene, target: Target, number: int) -> str:
    return prompt("repair").user.fill(
        version=page.version(number, params.candidates),
        request=page.ticket(params.request),
        tests=seen.tests,
        failures=page.cases(seen.coverage.failures),
        path=page.name(target.path),
        suspects=", ".join(str(line) for line in target.lines[:10]) or "unknown",
        file=page.file(target.text, params.request, target.lines),
        others=page.code(seen.others),
        feedback=page.bullets(each.reason for each in params.feedback),
    )


def _fresh(versions: list[Version], score: Score) -> dict[str, Version]:
    """Versions whose patch was not tried yet, each patch once; the others end here."""
    found: dict[str, Version] = {}
    for version in versions:
        if version.change is None:
            continue
        digest = version.change.patch.sha256
        if digest in score.known:
            version.why_not = "the same patch was tried before"
        else:
            score.known.add(digest)
            found[str(version.number)] = version
    return found


def _diff(version: Version) -> str:
    return version.change.patch.diff if version.change else ""


async def _results(params: ProposeParams, desk: Desk, version: Version) -> str:
    """What the tests say of a version that did not pass, in words and with their reports."""
    outcome = version.result.outcome if version.result else "untried"
    failed = version.result.failed if version.result else ()
    words = {
        "failing": "The failing tests still fail:",
        "regressed": "The failing tests pass, but others that passed before do not:",
        "hung": "With it the tests do not end:",
        "crashed": "With it the test process died:",
        "invalid": "It does not compile:",
    }
    tests = tuple(dict.fromkeys([*params.failing, *failed]))
    try:
        ran = await desk.tests(tests, _diff(version))
    except ToolError as error:
        return f"{words.get(outcome, outcome)} {error.failure.message}"
    shown = page.cases(each for each in ran.cases if each.outcome in ("failed", "error"))
    return f"{words.get(outcome, outcome)} {ran.reason}\n\n{shown}"


def _nowhere(coverage: CoverageResult, params: ProposeParams) -> str:
    if not coverage.failures:
        return "The failing tests did not fail when they were traced, so the model was not asked."
    if params.paths:
        return "All files that were named are tests or to be avoided, so the model was not asked."
    return "No line outside of the tests could be connected with the failure, so the model was not asked."
