"""What lies on the desk: plan, patches, result, and the evidence for them, drawn for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.base import sha256
from contracts.bundle import Bundle, Comparison, SuiteStatus
from contracts.code_writer import Proposal, Tried
from contracts.gate import Escalation, GateRequest, PatchSet
from contracts.test_runner import Evidence
from contracts.workflow import Plan
from orchestrator.grave import grave_risks
from orchestrator.text import count, duration, line, safe

_HEADINGS = {
    "plan": ("Gate 1: the plan", "Nothing has been changed yet."),
    "patches": ("Gate 2: the patches", "None is applied yet, not even in the run's own worktree."),
    "handoff": ("Gate 3: the handover", "Approving puts the branch into your repository; the checkout stays as it is."),
    "escalation": ("A question", "No rule can answer it."),
}
_APPLIED = "It is committed and tested in the run's own worktree; your checkout and your branches are as they were."
"""What is so at a patches gate where the change had to be there to be tested."""

LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}
SHOWN_LINES = 2000
SHOWN_CHARS = 200_000
"""Of a diff, on paper: more than people read there, and little enough to be drawn at once."""

WHOLE = 4000
"""Characters of a line that says nothing when it is cut, as a link does."""


def heading(request: GateRequest) -> tuple[str, str]:
    """What a gate is called, and what a person is to know before answering."""
    title, meaning = _HEADINGS[request.kind]
    applied = isinstance(request.subject, PatchSet) and request.subject.commits
    return title, _APPLIED if applied else meaning


def paper(request: GateRequest) -> RenderableType:
    """Everything a person needs to answer `request`."""
    match request.subject:
        case Plan() as plan:
            return draw_plan(plan)
        case PatchSet() as patches:
            return draw_patches(patches)
        case Bundle() as bundle:
            return draw_bundle(bundle)
        case Escalation() as escalation:
            return draw_escalation(escalation)


def draw_plan(plan: Plan) -> RenderableType:
    """The steps, who does them, and what the plan rests on."""
    steps = Table.grid(padding=(0, 2, 0, 0))
    steps.add_column(justify="right")
    for number, step in enumerate(plan.steps, 1):
        uses = ", ".join(tool.removeprefix(f"{step.agent}.") for tool in step.uses)
        steps.add_row(Text(f"{number}."), Text(line(step.title)), Text(step.agent, "cyan"), Text(line(uses), "dim"))
    parts: list[RenderableType] = []
    if plan.request:
        parts.append(Text(safe(plan.request), "italic"))
    parts.append(steps)
    if plan.goal:
        parts.append(Text(f"\n{safe(plan.goal)}", "bold"))
    parts += [Text(f"· {line(each.path)}: {line(each.why, WHOLE)}") for each in plan.relevant]
    for number, item in enumerate(plan.work, 1):
        after = f", after {', '.join(item.after)}" if item.after else ""
        who = f"  {item.agent}: {item.id}{line(after)}"
        parts.append(Text.assemble(f"{number}. ", (line(item.path), "bold"), (who, "cyan")))
        parts += [Indented(Text(safe(item.instruction)))]
        if item.reads:
            parts.append(Indented(Text(f"reads: {line(', '.join(item.reads), WHOLE)}", "dim")))
        if item.check:
            parts.append(Indented(Text(f"done when: {line(item.check)}", "dim")))
    for criterion in plan.criteria:
        parts.append(Text(f"{criterion.id}: {safe(criterion.text)}"))
    for test in plan.failing:
        parts.append(Text(f"must turn green: {line(test)}"))
    if plan.avoid:
        parts.append(Text(f"not to be changed: {line(', '.join(plan.avoid))}"))
    rounds = count(plan.fix_rounds, "further round")
    tests = f"tests at most {duration(plan.budgets.test_timeout_s)}"
    parts.append(Text(f"{_engine(plan)}{rounds}, {tests}{_ceilings(plan)}", "dim"))
    parts += [Text(f"· {line(fact, WHOLE)}", "dim") for fact in plan.facts]
    return Group(*parts)


def _engine(plan: Plan) -> str:
    """What proposing may take, where the plan has any."""
    if plan.work:
        return ""
    by = {"search": "search", "model": "a model", "auto": "search first, then a model if there is one,"}[plan.engine]
    return f"{by} at most {duration(plan.budgets.search_s)} a round, "


def _ceilings(plan: Plan) -> str:
    """What asking models may cost, where the plan does."""
    may = plan.budgets.model
    named = (
        (may.usd, f"${may.usd}"),
        (may.tokens, f"{may.tokens or 0:,} tokens"),
        (may.calls, f"{may.calls} model calls"),
        (may.wall_s, duration(may.wall_s or 0)),
    )
    limits = ", ".join(text for value, text in named if value is not None)
    return f"; at most {limits}" if limits and plan.engine != "search" else ""


def draw_patches(patches: PatchSet) -> RenderableType:
    """The best patch in full with its evidence, and the runners-up."""
    best, *rivals = patches.proposals
    parts: list[RenderableType] = [Text(line(best.summary), "bold"), Indented(diff_text(best.patch.diff))]
    parts += list(reasons(best))
    if patches.engine != "search":
        parts.append(Text(f"{'A model' if patches.engine == 'model' else 'An agent'} wrote it.", "yellow"))
    if rivals:
        parts.append(Text(f"\nRunners-up ({count(len(rivals), 'other plausible patch')}):", "bold"))
        for number, rival in enumerate(rivals, 1):
            parts.append(Text.assemble((f"[{number}] ", "bold"), line(rival.summary), ("  " + said(rival), "dim")))
            parts.append(Indented(changed_lines(rival.patch.diff)))
    if patches.tried:
        parts.append(Text(f"\n{tried(patches.tried)}", "dim"))
    if patches.note:
        parts.append(Text(safe(patches.note), "dim"))
    if patches.edit:
        parts += [Text(f"\nThe edited diff does not apply: {safe(patches.edit.reason)}", "red")]
        parts += [Indented(diff_text(patches.edit.diff))]
    return Group(*parts)


def draw_bundle(bundle: Bundle) -> RenderableType:
    """The result: summary, diff, tests before and after, findings, risks."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("tests before", suite(bundle.before))
    table.add_row("tests after", suite(bundle.after))
    table.add_row("linter", findings(bundle))
    table.add_row(
        "changed", f"+{bundle.added_lines} −{bundle.removed_lines} in {count(len(bundle.patch.files), 'file')}"
    )
    table.add_row("sandbox", bundle.sandbox)
    parts: list[RenderableType] = [Text(safe(bundle.summary), "bold"), Indented(diff_text(bundle.patch.diff)), table]
    parts.append(Text(safe(bundle.comparison.reason)))
    if bundle.proposal:
        parts += list(reasons(bundle.proposal))
    if bundle.rivals:
        parts.append(
            Text(f"{count(len(bundle.rivals), 'other plausible patch')} not chosen; they are in the bundle.", "dim")
        )
    for each in bundle.criteria:
        by = f" by {line(', '.join(each.met_by))}" if each.met_by else ""
        style = "green" if each.status == "met" else "yellow"
        parts.append(Text(f"{each.criterion.id} {each.status}{by}: {line(each.criterion.text)}", style))
    parts += [Text(f"See {line(link, WHOLE)}", "dim") for link in bundle.links]
    by_name = {risk.words: risk.name for risk in grave_risks(bundle.patch.diff)}
    for risk in bundle.risks:
        grave = f", to be accepted by name ({by_name[risk]})" if risk in by_name else ""
        parts.append(Text(f"risk{grave}: {safe(risk)}", "bold yellow" if grave else "yellow"))
    return Group(*parts)


