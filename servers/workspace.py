"""workspace: the only specialist that writes files — in the run's worktree, on the run's branch.

`work/<run>/` holds `repo.git` (bare, made by the intake), `tree` (the worktree on `podium/<run>`) and, from
here, two markers: `opened` (the base, once the worktree is complete) and `applied` (the diff the worktree
holds beyond its head). Any call may be executed a second time after a crash, at any point of the first: each
tool finds what an earlier execution finished and does over what it did not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import ClassVar

from anyio import to_thread

from bus.crash import crash_point
from contracts import diff
from contracts.base import sha256
from contracts.git_env import ATTRIBUTES, branch_name
from contracts.manifest import Manifest
from contracts.workspace import (
    ApplyParams,
    ApplyResult,
    CloseParams,
    CloseResult,
    CommitParams,
    CommitResult,
    DiffParams,
    DiffResult,
    ExportParams,
    ExportResult,
    OpenParams,
    OpenResult,
    PackParams,
    PackResult,
    RevertParams,
    RevertResult,
)
from servers import packing, patch_writing, patching
from servers.run_folder import RunFolder, run_settings
from servers.run_git import line, resolve, run_git, succeeds
from servers.specialist import Call, Room, ToolError, tool

_DIFF = (
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--full-index", "--unified=3"),
    *(
        "--inter-hunk-context=0",
        "--diff-algorithm=myers",
        "--ignore-submodules=all",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    ),
)

_REVERTED = "refs/podium/reverted"
"""Where the branch was before it was last reverted: what was discarded can be come back to."""

WHOLE_TREE_S = 1800.0
"""For what writes, packs or removes a whole tree, which may be large."""


class Workspace:
    """The run's worktree."""

    manifest: ClassVar[Manifest] = Manifest(
        name="workspace",
        title="Workspace",
        description="Writes the run's worktree: checked patches, commits on the run's branch, the bundle.",
        scopes=("work:read", "work:write"),
    )

    def __init__(self, room: Room) -> None:
        self._room = room

    @tool(deadline_s=WHOLE_TREE_S)
    async def open(self, params: OpenParams, call: Call) -> OpenResult:
        """Create the run's worktree on its branch at a commit, or find it."""
        return await to_thread.run_sync(self._run(params.run).open, params)

    @tool()
    async def apply(self, params: ApplyParams, call: Call) -> ApplyResult:
        """Check a unified diff and apply it to the worktree, all of it or nothing."""
        return await to_thread.run_sync(self._run(params.run).apply, params)

    @tool(read_only=True)
    async def diff(self, params: DiffParams, call: Call) -> DiffResult:
        """Show the branch and worktree against a commit as a unified diff."""
        return await to_thread.run_sync(self._run(params.run).diff, params)

    @tool(read_only=True, deadline_s=WHOLE_TREE_S)
    async def pack(self, params: PackParams, call: Call) -> PackResult:
        """Pack the worktree as it is, committed or not, for a server that works on another machine."""
        return await to_thread.run_sync(self._run(params.run).pack, params)

    @tool()
    async def commit(self, params: CommitParams, call: Call) -> CommitResult:
        """Commit what was applied, with trailers that name run, step, agent and call."""
        return await to_thread.run_sync(self._run(params.run).commit, params, call.id)

    @tool(destructive=True)
    async def revert(self, params: RevertParams, call: Call) -> RevertResult:
        """Put the worktree back to a commit of the branch, discarding anything later; or undo such a call."""
        return await to_thread.run_sync(self._run(params.run).revert, params)

    @tool(deadline_s=WHOLE_TREE_S)
    async def export(self, params: ExportParams, call: Call) -> ExportResult:
        """Pack the run's branch as a git bundle in the run's folder, for the handover."""
        return await to_thread.run_sync(self._run(params.run).export, params)

    @tool(destructive=True, deadline_s=WHOLE_TREE_S)
    async def close(self, params: CloseParams, call: Call) -> CloseResult:
        """Remove everything of the run: worktree, repository copy, bundle."""
        return await to_thread.run_sync(self._run(params.run).close)

    def _run(self, run: str) -> _Run:
        return _Run(RunFolder(self._room.work / run), branch_name(run))


