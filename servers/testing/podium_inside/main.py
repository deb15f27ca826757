"""Where the program inside begins."""

from __future__ import annotations

import sys

from .channel import Channel
from .request import load


def main() -> int:
    """Do what standard input asks; the exit status is pytest's, or 120 when there is no pytest."""
    request = load(sys.stdin.buffer.read())
    channel = Channel.from_environment(request.token)
    try:
        import pytest
    except ImportError as missing:
        channel.send("unusable", reason=f"{sys.executable} cannot import pytest: {missing}")
        return 120
    channel.send("ready", python=sys.version.split()[0], pytest=pytest.__version__)
    if request.verb == "run":
        from .clock import TestClock
        from .reporter import Reporter
        from .session import Quiet, options, run

        plugins: list[object] = [Reporter(channel, request.root)]
        if request.quiet:
            plugins.append(Quiet())
        if request.test_cpu_s:
            plugins.append(TestClock(request.test_cpu_s))
        return run(options(request, request.tests, past_errors=request.past_errors), plugins)
    if request.verb == "trace":
        from .trace import trace

        return trace(request, channel)
    from .trial import trial

    return trial(request, channel)