def draw_escalation(escalation: Escalation) -> RenderableType:
    """What the loop could not judge."""
    return Group(
        Text(safe(escalation.question), "bold"),
        Indented(diff_text(escalation.diff)),
        *(Text(each) for each in compared(escalation.comparison)),
    )


def diff_text(diff: str) -> Text:
    """A unified diff in colours; every character that could command the terminal is shown instead.

    Git's `index` lines, which name blobs and nothing a person reads, are left out. Of a diff that nobody reads on a
    screen the beginning is shown, and what is to be known of the rest.
    """
    shown, left = _beginning(diff)
    text = _coloured(shown)
    if left:
        text.append(f"\n{left}", "yellow")
    return text


def _beginning(diff: str) -> tuple[str, str]:
    """The lines of a diff that are shown, and what is said of those that are not."""
    head = diff[:SHOWN_CHARS].split("\n", SHOWN_LINES)
    shown = "\n".join(head[:SHOWN_LINES])
    if len(shown) == len(diff):
        return shown, ""
    begins = len(shown) + (diff[len(shown)] == "\n")
    rest = count(diff.count("\n", begins) + (not diff.endswith("\n")), "more line")
    named = f"sha256 {sha256(diff.encode('utf-8', 'surrogatepass'))}"
    return shown, f"[… {rest}. The whole diff has {named}; `podium show --json` prints it. Read it before you answer.]"


