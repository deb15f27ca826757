"""The steps of the loop from a change that holds to the branch in the person's repository."""

from __future__ import annotations

from anyio import to_thread

from bus.errors import CallFailed
from contracts.bundle import Bundle, BundleFiles
from contracts.run import RunHandedOverEvent
from contracts.workflow import Plan
from contracts.workspace import CloseParams, CloseResult, DiffParams, DiffResult, ExportParams, ExportResult
from orchestrator import bundle as bundles
from orchestrator.engine import Engine
from orchestrator.job import Accepted, Job, Opened, Seen
from orchestrator.journal import Notes
from orchestrator.ports import Delivered


async def finalize(run: Engine, job: Job, plan: Plan, seen: Seen, opened: Opened, accepted: Accepted) -> Bundle:
    """Put together what is handed over, and write it to the bundle's folder."""
    async with run.step("finalize") as step:
        diff = await step.call("workspace.diff", DiffParams(run=plan.run, base=opened.base), DiffResult)
        packed = await step.call("workspace.export", ExportParams(run=plan.run, base=opened.base), ExportResult)

        async def make() -> Bundle:
            return bundles.make(job.task, plan, seen, opened, accepted, diff, packed, run.metrics())

        bundle = await step.record("bundle", make, Bundle)
        folder, source = job.paths.bundles / plan.run, job.paths.work / plan.run / packed.file
        # A value like any other that comes from outside: a replay finds it written down, and writes nothing.
        written = await step.record(
            "written", lambda: to_thread.run_sync(bundles.write, folder, bundle, source), BundleFiles
        )
        step.summary = written.directory
        return bundle


async def hand_over(run: Engine, job: Job, bundle: Bundle) -> RunHandedOverEvent:
    """Create the branch in the person's repository."""
    folder = job.paths.bundles / bundle.run

    async def deliver() -> Delivered:
        file = await to_thread.run_sync(bundles.branch_file, folder, bundle)
        return await job.checkout.deliver(job.task, file, bundle.base, bundle.head)

    async with run.step("handover") as step:
        kept = await step.record("bundle", lambda: to_thread.run_sync(bundles.kept, folder, bundle), BundleFiles)
        delivered = await step.record("delivered", deliver, Delivered)
        step.summary = " ".join([f"{delivered.branch} at {delivered.head[:12]}", *delivered.notes])
    return RunHandedOverEvent(
        branch=delivered.branch, head=delivered.head, bundle=kept.directory, bundle_sha256=kept.bundle_sha256
    )


async def withdraw(notes: Notes, job: Job) -> str:
    """Take back what was delivered of a run that is aborted, whether or not that was written down; what stays."""
    bundle = notes.values.get("finalize/bundle")
    return "" if bundle is None else await job.checkout.withdraw(job.task, Bundle.model_validate(bundle.value).head)


async def close(run: Engine, job: Job) -> None:
    """Remove the run's worktree and repository copy; that it cannot be removed changes nothing about the run."""
    try:
        async with run.step("close") as step:
            await step.call("workspace.close", CloseParams(run=job.task.run), CloseResult)
    except CallFailed:
        return
