"""The manager: what `collection.User` is, typed as `Documents[User]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mongokit.queries import Queries, bound

if TYPE_CHECKING:
    from mongokit.collection import Collection
    from mongokit.document import Document

D = TypeVar("D", bound="Document")


class Documents(Queries[D]):
    """The documents of one class in one collection: call it for a new one, query it for stored.

    As in classic MongoKit the object is also an empty document of the class: the class's own
    methods, class methods and properties work on it, with `self.collection` bound.

    Example:
        >>> users = db.documents(User)
        >>> users is db.users.User
        True
        >>> ada = users({"name": "Ada"})
        >>> users.find_one({"name": "Ada"})
    """

    __slots__ = ()

    def __call__(
        self,
        doc: Any = None,
        gen_skel: bool = True,
        lang: str = "en",
        fallback_lang: str = "en",
    ) -> D:
        """Return a new document of the class, bound to the collection.

        Args:
            doc: The content. With content, exactly that; without, the skeleton and the defaults.
            gen_skel: Whether to make the skeleton.
            lang: The current language of i18n fields.
            fallback_lang: The language that is read where the current one has no value.
        """
        made: D = bound(self).new(doc, gen_skel, lang, fallback_lang)
        return made


def make_manager(document_class: type[D], collection: Collection) -> Documents[D]:
    """Make the manager of a class in a collection.

    Its class is a subclass of the document class, so that `isinstance(collection.User, User)`
    holds and overridden methods are found first.

    Args:
        document_class: The class.
        collection: Where its documents are stored.
    """
    namespace = {
        "__mongokit_of__": document_class,
        "__module__": document_class.__module__,
        "__qualname__": document_class.__qualname__,
        "__doc__": document_class.__doc__,
    }
    metaclass: Any = type(document_class)
    manager_class: Any = metaclass(document_class.__name__, (document_class, Documents), namespace)
    manager: Documents[D] = manager_class(collection=collection)
    return manager
