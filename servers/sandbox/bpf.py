"""Assembles seccomp filters: a table of rules in, classic BPF out. Pure; knows no policy.

seccomp(2): the program sees `struct seccomp_data` {int nr; u32 arch; u64 ip; u64 args[6]}. Conditions
look at the low 32 bits of an argument, which is all the kernel itself looks at for the int-typed
arguments they are used on.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_LOAD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def fail(number: int) -> int:
    """The verdict "the call returns -1 with this errno"; 0 pretends success."""
    return 0x00050000 | number


@dataclass(frozen=True)
class When:
    """A condition on argument `index` (0-5), after masking: `eq`, `ne`, or `any` (some bit of `value` set)."""

    index: int
    op: Literal["eq", "ne", "any"]
    value: int
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True)
class Rule:
    """The verdict for a system call, if all conditions hold; the first rule of a call that fits decides."""

    number: int
    verdict: int
    when: tuple[When, ...] = ()


def assemble(rules: Iterable[Rule], *, machine: str, unknown_from: int) -> bytes:
    """The filter's bytes (8 per instruction).

    Calls no rule decides are allowed; calls of another architecture kill the process; numbers from
    `unknown_from` on do not exist (ENOSYS), so that what later kernels add is not allowed by accident.
    """
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, AUDIT_ARCH[machine]),
        (_RET, 0, 0, KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
        (_JGE, 0, 1, unknown_from),
        (_RET, 0, 0, fail(errno.ENOSYS)),
    ]
    by_number: dict[int, list[Rule]] = {}
    for rule in rules:
        by_number.setdefault(rule.number, []).append(rule)
    for number, group in by_number.items():
        body = [instruction for rule in group for instruction in _rule(rule)]
        body.append((_RET, 0, 0, ALLOW))
        code += [(_JEQ, 0, len(body), number), *body]
    code.append((_RET, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _rule(rule: Rule) -> list[tuple[int, int, int, int]]:
    code: list[tuple[int, int, int, int]] = []
    left = 1 + sum(3 for _ in rule.when)
    for when in rule.when:
        left -= 3
        # `left` instructions remain after this test: jumping over them leaves the rule undecided.
        test = {"eq": (_JEQ, 0, left), "ne": (_JEQ, left, 0), "any": (_JSET, 0, left)}[when.op]
        code += [
            (_LOAD, 0, 0, _ARGS + 8 * when.index),
            (_AND, 0, 0, when.mask),
            (*test, when.value),
        ]
    code.append((_RET, 0, 0, rule.verdict))
    return code
