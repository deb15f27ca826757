"""A run as a tracing backend sees it."""

from __future__ import annotations

from tests.cli.conftest import Podium
from tests.e2e.rig import fixing
from tests.git_project import Project
from tests.tracing.collector import collector


def test_a_run_is_one_trace_whoever_goes_on_with_it(kept: Podium, project: Project) -> None:
    """It waits for a person and is gone on with by another process; then its trace is exported, once and whole.

    Its id is the one that every command shows, and every call bore it on the wire, agents' own too.
    """
    with collector() as there:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": there.url}
        waits = kept(*fixing(project), env=env)
        assert (waits.code, there.requests) == (3, 0), waits.err
        done = kept("resume", "last", "--auto", "all", "--json", env=env)
        assert done.code == 0, done.err
        spans = there.by_id()
        again = kept("trace", "last", "--json", env=env)
        assert there.by_id() == spans, "printed, and exported nowhere"

    trace_id = waits.document["state"]["trace_id"]
    assert done.document["state"]["trace_id"] == trace_id
    assert {span.trace_id for span in spans.values()} == {trace_id}
    assert [span.events for span in spans.values() if not span.parent_id] == [("resumed",)]
    assert {each["span_id"] for each in again.document["spans"]} == spans.keys()
    assert spans.keys() >= {span.parent_id for span in spans.values() if span.parent_id}

    calls = kept("audit", "log", "--run", "last", "--kind", "call", "--json").document
    assert {each["trace_id"] for each in calls} == {trace_id}
    assert any(each["parent"] for each in calls), "agents made calls, too"
    assert len([span for span in spans.values() if span.kind == "server"]) == len(calls)
    assert f"trace   {trace_id}" in kept("show", "last").out

    with collector(status=400) as refusing:
        refused = kept("trace", "last", env={"OTEL_EXPORTER_OTLP_ENDPOINT": refusing.url})
    assert (refused.code, refused.err.count(refusing.url)) == (1, 1)
    assert kept("trace", "last").code == 2, "there is nowhere to export it to"
