"""Every cell of docs/scopes.md, tried at its layer with the others switched off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bus.grants import Permissions, is_host
from scripts.scopes_page import TokenRight, token_rights
from servers.enforced import Right, at_broker, in_kernel, inside, rights
from tests.enforcers.at_broker import tried_at_broker
from tests.enforcers.at_gateway import hosts_tried, tokens_tried
from tests.enforcers.ground import Ground
from tests.enforcers.in_kernel import tried_in_kernel
from tests.enforcers.in_process import tried_in_process
from tests.enforcers.seen import Seen

Enforcer = Literal["broker", "kernel", "process", "gateway"]
ENFORCERS: tuple[Enforcer, ...] = ("broker", "kernel", "process", "gateway")


@dataclass(frozen=True)
class Cell:
    """One right at one of its enforcers."""

    right: Right | TokenRight
    enforcer: Enforcer

    @property
    def who(self) -> str:
        """Whose right it is, and which; without the paths and ports of this machine."""
        if isinstance(self.right, TokenRight):
            return f"token {self.right}"
        return f"{self.right.holder} {':'.join(self.right.scope.split(':')[:2])}"

    @property
    def name(self) -> str:
        """By what it is called on the command line."""
        return f"{self.who} at {self.enforcer}"


def cells(ground: Ground) -> list[Cell]:
    """All there are, in the order of the page."""
    opens: Mapping[Enforcer, Callable[[Right], bool]] = {
        "broker": lambda right: at_broker(right) != Permissions((), ()),
        "kernel": lambda right: bool(in_kernel(right, ground.place, ground.keys)),
        "process": lambda right: bool(inside(right)),
        "gateway": lambda right: is_host(right.holder),
    }
    held = [Cell(right, one) for right in rights(ground.crew) for one in ENFORCERS if opens[one](right)]
    return held + [Cell(token, "gateway") for token in token_rights(ground.crew)]


async def tried(chosen: Sequence[Cell], ground: Ground) -> dict[Cell, Seen]:
    """What came of each."""

    def at(enforcer: Enforcer) -> list[Right]:
        return [cell.right for cell in chosen if cell.enforcer == enforcer and isinstance(cell.right, Right)]

    tokens = [cell.right for cell in chosen if isinstance(cell.right, TokenRight)]
    seen: dict[tuple[Right | TokenRight, Enforcer], Seen] = {}
    if here := at("broker"):
        seen |= {(right, "broker"): one for right, one in (await tried_at_broker(here, ground.folder / "nats")).items()}
    if here := at("kernel"):
        seen |= {(right, "kernel"): one for right, one in (await tried_in_kernel(here, ground)).items()}
    if here := at("process"):
        seen |= {(right, "process"): one for right, one in (await tried_in_process(here, ground)).items()}
    if here := at("gateway"):
        seen |= {(right, "gateway"): one for right, one in (await hosts_tried(here)).items()}
    if tokens:
        seen |= {(right, "gateway"): one for right, one in (await tokens_tried(tokens)).items()}
    return {cell: seen[cell.right, cell.enforcer] for cell in chosen}
