"""The search engine: localise, list the edits, try them, rank what passes."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import anyio

from contracts.code_writer import Proposal, ProposeParams, ProposeResult, Suspect, Tried
from contracts.test_runner import CoverageParams, CoverageResult
from servers.search import clues, localise, nonsense, rank
from servers.search.candidates import Edit, candidates
from servers.search.files import Files
from servers.search.localise import Place
from servers.search.source import FUNCTIONS, Source
from servers.search.templates import ALL
from servers.search.trial import Trial, as_patch
from servers.specialist import Call, Crew

MAX_FILES = 25
SUSPECTS_SHOWN = 20
TRACING_SHARE = 0.3
"""The share of the budget that tracing may take: the edits need the rest."""
NAMED = 1.2
SPARED = 0.3

_SPARED = r"\b(?:not|avoid|leave|except|without)\W+(?:\w+\W+){0,3}?"


class SearchEngine:
    """Program repair without a model; asks the repository for text and the test runner for verdicts."""

    def __init__(self, crew: Crew, clock: Callable[[], float] = time.monotonic) -> None:
        self._crew = crew
        self._clock = clock

    async def propose(self, params: ProposeParams, call: Call) -> ProposeResult:
        """Small edits that make `params.failing` pass, best first, with what was tried.

        Raises:
            ToolError: what the repository or the test runner says.
        """
        started = self._clock()
        deadline = started + params.budget_s
        await call.progress(0, None, "tracing the failing tests")
        tracing = CoverageParams(run=params.run, failing=params.failing, budget_s=params.budget_s * TRACING_SHARE)
        coverage = await self._crew.call("test_runner.coverage", tracing, CoverageResult, parent=call)
        suspects = localise.suspects(coverage, params.failing, params.avoid)
        notes: list[str] = [] if coverage.complete else ["Tracing ended early; not every test was looked at."]
        files = Files(self._crew, params.run, call)
        sources = [source for path in _paths(suspects) if (source := await files.source(path, notes))]
        said = clues.read(coverage.failures)
        places = _weighed(_places(sources, suspects), params)
        edits = await anyio.to_thread.run_sync(partial(candidates, places, said, ALL))
        trial = Trial(
            crew=self._crew,
            call=call,
            params=params,
            clock=self._clock,
            deadline=deadline,
            rejects=partial(nonsense.nonsense, test_literals=await _test_literals(files, params.failing)),
            sandbox=coverage.sandbox,
        )
        await trial.run(edits)
        summary = _summary(coverage, sources, places, edits, trial)
        return ProposeResult(
            proposals=_proposals(trial, params.max_proposals),
            suspects=suspects[:SUSPECTS_SHOWN],
            tried=_tried(trial, self._clock() - started),
            note=" ".join([*summary, *notes]),
            sandbox=trial.sandbox,
        )


def _paths(suspects: Sequence[Suspect]) -> list[str]:
    """The files of the suspects, most suspicious first."""
    return list(dict.fromkeys(suspect.path for suspect in suspects))[:MAX_FILES]


def _places(sources: Sequence[Source], suspects: Sequence[Suspect]) -> list[Place]:
    scores: dict[str, dict[int, float]] = {}
    for suspect in suspects:
        scores.setdefault(suspect.path, {})[suspect.line] = suspect.score
    return [place for source in sources for place in localise.places(source, scores[source.path])]


def _weighed(places: list[Place], params: ProposeParams) -> list[Place]:
    """Functions a person names count more; those a person wants left alone, less."""
    words = " ".join([params.request, *(feedback.reason for feedback in params.feedback)])

    def factor(place: Place) -> float:
        function = place.source.enclosing(place.statement, FUNCTIONS)
        if function is None or len(function.name) < 4 or not re.search(rf"\b{function.name}\b", words):
            return 1.0
        return SPARED if re.search(_SPARED + rf"\b{function.name}\b", words) else NAMED

    return [replace(place, score=place.score * factor(place)) for place in places]


async def _test_literals(files: Files, failing: Sequence[str]) -> frozenset[tuple[type, nonsense.Literal]]:
    """The literals in the failing tests' own functions."""
    found: list[ast.AST] = []
    for path in dict.fromkeys(test.split("::", 1)[0] for test in failing):
        source = await files.source(path, []) if path.endswith(".py") else None
        named = {test.rsplit("::", 1)[-1].split("[", 1)[0] for test in failing}
        for node in source.statements if source else ():
            if isinstance(node, FUNCTIONS) and node.name in named:
                found.append(node)
    return nonsense.literals(found)


def _proposals(trial: Trial, limit: int) -> tuple[Proposal, ...]:
    found = rank.ranked(trial.plausible)
    return tuple(
        Proposal(
            patch=as_patch(each.edit),
            summary=f"{each.edit.source.path}:{each.edit.line}: {each.edit.what}",
            evidence=each.evidence,
            rank_reasons=rank.reasons(each, len(found) - 1),
        )
        for each in found[:limit]
    )


def _tried(trial: Trial, elapsed_s: float) -> Tried:
    return Tried(
        candidates=trial.tried,
        plausible=len(trial.plausible),
        failing=trial.tally["failing"],
        regressed=trial.tally["regressed"],
        hung=trial.tally["hung"],
        crashed=trial.tally["crashed"],
        invalid=trial.tally["invalid"],
        degenerate=len(trial.nonsense),
        elapsed_s=round(elapsed_s, 3),
        per_s=round(trial.tried / trial.trying_s, 1) if trial.trying_s else 0.0,
        ended=trial.ended,
    )


def _summary(
    coverage: CoverageResult, sources: Sequence[Source], places: Sequence[Place], edits: Sequence[Edit], trial: Trial
) -> list[str]:
    """What was done, in plain words."""
    if not coverage.failures:
        return ["The failing tests did not fail when they were traced, so there is nothing to look for."]
    if not places:
        return ["No line outside of the tests could be connected with the failure."]
    kinds = len({edit.template for edit in edits[: trial.tried]})
    lines = [
        f"Tried {trial.tried} of {len(edits)} small edits of {kinds} kinds at {len(places)} statements "
        f"in {len(sources)} file{'s' if len(sources) != 1 else ''}."
    ]
    if trial.plausible:
        lines.append("Passing the tests makes an edit plausible; whether it is right is for a person to say.")
    else:
        lines.append("None makes the tests pass. A repair that adds or rewrites statements is beyond this engine.")
    for edit in trial.unconfirmed[:3]:
        lines.append(
            f"Unconfirmed, because the time was up: {edit.source.path}:{edit.line} ({edit.what}) makes the failing "
            "tests pass; the whole suite was not run with it."
        )
    if trial.flaky:
        lines.append(f"Flaky, and not counted against any edit: {', '.join([*trial.flaky][:5])}.")
    for edit, reason in trial.nonsense[:3]:
        lines.append(f"Rejected although the tests pass: {edit.source.path}:{edit.line} ({edit.what}): {reason}.")
    return lines
