"""A crew that carries out planned work by a script: texts by path, verdicts by what the tree holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contracts import diff
from contracts.base import Model, sha256
from contracts.code_writer import WriteParams, WriteResult
from contracts.failure import Failure
from contracts.gate_policy import Policy
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult
from contracts.patch import Patch
from contracts.repository import FileEntry, ListResult, MapResult, SimilarCode, SimilarResult
from contracts.spending import Spending, Usage
from contracts.task import Criterion, Task
from contracts.test_runner import RunParams, RunResult, TestCase
from contracts.test_writer import NewTest, WriteTestsParams, WriteTestsResult
from contracts.workspace import ApplyParams, ApplyResult, DiffResult, RevertParams, RevertResult
from orchestrator.config import load_workflow
from orchestrator.gates import Desk
from orchestrator.run import Outcome
from tests.orchestrator.crew import OTHER, RUN, ScriptedCrew, suite
from tests.orchestrator.stage import AUTO_ALL, Stage

NEW_TEST = "tests/test_new.py::test_new"
COST = Spending(requests=1, usage=Usage(input_tokens=100, output_tokens=20), cost_usd=None)
TEST_ITEM: dict[str, object] = {
    "id": "say",
    "agent": "test_writer",
    "path": "tests/test_new.py",
    "instruction": "Say what is wanted.",
}
CODE_ITEM: dict[str, object] = {
    "id": "code",
    "agent": "code_writer",
    "path": "new.py",
    "instruction": "Make it so.",
    "after": ["say"],
}
PLAN: dict[str, object] = {"goal": "Something new.", "relevant": [], "work": [TEST_ITEM, CODE_ITEM]}
CRITERIA = (Criterion(id="c1", text="It is new."), Criterion(id="c2", text="It is documented."))


def retry(item: str = "code", guidance: str = "Return 2.") -> dict[str, object]:
    """A judgement: write `item` again."""
    return {"decision": "retry", "reason": "It is wrong.", "changes": [{"item": item, "guidance": guidance}]}


@dataclass
class BuildingCrew(ScriptedCrew):
    """`texts` are what its writers write next, by path; `replies` what its model answers, by reply name."""

    texts: dict[str, list[str | None]] = field(
        default_factory=lambda: {"tests/test_new.py": ["assert new() == 2\n"], "new.py": ["2\n"]}
    )
    replies: dict[str, list[dict[str, object] | Failure]] = field(default_factory=lambda: {"plan": [PLAN]})
    tree: dict[str, str] = field(default_factory=dict[str, str])
    undone: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict[str, tuple[int, dict[str, str]]])
    """What was reverted, by its head."""
    similar: tuple[SimilarCode, ...] = ()
    summary: str = ""
    """What its writers say of what they write; empty: the path."""
    unready: str = ""
    """The role whose model has no key."""
    notes: list[str] = field(default_factory=list[str])
    """Why a writer did not manage, next; else always the same."""
    before: RunResult = field(default_factory=lambda: suite({OTHER: "passed"}))
    verdict: Callable[[dict[str, str]], RunResult] | None = None
    asked_of_model: list[CompleteParams] = field(default_factory=list[CompleteParams])

    def model_describe(self, params: DescribeParams) -> Model:
        if params.role != self.unready:
            return DescribeResult(endpoint="there", model="m", ready=True, form="blocks")
        return DescribeResult(
            endpoint="there", model="m", ready=False, why_not="no key", way_out="Set one.", form="blocks"
        )

    def model_complete(self, params: CompleteParams) -> Model:
        self.asked_of_model.append(params)
        said = self.replies[params.reply_name].pop(0)
        common = {"run": RUN, "endpoint": "there", "model": "m", "way": "tool", "duration_s": 0.1, "spent": COST}
        if isinstance(said, Failure):
            return CompleteResult.model_validate({**common, "outcome": "unavailable", "failure": said})
        return CompleteResult.model_validate({**common, "outcome": "ok", "reply": said})

    def repository_map(self, params: Model) -> Model:
        return MapResult(text="x.py: f", files=("x.py",), total_files=1)

    def repository_list(self, params: Model) -> Model:
        return ListResult(files=(FileEntry(path="shop/x.py", bytes=1), FileEntry(path="queue.py", bytes=1)), total=2)

    def repository_similar(self, params: Model) -> Model:
        return SimilarResult(found=self.similar)

    def _written(self, path: str) -> tuple[Patch | None, str]:
        text = self.texts[path].pop(0)
        if text is None:
            return None, self.notes.pop(0) if self.notes else "the model did not manage"
        made = diff.make(path, self.tree.get(path), text)
        return Patch.of(made, (path,)), self.summary or f"Write {path}"

    def test_writer_write(self, params: WriteTestsParams) -> Model:
        patch, said = self._written(params.path)
        tests = (NewTest(id=NEW_TEST, outcome="failed", criteria=("c1",)),) if patch else ()
        return WriteTestsResult(patch=patch, summary=said, tests=tests, note="" if patch else said, spent=COST)

    def code_writer_write(self, params: WriteParams) -> Model:
        patch, said = self._written(params.path)
        return WriteResult(patch=patch, summary=said, note="" if patch else said, spent=COST)

    def workspace_apply(self, params: ApplyParams) -> Model:
        assert params.expected_head == self.head
        try:
            changed = {each.path: diff.apply(each, self.tree.get(each.path, "")) for each in diff.parse(params.diff)}
        except diff.DiffError as error:
            return Failure(kind="invalid", message=str(error))
        self.tree |= changed
        self.applied = params.diff
        added, removed = diff.stat(params.diff)
        return ApplyResult(files=diff.files(params.diff), added_lines=added, removed_lines=removed)

    def workspace_revert(self, params: RevertParams) -> Model:
        self.undone[self.head] = self.commits, dict(self.tree)
        self.commits, tree = self.undone.get(params.commit, (0, {}))
        self.tree = dict(tree)
        assert params.commit == self.head
        return RevertResult(head=self.head)

    def workspace_diff(self, params: Model) -> Model:
        text = "".join(diff.make(path, None, content) for path, content in sorted(self.tree.items()))
        return DiffResult(diff=text, sha256=sha256(text.encode()), files=diff.files(text))

    def test_runner_run(self, params: RunParams) -> Model:
        if not self.tree:
            return self.before
        if self.verdict is not None:
            return self.verdict(self.tree)
        right = self.tree.get("new.py") == "2\n"
        result = suite({OTHER: "passed", NEW_TEST: "passed" if right else "failed"})
        if right:
            return result
        wrong = TestCase(id=NEW_TEST, outcome="failed", message=f"assert {self.tree.get('new.py')!r} == 2")
        return result.model_copy(update={"cases": (result.cases[0], wrong)})


def make_site(stage: Stage, **crew: object) -> BuildingCrew:
    """Give the stage a building crew."""
    made = BuildingCrew(stage.paths.work, **crew)  # pyright: ignore[reportArgumentType] - fields by name
    stage.crew = made
    return made


async def build(
    stage: Stage,
    policy: Policy = AUTO_ALL,
    desk: Desk | None = None,
    *,
    workflow: str = "add-endpoint",
    fix_rounds: int = 2,
    criteria: Sequence[Criterion] = (),
    request: str = "something new",
) -> Outcome:
    """Run a workflow that builds to its end."""
    data = load_workflow(workflow).model_copy(update={"fix_rounds": fix_rounds})
    offered = frozenset(tool for step in data.steps for tool in step.uses)
    task = Task(run=RUN, workflow=workflow, repo="/repo", request=request, criteria=tuple(criteria), engine="model")
    return await stage.conductor(desk, offered).start(task, data, policy)
