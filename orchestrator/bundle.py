"""The bundle: made from what the run knows, and written as a folder.

`bundle.json` (its sha256 is the digest the handoff gate shows), `changes.patch`, `summary.md`, and
`branch.bundle`, the branch as `git fetch` takes it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bus.crash import crash_point
from contracts import diff as diffs
from contracts.base import sha256
from contracts.bundle import Bundle, BundleFiles, CriterionStatus
from contracts.metrics import Metrics
from contracts.patch import Patch
from contracts.task import Criterion, Task
from contracts.test_runner import RunResult
from contracts.test_writer import NewTest
from contracts.workflow import Plan
from contracts.workspace import DiffResult, ExportResult
from orchestrator.compare import lowest, new_findings, outcomes, red, status
from orchestrator.errors import CouldNot
from orchestrator.job import Accepted, Opened, Seen
from orchestrator.risks import risks
from orchestrator.text import count
from orchestrator.words import counts

BRANCH_FILE = "branch.bundle"
FILES = ("bundle.json", "changes.patch", "summary.md", BRANCH_FILE)


def make(
    task: Task,
    plan: Plan,
    seen: Seen,
    opened: Opened,
    accepted: Accepted,
    diff: DiffResult,
    packed: ExportResult,
    metrics: Metrics,
) -> Bundle:
    """Everything a reviewer wants to know."""
    before, after = accepted.linted_before, accepted.linted_after
    old, new = before.findings if before else (), after.findings if after else ()
    findings_new = new_findings(old, new)
    rivals = tuple(each for each in accepted.patches.proposals if each != accepted.proposal)
    reports = [seen.suite.sandbox, accepted.suite.sandbox, accepted.patches.sandbox]
    sandbox = lowest([*reports, *(checked.sandbox for checked in (before, after) if checked)])
    added, removed = diffs.stat(diff.diff)
    return Bundle(
        run=plan.run,
        workflow=plan.workflow,
        request=plan.request,
        repo=task.repo,
        base=opened.base,
        branch=opened.branch,
        head=packed.head,
        branch_sha256=packed.sha256,
        commits=accepted.commits,
        patch=Patch.of(diff.diff, diff.files),
        added_lines=added,
        removed_lines=removed,
        failing=plan.failing or tuple(each.id for each in accepted.tests),
        before=status(seen.suite),
        after=status(accepted.suite),
        comparison=accepted.comparison,
        findings_new=findings_new,
        findings_gone=new_findings(new, old),
        proposal=accepted.proposal,
        rivals=rivals,
        tried=accepted.patches.tried,
        criteria=tuple(answered(task.criteria, accepted.tests, accepted.suite)),
        links=task.links,
        sandbox=sandbox,
        summary=accepted.proposal.summary if accepted.proposal else accepted.commits[-1].subject,
        risks=tuple(
            risks(
                files=diff.files,
                diff=diff.diff,
                proposal=accepted.proposal,
                rivals=len(rivals) if accepted.proposal else 0,
                comparison=accepted.comparison,
                sandbox=sandbox,
                findings_new=findings_new,
                linted=after is not None,
                still_red=len({*red(seen.suite)} & {*red(accepted.suite)}),
                notes=opened.notes,
                masked=metrics.spent.masked,
                engine=accepted.patches.engine,
                tests_written=bool(accepted.tests),
            )
        ),
        metrics=metrics,
    )


def answered(criteria: Sequence[Criterion], tests: Sequence[NewTest], suite: RunResult) -> Iterator[CriterionStatus]:
    """Each criterion with the passing tests that answer it: those written for it, and those it names.

    Without one, or where a test that it names does not pass, it counts as not verified.
    """
    ended = outcomes(suite)
    for criterion in criteria:
        words = {word.strip("`'\".,;:()") for word in criterion.text.split()}
        named = [test for test in ended if test in words]
        told = [test.id for test in tests if criterion.id in test.criteria]
        met_by = tuple(test for test in dict.fromkeys([*named, *told]) if ended.get(test) == "passed")
        met = bool(met_by) and met_by[: len(named)] == tuple(named)
        yield CriterionStatus(
            criterion=criterion, met_by=met_by if met else (), status="met" if met else "not verified"
        )


def write(folder: Path, bundle: Bundle, branch: Path) -> BundleFiles:
    """Write the folder, all of it or nothing; one that is there already and right is left alone.

    Raises:
        CouldNot: `branch` is not the file the bundle names, or the folder cannot be written.
    """
    if _stands(folder, bundle):
        return kept(folder, bundle)
    fresh = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        shutil.copyfile(branch, fresh / BRANCH_FILE)
        (fresh / "bundle.json").write_bytes(bundle.canonical())
        (fresh / "changes.patch").write_bytes(bundle.patch.diff.encode())
        (fresh / "summary.md").write_bytes(summary(bundle).encode())
        shutil.rmtree(folder, ignore_errors=True)
        crash_point("bundle.before_rename")
        fresh.rename(folder)
        crash_point("bundle.after_rename")
    except OSError as error:
        raise CouldNot(
            f"The bundle could not be written to {folder}: {error.strerror or error}.",
            "Make room, or set PODIUM_STATE_DIR to a folder that can be written.",
        ) from error
    return kept(folder, bundle)


def kept(folder: Path, bundle: Bundle) -> BundleFiles:
    """What is in the folder.

    Raises:
        CouldNot: the branch in it is not the one that was shown.
    """
    branch_file(folder, bundle)
    return BundleFiles(directory=str(folder), files=FILES, bundle_sha256=bundle.digest())


def branch_file(folder: Path, bundle: Bundle) -> Path:
    """The branch's file in a bundle's folder.

    Raises:
        CouldNot: it is not there, or not the one that was shown.
    """
    if not _is(folder / BRANCH_FILE, bundle.branch_sha256):
        raise CouldNot(f"{folder / BRANCH_FILE} is not the file that was shown.", "Start the run again.")
    return folder / BRANCH_FILE


def _stands(folder: Path, bundle: Bundle) -> bool:
    return (
        all((folder / name).is_file() for name in FILES)
        and _is(folder / BRANCH_FILE, bundle.branch_sha256)
        and _is(folder / "bundle.json", bundle.digest())
        and _is(folder / "changes.patch", bundle.patch.sha256)
        and _is(folder / "summary.md", sha256(summary(bundle).encode()))
    )


def _is(file: Path, digest: str) -> bool:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == digest
    except OSError:
        return False


def summary(bundle: Bundle) -> str:
    """The bundle for people, in Markdown."""
    tests = "\n".join(f"- `{test}`" for test in bundle.failing)
    criteria = _criteria(bundle)
    risky = "\n".join(f"- {risk}" for risk in bundle.risks) or "- None found; that is not proof that there are none."
    fence = "`" * max(3, *(len(run) + 1 for run in _backticks(bundle.patch.diff)))
    return f"""# {bundle.summary}

