"""Which users a list holds and in which order: what clients may ask for, and the queries for it.

Each list is a few queries that an index serves whole. docs/decisions/listing.md says which one, and
why there are no others. What is searched for is text that keys begin with, never a pattern.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from app.core.errors import MalformedRequest
from app.core.fields import names_shown
from app.core.pagination import PageRequest
from app.core.runs import Order, Run
from app.users import documents
from app.users.documents import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

Sort = Literal["created", "-created", "name", "-name", "email", "-email"]
LONGEST_SEARCH = 40  # characters
_KEYS = {"created": "_id", "name": "name_key", "email": "email_key"}
_ROLES, SORTS = get_args(Role), get_args(Sort)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which users are wanted.

    Attributes:
        page: Which page of them.
        sort: In which order; with `q` it plays no part.
        role: Those of this role, or None for all.
        q: Those whose name or address begins with this, in the form of `search_key`; '' for all.
        fields: The fields to be shown, None for all of them.

    Example:
        >>> ListRequest(sort="-name", role="admin").q
        ''
    """

    page: PageRequest = field(default_factory=PageRequest)
    sort: Sort = "created"
    role: Role | None = None
    q: str = ""
    fields: frozenset[str] | None = None

    @classmethod
    def parameters(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the arguments that the API tells of, as JSON Schema.

        Example:
            >>> list(ListRequest.parameters())
            ['q', 'role', 'sort', 'fields', 'limit', 'after', 'before']
        """
        names = names_shown(documents.User)
        return {
            "q": {
                "type": "string",
                "maxLength": LONGEST_SEARCH,
                "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
                "description": (
                    "Only users whose name or e-mail address begins with this, in any letter case:"
                    " first those by name, in its order, then those by address alone."
                ),
            },
            "role": {
                "type": "string",
                "enum": [*_ROLES],
                "description": "Only users of this role.",
            },
            "sort": {
                "type": "string",
                "enum": [*SORTS],
                "default": "created",
                "description": (
                    "The order; with a minus the other way round. Beside `q` it can only be `name`."
                ),
            },
            "fields": {
                "type": "array",
                "items": {"type": "string", "enum": names},
                "minItems": 1,
                "description": "What each item holds, separated by commas; all unless given.",
            },
            **PageRequest.parameters(),
        }

    @classmethod
    def from_args(cls, args: Mapping[str, str], *, sort: Sort = "created") -> ListRequest:
        """Read the arguments of a request.

        Args:
            args: The query of the URL, `request.args`.
            sort: The order where none is asked for.

        Raises:
            MalformedRequest: One can't be read, or two don't go together.

        Example:
            >>> ListRequest.from_args({"q": " ADA "}).q
            'ada'
        """
        q = _read_search(args.get("q", ""))
        if q and args.get("sort", "name") != "name":
            raise MalformedRequest(
                "sort",
                "search",
                "sort can only be name beside q: what begins with q by name comes first, in the"
                " order of names, then what does by e-mail",
            )
        return cls(
            PageRequest.from_args(args),
            cast("Sort", _choice("sort", args, SORTS) or sort),
            cast("Role | None", _choice("role", args, _ROLES)),
            q,
            _read_fields(args["fields"]) if "fields" in args else None,
        )

    def order(self) -> Order:
        """Return what is listed, as the runs of which an index serves each.

        Example:
            >>> [run.key for run in ListRequest(q="ada").order().runs]
            ['name_key', 'email_key']
        """
        equal = {} if self.role is None else {"role": self.role}
        if not self.q:
            key = _KEYS[self.sort.removeprefix("-")]
            run = Run(key, equal, descending=self.sort.startswith("-"))
            return Order(f"{self.sort} {self.role}", (run,))
        # An address that begins with q is found by the name as well if the two have all of q in
        # common. So these come once, and no query has to look at what it does not answer.
        by_email_alone = {"shared": range(len(self.q))}
        return Order(
            f"search {self.role} {self.q}",
            (
                Run("name_key", equal, begins=self.q),
                Run("email_key", equal, by_email_alone, begins=self.q),
            ),
        )


def _read_search(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise MalformedRequest("q", "characters", "q must not hold control characters")
    text = text.strip()
    if len(text) > LONGEST_SEARCH:
        raise MalformedRequest(
            "q", "max_length", f"q must be at most {LONGEST_SEARCH} characters long"
        )
    return documents.search_key(text)


def _choice(name: str, args: Mapping[str, str], choices: tuple[str, ...]) -> str | None:
    if name in args and args[name] not in choices:
        raise MalformedRequest(name, "choice", f"{name} must be one of {', '.join(choices)}")
    return args.get(name)


def _read_fields(text: str) -> frozenset[str]:
    names = names_shown(documents.User)
    wanted = frozenset(text.split(","))
    if not wanted <= {*names}:
        raise MalformedRequest(
            "fields", "choice", f"fields must be some of {', '.join(names)}, separated by commas"
        )
    return wanted
