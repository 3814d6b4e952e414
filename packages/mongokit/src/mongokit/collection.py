"""The collection: PyMongo's, plus the managers of the classes registered on its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from mongokit.binding import Binding, registry
from mongokit.compiler import Model
from mongokit.cursor import Cursor, StrictCursor, is_partial
from mongokit.legacy import LegacyCollection, translate_find, with_find_options
from mongokit.manager import Documents, make_manager
from mongokit.raw_queries import RawQueries

if TYPE_CHECKING:
    from mongokit.database import Database
    from mongokit.document import Document

D = TypeVar("D", bound="Document")


class Collection(RawQueries, LegacyCollection):
    """A PyMongo collection on which a registered class is found by its name.

    Everything of PyMongo's stays: `find`, `insert_one` and the rest give and take plain dicts,
    without wrapping or validation.

    Example:
        >>> isinstance(db.users.User, User)  # the manager of User in the collection users
        True
        >>> db.users.insert_one({"_id": 3})  # PyMongo's own
        InsertOneResult(3, acknowledged=True)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the collection object, as PyMongo does; nothing is sent."""
        super().__init__(*args, **kwargs)
        self._managers: dict[str, tuple[Model, Documents[Any]]] = {}
        self._bindings: dict[type, Binding[Any]] = {}

    def documents(self, document_class: type[D]) -> Documents[D]:
        """Return the manager of a class in this collection, typed.

        Args:
            document_class: A `Document` class; it need not be registered.

        Example:
            >>> user = db.users.documents(User).find_one()  # a User or None, for type checkers too
            >>> user.name
            'Ada'
        """
        name = document_class.__name__
        known = self._managers.get(name)
        if known is None or known[0] is not document_class.__mongokit__:
            known = (document_class.__mongokit__, make_manager(document_class, self))
            self._managers[name] = known
        return known[1]

    def _binding_of(self, document_class: type[Any]) -> Binding[Any]:
        binding = self._bindings.get(document_class)
        if binding is None or binding.model is not document_class.__mongokit__:
            binding = self._bindings[document_class] = Binding(document_class, self)
        return binding

    if TYPE_CHECKING:

        @property
        def database(self) -> Database: ...

    @overload
    def find(self, *args: Any, wrap: None = None, **kwargs: Any) -> Cursor[dict[str, Any]]: ...

    @overload
    def find(self, *args: Any, wrap: type[D] | D | Documents[D], **kwargs: Any) -> Cursor[D]: ...

    @overload
    def find(self, *args: Any, wrap: Any, **kwargs: Any) -> Cursor[Any]: ...

    def find(self, *args: Any, wrap: Any = None, **kwargs: Any) -> Cursor[Any]:
        """Return a cursor over the documents that match, as plain dicts.

        Args:
            *args: As `pymongo.collection.Collection.find`.
            wrap: A class or a manager whose documents the results shall be; None for dicts.
            **kwargs: The same as `*args` by name, also in PyMongo 2's spellings.

        Raises:
            TypeError: Two spellings of one argument; `wrap` is neither class nor manager.
            UnknownFieldError, QueryTypeError: The class of `wrap` has `strict_queries`; see
                `Queries`.

        Example:
            >>> [user.name for user in db.users.find({"age": {"$gt": 40}}, wrap=User)]
            ['Grace']
            >>> [type(raw) for raw in db.users.find({"age": {"$gt": 40}})]
            [<class 'dict'>]
        """
        args, kwargs, options = translate_find(args, kwargs)
        target = with_find_options(self, options) if options else self
        if wrap is None:
            return Cursor(target, *args, **kwargs)
        binding = self._wrapper(wrap)
        kind: type[Cursor[Any]] = Cursor
        if binding.strict:
            binding.strict.check_find(binding.model, args, kwargs)
            kind = StrictCursor
        projection = args[1] if len(args) > 1 else kwargs.get("projection")
        return kind(target, *args, **kwargs)._wrapped(binding, partial=is_partial(projection))

    def _wrapper(self, wrap: Any) -> Binding[Any]:
        if isinstance(wrap, Binding):
            return wrap
        cls = wrap if isinstance(wrap, type) else type(wrap)
        if not getattr(cls, "_is_document", False):
            raise TypeError(f"wrap must be a Document class or a manager, not {wrap!r}")
        return self._binding_of(getattr(cls, "__mongokit_of__", cls))

    def with_options(self, *args: Any, **kwargs: Any) -> Collection:  # type: ignore[override]
        """Return this collection with other options, as PyMongo does; of this class too.

        Example:
            >>> from pymongo import WriteConcern
            >>> safe = db.users.with_options(write_concern=WriteConcern(j=True))
            >>> safe.User.find_one({"name": "Ada"}).age
            36
        """
        other = super().with_options(*args, **kwargs)
        return Collection(
            self.database,
            self.name,
            codec_options=other.codec_options,
            read_preference=other.read_preference,
            write_concern=other.write_concern,
            read_concern=other.read_concern,
        )

    def __getattr__(self, name: str) -> Any:
        """Return the manager of the class registered under `name`, else a sub-collection."""
        if "_name" not in vars(self):  # made by `copy`, which fills it later
            raise AttributeError(name)
        if not name.startswith("_"):
            registered = registry(self.database.client).get(name)
            if registered is not None:
                return self.documents(registered)
        return super().__getattr__(name)

    def __getitem__(self, name: str) -> Collection:
        """Return the sub-collection `name`, with this collection's options.

        The same object comes back for the same name, where this collection has its database's
        options.
        """
        found = self.database[f"{self.name}.{name}"]
        options = _options(self)
        return found if options == _options(self.database) else found.with_options(*options)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a collection is not callable, a registered class is.

        Example:
            >>> db.users.Usr()
            Traceback (most recent call last):
            TypeError: 'Usr' is a collection, and a collection is not callable. If it is meant ...
        """
        name = self.name.rpartition(".")[2]
        if name in registry(self.database.client):
            hint = f"The class {name} names no __collection__: use db.a_collection.{name}()"
        else:
            hint = (
                "If it is meant to be a Document class, it may not have been registered on this "
                "connection"
            )
        raise TypeError(f"{name!r} is a collection, and a collection is not callable. {hint}")

    def __dir__(self) -> list[str]:
        """List the attributes and the registered classes."""
        return sorted({*super().__dir__(), *registry(self.database.client)})


def _options(store: Any) -> tuple[Any, ...]:
    """What `with_options` takes, in its order."""
    return (
        store.codec_options,
        store.read_preference,
        store.write_concern,
        store.read_concern,
    )
