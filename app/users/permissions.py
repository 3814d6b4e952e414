"""Who may do what: one table. Services ask it first, so no door can forget to.

docs/permissions.md shows the table to people, and a test holds each cell at each door.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from app.core.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bson import ObjectId

Scope = Literal["users:read", "users:write"]
READ: Final = "users:read"
WRITE: Final = "users:write"
SCOPES: tuple[Scope, ...] = (READ, WRITE)


class Action(Enum):
    """What can be done; the value is what people read."""

    LIST = "list and search users"
    SHOW = "see a user"
    CREATE = "add a user"
    CHANGE = "change a user"
    CHANGE_ROLE = "change a role"
    REMOVE = "remove a user"
    SET_PASSWORD = "set a password"  # noqa: S105 - what can be done
    END_SESSIONS = "sign out everywhere"
    CREATE_TOKEN = "make a token"  # noqa: S105
    LIST_TOKENS = "list tokens"
    REVOKE_TOKEN = "revoke a token"  # noqa: S105
    IMPORT = "import users"
    EXPORT = "export users"
    SEE_STATE = "see the state of the data"


class Reach(Enum):
    """To whom a right reaches; the value is what people read."""

    NOBODY = "no"
    OWN = "own"  # to oneself, and to what is one's own
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Right:
    """One line of the table.

    Attributes:
        member: To whom a member's right reaches.
        admin: To whom an admin's does.
        scope: What a token must be for; None where no token is enough.

    Example:
        >>> TABLE[Action.REMOVE].member
        <Reach.OWN: 'own'>
    """

    member: Reach
    admin: Reach
    scope: Scope | None


_NOBODY, _OWN, _ALL = Reach.NOBODY, Reach.OWN, Reach.ALL

TABLE: Mapping[Action, Right] = MappingProxyType(
    {
        Action.LIST: Right(member=_ALL, admin=_ALL, scope=READ),
        Action.SHOW: Right(member=_ALL, admin=_ALL, scope=READ),
        Action.CREATE: Right(member=_NOBODY, admin=_ALL, scope=WRITE),
        Action.CHANGE: Right(member=_OWN, admin=_ALL, scope=WRITE),
        Action.CHANGE_ROLE: Right(member=_NOBODY, admin=_ALL, scope=WRITE),
        Action.REMOVE: Right(member=_OWN, admin=_ALL, scope=WRITE),
        Action.SET_PASSWORD: Right(member=_OWN, admin=_ALL, scope=WRITE),
        Action.END_SESSIONS: Right(member=_OWN, admin=_ALL, scope=WRITE),
        Action.CREATE_TOKEN: Right(member=_OWN, admin=_OWN, scope=None),
        Action.LIST_TOKENS: Right(member=_OWN, admin=_ALL, scope=READ),
        Action.REVOKE_TOKEN: Right(member=_OWN, admin=_ALL, scope=WRITE),
        Action.IMPORT: Right(member=_NOBODY, admin=_ALL, scope=WRITE),
        Action.EXPORT: Right(member=_NOBODY, admin=_ALL, scope=READ),
        Action.SEE_STATE: Right(member=_NOBODY, admin=_ALL, scope=READ),
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for something.

    Attributes:
        role: `visitor` is not signed in; `operator` sits at a terminal of this machine, and may do
            everything: who can run a command there has the database anyway.
        id: The user's `_id`; None for visitors and operators.
        scopes: What the token is for, where it is a token that asks; else None.

    Example:
        >>> Actor("member", ada["_id"])
        Actor(role='member', id=ObjectId('...'), scopes=None)
    """

    role: Literal["visitor", "member", "admin", "operator"]
    id: ObjectId | None = None
    scopes: frozenset[str] | None = None


VISITOR = Actor("visitor")
OPERATOR = Actor("operator")


class NotSignedIn(DomainError):
    """Nobody knows who asks."""

    title = "Sign in first, or send a valid token."


class NotAllowed(DomainError):
    """Who asks has no right to it."""

    title = "You are not allowed to do this."


def allows(actor: Actor, action: Action, owner: ObjectId | None = None) -> bool:
    """Tell whether somebody may do something.

    Args:
        actor: Who asks.
        action: What for.
        owner: The user whom it is about, where it is about one.

    Example:
        >>> allows(OPERATOR, Action.IMPORT), allows(VISITOR, Action.LIST)
        (True, False)
    """
    if actor.role == "operator":
        return True
    if actor.role == "visitor":
        return False
    right = TABLE[action]
    if actor.scopes is not None and right.scope not in actor.scopes:
        return False
    reach = right.admin if actor.role == "admin" else right.member
    return reach is Reach.ALL or (reach is Reach.OWN and owner is not None and owner == actor.id)


def require(actor: Actor, action: Action, owner: ObjectId | None = None) -> None:
    """Refuse what somebody may not do; arguments as in `allows`.

    Raises:
        NotSignedIn: Nobody knows who asks.
        NotAllowed: They may not.

    Example:
        >>> require(VISITOR, Action.LIST)
        Traceback (most recent call last):
        app.users.permissions.NotSignedIn: Sign in first, or send a valid token.
    """
    if actor.role == "visitor":
        raise NotSignedIn
    if not allows(actor, action, owner):
        raise NotAllowed