class _Run:
    """One run's repository and worktree; the methods block."""

    def __init__(self, folder: RunFolder, branch: str) -> None:
        self._folder = folder
        self._branch = branch
        self._ref = f"refs/heads/{branch}"

    def open(self, params: OpenParams) -> OpenResult:
        folder = self._folder
        with folder.locked():
            base = resolve(folder.repository, params.base)
            opened = folder.marker("opened")
            if opened and opened != base:
                raise ToolError("conflict", f"run {params.run} is open on {opened}, not on {base}")
            if not opened:
                if folder.tree.exists():
                    shutil.rmtree(folder.tree)
                info = folder.repository / "info"
                info.mkdir(exist_ok=True)
                (info / "attributes").write_text(ATTRIBUTES)
                run_git(folder.repository, "worktree", "prune", "--expire=now")
                crash_point("open.before_ref")
                run_git(folder.repository, "update-ref", self._ref, base)
                crash_point("open.before_worktree")
                run_git(folder.repository, "worktree", "add", "--quiet", str(folder.tree), self._branch)
                crash_point("open.before_mark")
                folder.mark("opened", base)
            names = run_git(folder.tree, "ls-files", "-z")
            return OpenResult(branch=self._branch, head=self._head(), files=names.count(b"\0"))

    def apply(self, params: ApplyParams) -> ApplyResult:
        folder, digest = self._folder, sha256(params.diff.encode())
        with folder.locked():
            head = self._head()
            if head != params.expected_head:
                raise ToolError("conflict", f"the diff is for {params.expected_head}, the branch is at {head}")
            applied = folder.marker("applied")
            if applied and applied.split()[-1] != digest:
                raise ToolError("conflict", "another diff is applied", way_out="Commit it or revert it first.")
            if applied:
                # An earlier execution got here; however far it came, doing it over ends in the same state.
                self._reset(head)
            checked = patching.check(params.diff, folder.tree)
            crash_point("apply.before_mark")
            folder.mark("applied", f"begun {digest}")
            try:
                patch_writing.write(checked, folder.tree)
                crash_point("apply.before_index")
                # Forced, because a new file may match the project's .gitignore.
                names = "\0".join(checked.files).encode()  # more than a command line may hold
                stage = ("add", "--force", "--all", "--pathspec-from-file=-", "--pathspec-file-nul")
                run_git(folder.tree, "--literal-pathspecs", *stage, stdin=names)
            except BaseException:
                self._reset(head)
                raise
            crash_point("apply.before_done")
            folder.mark("applied", f"done {digest}")
            return ApplyResult(
                files=checked.files, added_lines=checked.added_lines, removed_lines=checked.removed_lines
            )

    def diff(self, params: DiffParams) -> DiffResult:
        base = resolve(self._folder.repository, params.base)
        self._head()
        raw = run_git(self._folder.tree, *_DIFF, base, "--")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise ToolError("invalid", f"a file that changed since {base} is not UTF-8 text") from error
        return DiffResult(diff=text, sha256=sha256(raw), files=diff.files(text))

    def pack(self, params: PackParams) -> PackResult:
        folder = self._folder
        with folder.locked():
            self._head()
            tree = line(folder.tree, "write-tree")  # what is applied is in the index, committed or not
            made = packing.pack(folder.repository, tree, params.have, folder.path / "packing")
        return PackResult(tree=tree, pack=made, settings=run_settings(folder.path / "settings.json"))

    def commit(self, params: CommitParams, call: str) -> CommitResult:
        folder = self._folder
        with folder.locked():
            head = self._head()
            if found := self._commit_of(call):
                folder.mark("applied", "" if found == head else folder.marker("applied"))
                return CommitResult(head=found)
            if not folder.marker("applied").startswith("done "):
                raise ToolError("conflict", "nothing is applied that could be committed", way_out="Apply a diff first.")
            tree = line(folder.tree, "write-tree")
            trailers = f"Podium-Run: {params.run}\nPodium-Step: {params.step}\nPodium-Agent: {params.agent}\n"
            paragraphs = [
                params.subject.strip(),
                *filter(None, [params.body.strip()]),
                f"{trailers}Podium-Call: {call}",
            ]
            # A second after the parent instead of now: executed again, the call makes the same commit.
            date = f"@{int(line(folder.tree, 'show', '-s', '--format=%ct', head)) + 1} +0000"
            crash_point("commit.before_object")
            made = line(
                folder.tree,
                *("commit-tree", tree, "-p", head),
                *(part for paragraph in paragraphs for part in ("-m", paragraph)),
                extra={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
            )
            crash_point("commit.before_ref")
            run_git(folder.tree, "update-ref", self._ref, made, head)
            crash_point("commit.after_ref")
            folder.mark("applied", "")
            return CommitResult(head=made)

    def revert(self, params: RevertParams) -> RevertResult:
        with self._folder.locked():
            commit, head = resolve(self._folder.repository, params.commit), self._head()
            tips = (head, _REVERTED)
            if not any(succeeds(self._folder.tree, "merge-base", "--is-ancestor", commit, tip) for tip in tips):
                raise ToolError("invalid", f"{commit} is not on {self._branch}, and was not when it was last reverted")
            if head != commit:
                crash_point("revert.before_ref")
                run_git(self._folder.tree, "update-ref", _REVERTED, head)
            crash_point("revert.before_reset")
            self._reset(commit)
            return RevertResult(head=commit)

    def export(self, params: ExportParams) -> ExportResult:
        folder = self._folder
        with folder.locked():
            base, head = resolve(folder.repository, params.base), self._head()
            commits = int(line(folder.repository, "rev-list", "--count", f"{base}..{head}"))
            if not commits or not succeeds(folder.repository, "merge-base", "--is-ancestor", base, head):
                raise ToolError("invalid", f"{self._branch} has no commits after {base}")
            file, temporary = folder.path / f"{params.run}.bundle", folder.path / "bundle.new"
            run_git(folder.repository, "bundle", "create", "--quiet", str(temporary), f"{base}..{self._ref}")
            with temporary.open("rb") as packed:
                digest = hashlib.file_digest(packed, "sha256").hexdigest()
            crash_point("export.before_rename")
            os.replace(temporary, file)
            return ExportResult(file=file.name, sha256=digest, head=head, commits=commits)

    def close(self) -> CloseResult:
        if not self._folder.path.exists():
            return CloseResult(removed=False)
        crash_point("close.before_remove")
        # Without the lock where the repository is gone: an earlier execution got that far.
        if self._folder.repository.exists():
            with self._folder.locked():
                shutil.rmtree(self._folder.path)
        else:
            shutil.rmtree(self._folder.path)
        return CloseResult(removed=True)

    def _head(self) -> str:
        if not self._folder.marker("opened"):
            raise ToolError("not_found", "the run has no worktree", way_out="Call workspace.open first.")
        return line(self._folder.tree, "rev-parse", "--verify", f"{self._ref}^{{commit}}")

    def _reset(self, commit: str) -> None:
        """Make branch, index and worktree `commit`, without anything beside."""
        run_git(self._folder.tree, "reset", "--hard", "--quiet", commit)
        run_git(self._folder.tree, "clean", "-ffdxq")
        self._folder.mark("applied", "")

    def _commit_of(self, call: str) -> str:
        """The branch's commit that this call made; empty: none."""
        form = "--format=%H %(trailers:key=Podium-Call,valueonly,separator=%x2C)"
        lines = line(self._folder.tree, "log", "--max-count=1000", form, self._ref, "--").split("\n")
        return next((made.split()[0] for made in lines if made.split()[1:] == [call]), "")
