"""From the scopes of a member to what its process is held to: files, ports, programs, a sandbox, keys. Pure.

What it may say and hear on the bus is `bus.grants`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from bus.connect import identities
from contracts.manifest import granted_paths, granted_ports
from servers.bridge.program import installation
from servers.bridge.serve import port_of, program_of
from servers.confine import Confinement
from servers.crew_member import Member
from servers.handed import handed
from servers.minds.addresses import endpoint_ports
from servers.place import Place
from servers.sandbox.order import Policy

_SECRETS = (".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".config/gcloud", ".config/gh")


def policy_for(member: Member, place: Place, scratch: Path) -> Policy | None:
    """What its sandbox may ever run; None where it is handed none."""
    if "sandbox" not in handed(member.scopes):
        return None
    home = Path.home()
    keys = (identities(place.state), *([place.away.key] if place.away else []))
    private = (*keys, place.state / "broker", place.state / "notary", *(home / name for name in _SECRETS))
    return Policy(
        scratch_root=scratch,
        read_only=(place.work,),
        read_anywhere=True,  # a person's interpreter lies where they keep it
        private=private,
        unsandboxed=place.unsandboxed,
    )


def rules_for(
    member: Member, place: Place, scratch: Path, keys: Mapping[str, str], environment: Mapping[str, str]
) -> Confinement:
    """What its own process keeps; `keys` are those it is handed."""
    read = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parent.parent]
    if "work:read" in member.scopes:
        read.append(place.work)
    if "net:model" in member.scopes or member.url:
        read += [Path(environment[name]) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(name)]
    if member.agent:
        read.append(Path(member.agent))
    if member.command:
        read += installation(program_of(member))
    read += granted_paths(member.scopes, "read")
    write = [scratch, *granted_paths(member.scopes, "write")]
    if "work:write" in member.scopes:
        write.append(place.work)
    return Confinement(
        read=tuple(read),
        write=tuple(write),
        connect_ports=(
            *place.ports,
            *endpoint_ports(keys, environment),
            *granted_ports(member.scopes),
            *([port_of(member.url)] if member.url else []),
        ),
        resolve=place.named or bool(member.url) or any(scope.startswith("net:") for scope in member.scopes),
        exec=bool(member.command) or any(scope.startswith("work:") for scope in member.scopes),  # git
        scopes=member.scopes,
    )
