"""`/members`: who may borrow."""

from __future__ import annotations

from lendery.fields import Fields
from lendery.store import Member, Store
from lendery.web import Request, Response, Routes, conflict, created, not_found, ok

routes = Routes()


def shown(member: Member) -> dict[str, object]:
    """A member as they are answered."""
    return {"id": member.id, "name": member.name, "email": member.email}


def the_member(store: Store, id: int) -> Member:
    """The member with this id.

    Raises:
        Problem: 404.
    """
    if id not in store.members:
        raise not_found(f"member {id}")
    return store.members[id]


@routes.get("/members")
def list_members(request: Request, store: Store) -> Response:
    """All members."""
    return ok([shown(member) for member in store.members.values()])


@routes.post("/members")
def add_member(request: Request, store: Store) -> Response:
    """Add a member: `name` and `email`; 409 when the address is taken."""
    fields = Fields(request.body)
    name, email = fields.text("name"), fields.email("email")
    fields.check()
    if store.member_with(email):
        raise conflict(f"{email} belongs to a member already.")
    member = store.add_member(name, email)
    return created(shown(member), f"/members/{member.id}")


@routes.get("/members/{id}")
def show_member(request: Request, store: Store, id: int) -> Response:
    """One member."""
    return ok(shown(the_member(store, id)))
