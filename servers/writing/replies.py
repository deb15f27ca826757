"""What a model is asked to reply with, one contract a form; its JSON schema goes along with the question."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model
from contracts.model import Form


class Reply(Model):
    """What every form of change says beside the change."""

    summary: str = Field(description="One line: what was changed and why.")


class FunctionText(Model):
    """One function, method or class."""

    name: str = Field(description="Its qualified name within the file: `function`, `Class.method`.")
    text: str = Field(description="The whole new definition with its decorators, indented as in the file.")


class FunctionReply(Reply):
    """Whole definitions; those of a known name are replaced, others are added."""

    functions: tuple[FunctionText, ...]
    imports: tuple[str, ...] = Field(default=(), description="Import statements to add at the top, one a line.")


class Block(Model):
    """Lines to find, and what stands in their place then."""

    search: str = Field(description="Whole consecutive lines copied from the file, enough to be found once only.")
    replace: str = Field(description="What stands there instead, with the same indentation.")


class BlocksReply(Reply):
    """Search and replace."""

    blocks: tuple[Block, ...]


class WholeReply(Reply):
    """The whole file."""

    text: str = Field(description="The whole new text of the file, nothing left out.")


class DiffReply(Reply):
    """A unified diff."""

    diff: str = Field(description="Unified diff of the file, with lines of context around each change.")


class DeclaredTest(Model):
    """A test as its writer declares it."""

    name: str = Field(description="`test_name`, or `TestClass.test_name`.")
    criteria: tuple[str, ...] = Field(default=(), description="Ids of the acceptance criteria it answers.")


class WithTests(Model):
    """What a change of tests says beside the change."""

    tests: tuple[DeclaredTest, ...] = Field(description="Every test that was added.")


class FunctionTests(FunctionReply, WithTests):
    """Tests as whole definitions."""


class BlocksTests(BlocksReply, WithTests):
    """Tests as search and replace."""


class WholeTests(WholeReply, WithTests):
    """Tests as the whole file."""


class DiffTests(DiffReply, WithTests):
    """Tests as a unified diff."""


CODE: dict[Form, type[Reply]] = {
    "function": FunctionReply,
    "blocks": BlocksReply,
    "whole": WholeReply,
    "diff": DiffReply,
}
TESTS: dict[Form, type[Reply]] = {
    "function": FunctionTests,
    "blocks": BlocksTests,
    "whole": WholeTests,
    "diff": DiffTests,
}