def _coloured(diff: str) -> Text:
    text = Text()
    for each in diff.split("\n"):
        if each.startswith("index "):
            continue
        style = "bold" if each.startswith(("diff ", "+++", "---")) else LINE_STYLES.get(each[:1], "")
        text.append(safe(each) + "\n", style)
    text.rstrip()
    return text


def changed_lines(diff: str) -> Text:
    """Only the lines a diff takes and adds."""
    shown, left = _beginning(diff)
    kept = [each for each in shown.split("\n") if each[:1] in "+-" and each[:3] not in ("+++", "---")]
    return _coloured("\n".join([*kept, left] if left else kept))


def reasons(proposal: Proposal) -> Iterator[Text]:
    """Evidence, and why this one stands where it stands."""
    yield Text(evidence(proposal.evidence))
    yield from (Text(f"· {line(reason)}", "dim") for reason in proposal.rank_reasons)


def said(proposal: Proposal) -> str:
    """The first reason for a runner-up's place."""
    return line(proposal.rank_reasons[0], 60) if proposal.rank_reasons else ""


def evidence(found: Evidence) -> str:
    """How the suite stands with the patch; the rest of the evidence is among the reasons for its rank."""
    as_before = " as before" if found.observed else ""
    before = f", {found.suite_failed} failed{as_before}" if found.suite_failed else ""
    return f"suite with it: {found.suite_passed} passed{before}"


def tried(effort: Tried) -> str:
    """The search in words."""
    until = {"enough": "enough were found", "exhausted": "nothing was left to try", "budget": "the time was up"}
    pace = f"{duration(effort.elapsed_s)} ({effort.per_s:.0f}/s)"
    out = f"{count(effort.candidates, 'candidate')} in {pace}, until {until[effort.ended]}: "
    parts = {
        "plausible": effort.plausible,
        "did not help": effort.failing,
        "broke other tests": effort.regressed,
        "hung": effort.hung,
        "crashed": effort.crashed,
        "did not compile": effort.invalid,
        "nonsense": effort.degenerate,
    }
    return out + ", ".join(f"{number} {what}" for what, number in parts.items() if number or what == "plausible")


def suite(status: SuiteStatus) -> Text:
    """`68 passed` in the colour it deserves."""
    shown = {name: number for name, number in status.counts.model_dump().items() if number}
    text = ", ".join(f"{number} {name}" for name, number in shown.items()) or status.outcome.replace("_", " ")
    return Text(f"{text} in {duration(status.duration_s)}", "green" if status.outcome == "passed" else "red")


def findings(bundle: Bundle) -> str:
    """What the linter says, compared with before."""
    if not bundle.findings_new:
        return "nothing new to say"
    return "; ".join(line(f"{each.path}:{each.line} {each.rule} {each.message}") for each in bundle.findings_new[:5])


def compared(comparison: Comparison) -> Iterator[str]:
    """The suite against the suite before, in words."""
    yield safe(comparison.reason)
    yield from (f"turned green: {line(test)}" for test in comparison.turned_green[:10])
    yield from (f"still failing: {line(test)}" for test in comparison.still_failing[:10])
    yield from (f"broken now: {line(test)}" for test in comparison.regressed[:10])


@dataclass(frozen=True)
class Indented:
    """Set off from the margin; whole lines where the terminal is left to wrap them (`soft_wrap`)."""

    what: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rich asks for it."""
        if options.no_wrap:
            yield Text("\n").join(Text("  ") + each for each in self.what.split("\n", allow_blank=True))
        else:
            yield Padding(self.what, (0, 0, 0, 2), expand=False)
