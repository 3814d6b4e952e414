"""Files that belong to a document, in GridFS.

A class names them in `gridfs`; `document.fs` is where they are. A file is a GridFS file whose
file document carries `docid`, the document's `_id`, and for a file in a container `container`, as
classic MongoKit stored them. Assigning puts a new version beside the older ones; reading gives the
last. Files are no part of the document: `delete()` leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gridfs import GridFS, GridIn, GridOut, NoFile
from pymongo.errors import PyMongoError

from mongokit.errors import MongoKitError

if TYPE_CHECKING:
    from mongokit.document import Document

__all__ = ["FS", "FSContainer", "File", "NoSuchFile"]


class NoSuchFile(MongoKitError, NoFile, KeyError):
    """The document has no such file, or no such version of it.

    Example:
        >>> issubclass(NoSuchFile, NoFile)
        True
    """

    __str__ = Exception.__str__  # not KeyError's, which quotes


class File(GridOut):
    """A stored file, open for reading: PyMongo's `GridOut`, streamed chunk by chunk.

    Example:
        >>> user.fs.photo = b"PNG..."
        >>> with user.fs.get_last_version("photo") as file:
        ...     file.name, file.length, file.container, file.read(3)
        ('photo', 6, None, b'PNG')
    """

    @property
    def container(self) -> str | None:
        """The container that the file is in, or None."""
        try:
            name: str = self.__getattr__("container")
        except AttributeError:
            return None
        return name


class _Upload(GridIn):
    """A file that is being written; what an interrupted `with` block wrote is removed again."""

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        """Store the file, or leave nothing of it."""
        if kind is None:
            self.close()
            return
        with suppress(PyMongoError):  # the reason for the exit is what the caller has to see
            self.abort()


class _Files:
    """Files of one document: those of one container, or those without (`container` is None)."""

    __slots__ = ("_container", "_document")

    def __init__(self, document: Document, container: str | None = None) -> None:
        object.__setattr__(self, "_document", document)
        object.__setattr__(self, "_container", container)

    _document: Document
    _container: str | None

    def new_file(self, filename: str, **kwargs: Any) -> GridIn:
        """Return a new version of a file, open for writing; it is stored when it is closed.

        Args:
            filename: Its name.
            **kwargs: More fields of the file document, such as `metadata`, and `chunk_size`.

        Raises:
            RuntimeError: The document was never saved.
            AttributeError: The class does not declare the file.

        Example:
            >>> with user.fs.new_file("photo", metadata={"by": "Grace"}) as file:
            ...     file.write(b"first half, ")
            ...     file.write(b"second half")
            >>> user.fs.photo
            b'first half, second half'
        """
        self._check_name(filename)
        fields = {**kwargs, "filename": filename, "docid": self._docid()}
        if self._container is not None:
            fields["container"] = self._container
        GridFS(self._document.db)  # refuses unacknowledged writes, which lose chunks
        return _Upload(self._collection(), **fields)

    def put(self, data: Any, filename: str, **kwargs: Any) -> Any:
        """Store a new version of a file.

        Args:
            data: Bytes, or a file open for reading, which is read chunk by chunk; a text only
                with `encoding=`.
            filename: Its name.
            **kwargs: As for `new_file`.

        Returns:
            The `_id` of the stored file.

        Raises:
            RuntimeError: The document was never saved.
            AttributeError: The class does not declare the file.
            TypeError: The data is of another type.

        Example:
            >>> from io import BytesIO
            >>> file_id = user.fs.put(BytesIO(b"..."), filename="photo", metadata={"by": "Grace"})
            >>> user.fs.get(file_id).metadata
            {'by': 'Grace'}
        """
        with self.new_file(filename, **kwargs) as file:
            file.write(data)
        return file._id

    def get(self, file_id: Any) -> File:
        """Return a file by its `_id`.

        Args:
            file_id: What `put` returned.

        Raises:
            RuntimeError: The document was never saved.
            NoSuchFile: The document has no such file.

        Example:
            >>> file_id = user.fs.put(b"...", filename="photo")
            >>> user.fs.get(file_id).read()
            b'...'
        """
        for file in self._find({**self._mine(), "_id": file_id}):
            return file
        raise NoSuchFile("no file with this _id belongs to this document")

    def get_version(self, filename: str, version: int = -1) -> File:
        """Return a version of a file.

        Args:
            filename: Its name.
            version: 0 is the first, 1 the second, ...; -1 the last, -2 the one before, ...

        Raises:
            RuntimeError: The document was never saved.
            NoSuchFile: There is no such version.

        Example:
            >>> user.fs.photo = b"old"
            >>> user.fs.photo = b"new"
            >>> user.fs.get_version("photo", 0).read(), user.fs.get_version("photo", -1).read()
            (b'old', b'new')
        """
        files = self._collection().files
        order = 1 if version >= 0 else -1
        query = {**self._mine(), "filename": filename}
        skip = version if version >= 0 else -version - 1
        found = files.find(query).sort([("uploadDate", order), ("_id", order)]).skip(skip).limit(1)
        for stored in found:
            return File(self._collection(), file_document=stored)
        raise NoSuchFile(f"no version {version} of the file {filename!r}")

    def get_last_version(self, filename: str) -> File:
        """Return the last version of a file.

        Args:
            filename: Its name.

        Raises:
            RuntimeError: The document was never saved.
            NoSuchFile: There is none.

        Example:
            >>> user.fs.photo = b"..."
            >>> user.fs.get_last_version("photo").read(2)
            b'..'
        """
        return self.get_version(filename, -1)

    def delete(self, file_id: Any) -> None:
        """Remove one version of a file, chunks and all.

        Args:
            file_id: Its `_id`.

        Raises:
            RuntimeError: The document was never saved.
            NoSuchFile: The document has no such file.

        Example:
            >>> file_id = user.fs.put(b"...", filename="photo")
            >>> user.fs.delete(file_id)
            >>> user.fs.list()
            []
        """
        self._gridfs().delete(self.get(file_id)._id)

    def list(self) -> list[str]:
        """Return the names of the document's files, sorted, each once.

        Raises:
            RuntimeError: The document was never saved.

        Example:
            >>> user.fs.photo = b"..."
            >>> user.fs.images["a.png"] = b"..."
            >>> user.fs.list()
            ['a.png', 'photo']
        """
        return sorted(self._collection().files.distinct("filename", self._all()))

    def __iter__(self) -> Iterator[File]:
        """Yield every stored version of every file, in the order of their upload.

        Raises:
            RuntimeError: The document was never saved.
        """
        return self._find(self._all())

    def _delete_all(self, filename: str) -> bool:
        """Remove every version of a file, and tell whether there was one."""
        query = {**self._mine(), "filename": filename}
        found = [stored["_id"] for stored in self._collection().files.find(query, {"_id": 1})]
        for file_id in found:
            self._gridfs().delete(file_id)
        return bool(found)

    def _read(self, filename: str) -> bytes:
        with self.get_last_version(filename) as file:
            return file.read()

    def _write(self, filename: str, data: Any) -> None:
        if not isinstance(filename, str):
            raise TypeError(f"a file's name must be a text, not {type(filename).__name__}")
        if not isinstance(data, bytes):
            raise TypeError(
                f"{filename}: only bytes can be assigned, not {type(data).__name__}; encode a "
                "text first, and give an open file to put()"
            )
        self.put(data, filename=filename)

    def _find(self, query: dict[str, Any]) -> Iterator[File]:
        collection = self._collection()
        with collection.files.find(query).sort([("uploadDate", 1), ("_id", 1)]) as found:
            for stored in found:
                yield File(collection, file_document=stored)

    def _mine(self) -> dict[str, Any]:
        """The files that are addressed by name here: `None` matches an absent field too."""
        return {"docid": self._docid(), "container": self._container}

    def _all(self) -> dict[str, Any]:
        """The files that are listed here."""
        return self._mine()

    def _docid(self) -> Any:
        identity = dict.get(self._document, "_id")
        if identity is None:
            raise RuntimeError(
                "the document has no _id: save it before its files are used, which belong to it"
            )
        return identity

    def _check_name(self, filename: str) -> None:
        """Refuse a file that the class does not declare."""

    def _gridfs(self) -> GridFS:
        return GridFS(self._document.db)

    def _collection(self) -> Any:
        return self._document.db["fs"]


class FSContainer(_Files):
    """The files of one container of a document, by name.

    Example:
        >>> user.fs.images["a.png"] = b"..."
        >>> user.fs.images["a.png"]
        b'...'
        >>> [file.name for file in user.fs.images]
        ['a.png']
        >>> del user.fs.images["a.png"]
        >>> "a.png" in user.fs.images
        False
    """

    __slots__ = ()

    def __getitem__(self, filename: str) -> bytes:
        """Return the content of the last version.

        Raises:
            NoSuchFile: There is no such file; a KeyError too.
            RuntimeError: The document was never saved.
        """
        return self._read(filename)

    def __setitem__(self, filename: str, data: bytes) -> None:
        """Store a new version.

        Raises:
            TypeError: The data is no bytes.
            RuntimeError: The document was never saved.
        """
        self._write(filename, data)

    def __delitem__(self, filename: str) -> None:
        """Remove all versions.

        Raises:
            NoSuchFile: There is no such file; a KeyError too.
            RuntimeError: The document was never saved.
        """
        if not self._delete_all(filename):
            raise NoSuchFile(f"no file {filename!r}")

    def __contains__(self, filename: object) -> bool:
        return isinstance(filename, str) and filename in self.list()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._container}>"


class FS(_Files):
    """The files of a document: `document.fs`.

    Declared names are attributes: reading one gives the content of the last version as bytes,
    None where there is no file; setting one stores a new version; deleting one removes all
    versions. A declared container is an `FSContainer`.

    Raises:
        AttributeError: A name that the class does not declare.
        RuntimeError: The document was never saved.
        TypeError: What is assigned is no bytes.

    Example:
        >>> User.gridfs
        {'files': ['photo'], 'containers': ['images']}
        >>> user.fs.photo = b"..."
        >>> user.fs.photo
        b'...'
        >>> user.fs.images["a.png"] = b"..."
        >>> [(file.name, file.container) for file in user.fs]
        [('photo', None), ('a.png', 'images')]
        >>> del user.fs.photo
        >>> user.fs.photo is None
        True
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a file's content, or a container."""
        files, containers = declared(type(self._document))
        if name in containers:
            return FSContainer(self._document, name)
        if name not in files:
            raise self._undeclared(name)
        try:
            return self._read(name)
        except NoSuchFile:
            return None

    def __setattr__(self, name: str, data: bytes) -> None:
        """Store a new version of a file."""
        self._check_name(name)
        self._write(name, data)

    def __delattr__(self, name: str) -> None:
        """Remove all versions of a file."""
        self._check_name(name)
        self._delete_all(name)

    def __dir__(self) -> list[str]:
        """List the methods, the files and the containers."""
        files, containers = declared(type(self._document))
        return sorted({*super().__dir__(), *files, *containers})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {type(self._document).__name__}>"

    def _all(self) -> dict[str, Any]:
        return {"docid": self._docid()}

    def _check_name(self, filename: str) -> None:
        files, containers = declared(type(self._document))
        if filename in containers:
            raise AttributeError(
                f"{filename} is a container: its files are .fs.{filename}[name]", name=filename
            )
        if filename not in files:
            raise self._undeclared(filename)

    def _undeclared(self, name: str) -> AttributeError:
        cls = type(self._document).__name__
        return AttributeError(f"{name} is not declared in the gridfs of {cls}", name=name, obj=self)


def declared(document_class: Any) -> tuple[list[str], list[str]]:
    """Return the files and the containers that a class declares.

    Args:
        document_class: A `Document` class.

    Example:
        >>> declared(User)
        (['photo'], ['images'])
    """
    gridfs = document_class.gridfs or []
    if isinstance(gridfs, Mapping):
        return list(gridfs.get("files") or ()), list(gridfs.get("containers") or ())
    return list(gridfs), []