Branch `{bundle.branch}` of run `{bundle.run}`: {count(len(bundle.commits), "commit")} on `{bundle.base[:12]}`,
+{bundle.added_lines} −{bundle.removed_lines} lines. Plausible by the evidence below; whether it is right is
for the person who merges it to say.

{bundle.request}{_links(bundle)}

## Tests

{"Failing before" if bundle.tried else "Written for it"}:

{tests}

| | outcome | tests |
| --- | --- | --- |
| before | {bundle.before.outcome} | {counts(bundle.before.counts)} |
| after | {bundle.after.outcome} | {counts(bundle.after.counts)} |

{bundle.comparison.reason}.
{criteria}
## Risks

{risky}

## Change

{fence}diff
{bundle.patch.diff.rstrip()}
{fence}
"""


def _backticks(text: str) -> list[str]:
    return ["", "", *(run for run in "".join(c if c == "`" else " " for c in text).split())]


def _links(bundle: Bundle) -> str:
    return "".join(f"\n\nSee {link}" for link in bundle.links)


def _criteria(bundle: Bundle) -> str:
    if not bundle.criteria:
        return ""
    rows = "\n".join(
        f"| {' '.join(each.criterion.text.split()).replace('|', '/')} | {each.status} "
        f"| {', '.join(f'`{test}`' for test in each.met_by)} |"
        for each in bundle.criteria
    )
    return f"""
## Acceptance criteria

Which test answers which criterion is what the tests' writer says, or the criterion itself; that they pass was seen.

| criterion | | by |
| --- | --- | --- |
{rows}
"""
