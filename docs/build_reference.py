"""Make `docs/reference/` from the docstrings: `make reference`.

The pages are committed; a test fails when they are stale. The standard library's `ast` is enough:
the docstrings have one form, and the sources are read as they stand, so that signatures keep their
layout and nothing is imported.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
SOURCES = {
    "mongokit": ROOT / "packages/mongokit/src/mongokit",
    "flask_mongokit": ROOT / "packages/flask-mongokit/src/flask_mongokit",
}
CASTS = {
    "mongokit": ROOT / "packages/mongokit/tests/programs/cast.py",
    "flask_mongokit": ROOT / "packages/flask-mongokit/tests/programs/cast.py",
}
_CAST_STARTS = "# The reference shows what follows.\n"
_WRITTEN = "<!-- Made from docstrings: change those, then `make reference`. -->"

# What a page shows beside the methods without an underscore, where it has a docstring.
_SPECIAL = {
    *("__call__", "__contains__", "__delattr__", "__delitem__", "__getattr__", "__getitem__"),
    *("__hash__", "__iter__", "__setattr__", "__setitem__"),
}


@dataclass(frozen=True)
class Entry:
    """One thing on a page.

    Attributes:
        module: Its module.
        name: Its name there; several constants by commas; '' for the module's own docstring.
        title: How the page calls it, if not by its name.
    """

    module: str
    name: str = ""
    title: str = ""


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        file: Its file name.
        title: Its title.
        entries: What stands on it, in order.
        text: What it says first, where no docstring does.
    """

    file: str
    title: str
    entries: tuple[Entry, ...]
    text: str = ""


def _page(file: str, title: str, *entries: str, text: str = "") -> Page:
    """Make a page of entries written as `module:name` or `module:name=title`."""
    made = []
    for entry in entries:
        where, _, title_of_it = entry.partition("=")
        module, _, name = where.partition(":")
        made.append(Entry(module, name, title_of_it))
    return Page(file, title, tuple(made), text)


PAGES = (
    _page(
        "connection.md",
        "Connection, database, collection",
        "mongokit.connection:Connection",
        "mongokit.connection:MongoClient",
        "mongokit.connection:ReplicaSetConnection",
        "mongokit.connection:MongoReplicaSetClient",
        "mongokit.connection:MasterSlaveConnection",
        "mongokit.database:Database",
        "mongokit.collection:Collection",
        text="All three are PyMongo's, so [PyMongo's documentation][pymongo] says what else they "
        "do.\n\n[pymongo]: https://pymongo.readthedocs.io/en/stable/api/pymongo/",
    ),
    _page(
        "documents.md",
        "Documents",
        "mongokit.schema_document:SchemaDocument",
        "mongokit.document:Document",
        "mongokit.embedded:Embedded",
        "mongokit.annotations:field",
        "mongokit.manager:Documents",
        "mongokit.declaration:SchemaProperties",
        "mongokit.declaration:DocumentProperties",
    ),
    _page(
        "structure.md",
        "Structure types and operators",
        "mongokit.types:CustomType",
        "mongokit.types:Set",
        "mongokit.operators:OR",
        "mongokit.operators:NOT",
        "mongokit.operators:IS",
        "mongokit.operators:AnyOf",
        "mongokit.operators:SchemaOperator",
        "mongokit.types:DecimalType",
        "mongokit.types:DateType",
        "mongokit.types:EnumType",
        "bson:ObjectId",
        "bson:DBRef",
    ),
    _page(
        "validators.md",
        "Validators",
        "mongokit.validators",
        *(
            f"mongokit.validators:{name}"
            for name in (
                *(
                    "max_length",
                    "min_length",
                    "length",
                    "pattern",
                    "one_of",
                    "ge",
                    "gt",
                    "le",
                    "lt",
                ),
                *("multiple_of", "email", "url", "unique_items", "Constraint"),
            )
        ),
    ),
    _page(
        "queries.md",
        "Queries and cursors",
        "mongokit.queries:Queries",
        "mongokit.raw_queries:RawQueries",
        "mongokit.cursor:Cursor",
    ),
    _page(
        "changes.md",
        "Change streams",
        "mongokit.watching",
        "mongokit.watching:ChangeStream",
        "mongokit.watching:Change",
    ),
    _page(
        "references.md",
        "References",
        "mongokit.references",
        "mongokit.references:fetch",
        "mongokit.references:are_fetched",
    ),
    _page(
        "indexes.md",
        "Indexes",
        "mongokit.indexes",
        "mongokit.indexes:INDEX_ASCENDING, INDEX_DESCENDING, INDEX_GEO2D, INDEX_GEOSPHERE, "
        "INDEX_HASHED, INDEX_TEXT, INDEX_GEOHAYSTACK, INDEX_OFF, INDEX_ALL",
        "mongokit.indexes:plan",
        "mongokit.indexes:IndexPlan",
        "mongokit.indexes:IndexDifference",
        "mongokit.indexes:Index",
        "mongokit.indexes:declared_indexes",
    ),
    _page(
        "plan.md",
        "The plan",
        "mongokit.planning",
        "mongokit.planning:Plan",
        "mongokit.planning:CollectionPlan",
        "mongokit.planning:Conflict",
    ),
    _page("i18n.md", "Values per language", "mongokit.i18n", "mongokit.i18n:i18n"),
    _page(
        "gridfs.md",
        "Files in GridFS",
        "mongokit.grid",
        "mongokit.grid:FS",
        "mongokit.grid:FSContainer",
        "mongokit.grid:_Files=What FS and FSContainer share",
        "mongokit.grid:File",
        "mongokit.grid:NoSuchFile",
    ),
    _page(
        "json.md",
        "JSON",
        "mongokit.json",
        text="On documents: [`to_json`](documents.md#documentto_json), "
        "[`to_json_type`](documents.md#documentto_json_type), "
        "[`to_extended_json`](documents.md#documentto_extended_json). "
        "On managers: [`from_json`](queries.md#queriesfrom_json), "
        "[`from_extended_json`](queries.md#queriesfrom_extended_json).",
    ),
    _page(
        "migration.md", "Migrations", "mongokit.migration", "mongokit.migration:DocumentMigration"
    ),
    _page(
        "versions.md",
        "Versions",
        "mongokit.versioned_document",
        "mongokit.versioned_document:VersionedDocument",
        "mongokit.versioned_document:RevisionDocument",
    ),
    _page("auth.md", "Logins and passwords", "mongokit.auth", "mongokit.auth:User"),
    _page(
        "errors.md",
        "Errors",
        "mongokit.errors",
        "mongokit.errors:MongoKitError",
        "mongokit.errors:SchemaDocumentError",
        "mongokit.errors:Failure",
        "mongokit.errors:StructureError",
        "mongokit.errors:BadKeyError",
        "mongokit.errors:SchemaTypeError",
        "mongokit.errors:AuthorizedTypeError",
        "mongokit.errors:RequireFieldError",
        "mongokit.errors:ValidationError",
        "mongokit.errors:DefaultFieldTypeError",
        "mongokit.errors:DuplicateRequiredError",
        "mongokit.errors:DuplicateDefaultValueError",
        "mongokit.errors:ModifierOperatorError",
        "mongokit.errors:i18nError",
        "mongokit.errors:ConnectionError",
        "mongokit.errors:BulkValidationError",
        "mongokit.errors:UniqueIndexConflict",
        "mongokit.errors:UnknownFieldError",
        "mongokit.errors:QueryTypeError",
        "mongokit.errors:StaleDocument",
        "mongokit.errors:ConditionNotMet",
        "mongokit.errors:MultipleResultsFound",
        "mongokit.errors:BadIndexError",
        "mongokit.errors:AutoReferenceError",
        "mongokit.errors:MaxDocumentSizeError",
        "mongokit.errors:OptionConflictError",
        "mongokit.errors:UpdateQueryError",
        "mongokit.errors:EvalException",
        "mongokit.errors:MongoAuthException",
        "mongokit.errors:DuplicateI18nError",
        "mongokit.errors:DeprecationError",
        "pymongo.errors:OperationFailure",
        "bson.errors:InvalidDocument",
    ),
    _page(
        "legacy.md",
        "PyMongo 2's calls and Python 2's names",
        "mongokit.legacy",
        "mongokit.legacy.writes:LegacyWrites=On a collection: writes",
        "mongokit.legacy.collection:LegacyCollection=On a collection",
        "mongokit.legacy.cursor:LegacyCursor=On a cursor",
        "mongokit.legacy.cursor:AggregateCursor",
        "mongokit.legacy.database:LegacyDatabase=On a database",
        "mongokit.legacy.database:LegacyClient=On a connection",
        "mongokit.compat",
    ),
    _page(
        "dicts.md",
        "Dotted dicts and timestamps",
        "mongokit.dotted:DotedDict",
        "mongokit.dotted:i18nDotedDict",
        "mongokit.dotted:DotCollapsedDict",
        "mongokit.dotted:DotExpandedDict",
        "mongokit.helpers:totimestamp",
        "mongokit.helpers:fromtimestamp",
        "mongokit.helpers:utcnow",
    ),
    _page(
        "paginator.md",
        "Pages",
        "mongokit.paginator",
        "mongokit.paginator:Paginator",
        "mongokit.paginator:keyset",
        "mongokit.paginator:KeysetPage",
    ),
    _page(
        "flask_mongokit.md",
        "Flask: `flask_mongokit`",
        "flask_mongokit._extension:MongoKit",
        "flask_mongokit._document:Document",
        "flask_mongokit._document:BSONObjectIdConverter",
        "flask_mongokit._client:client_created",
        "flask_mongokit._extension:AuthenticationIncorrect",
    ),
)

_ELSEWHERE = {
    "ObjectId": ("api/bson/objectid.html", "The id that the driver makes for a document."),
    "DBRef": ("api/bson/dbref.html", "A reference to a document: collection, id and database."),
    "OperationFailure": (
        "api/pymongo/errors.html#pymongo.errors.OperationFailure",
        "The server refused an operation; `code` and `details` say why.",
    ),
    "InvalidDocument": (
        "api/bson/errors.html#bson.errors.InvalidDocument",
        "BSON can't hold a value or a key of a document.",
    ),
}


class Module:
    """The source of one module."""

    def __init__(self, name: str) -> None:
        package, *below = name.split(".")
        path = SOURCES[package].joinpath(*below)
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        self.name = name
        self.source = path.read_text("utf-8")
        self.lines = self.source.splitlines()
        self.tree = ast.parse(self.source)

    def find(self, name: str) -> ast.stmt:
        """Return the statement at the top level that defines a name.

        Args:
            name: A class, a function or a constant.

        Raises:
            LookupError: There is none.
        """
        for node in self.tree.body:
            if name in _defined(node):
                return node
        raise LookupError(f"{self.name} has no {name}")

    def signature(self, node: ast.ClassDef | ast.FunctionDef) -> str:
        """Return the lines that open a definition, as they stand in the source."""
        start = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        lines = self.lines[start - 1 : node.body[0].lineno - 1]
        if node.body[0].lineno == node.lineno:  # all of it in one line
            lines = [self.lines[node.lineno - 1]]
        indent = len(lines[0]) - len(lines[0].lstrip())
        text = "\n".join(re.sub(r"\s+# (type|noqa).*", "", line[indent:]) for line in lines)
        return text.rstrip().removesuffix("...").rstrip().removesuffix(":")


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def build() -> dict[str, str]:
    """Return the text of each page by its file name.

    Raises:
        LookupError: A page names something that is not in the sources.
    """
    texts = {page.file: _render_page(page) for page in PAGES}
    texts["README.md"] = _render_index()
    return texts


def _render_page(page: Page) -> str:
    parts = [_WRITTEN, f"# {page.title}"]
    if page.text:
        parts.append(page.text)
    for entry in page.entries:
        parts += _render_entry(entry)
    return "\n\n".join(parts) + "\n"


def _render_entry(entry: Entry) -> Iterator[str]:
    if entry.name in _ELSEWHERE:
        address, text = _ELSEWHERE[entry.name]
        yield f"## {entry.name}"
        yield f"`from mongokit import {entry.name}`"
        kind = "bson" if entry.module.startswith("bson") else "PyMongo"
        yield f"{text} It is [{kind}'s](https://pymongo.readthedocs.io/en/stable/{address})."
        return
    module = Module(entry.module)
    if not entry.name:
        yield from _render_docstring(ast.get_docstring(module.tree) or "")
        return
    names = entry.name.split(", ")
    node = module.find(names[0])
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield f"## {entry.title or entry.name}"
        if not entry.title:
            yield f"`from {_importable(entry)} import {entry.name}`"
        yield from _render_definition(module, node)
        return
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Name):
        yield f"## {entry.name}"
        yield f"`from {_importable(entry)} import {entry.name}`"
        yield f"The same as [{value.id}](#{value.id.lower()})."
    elif isinstance(value, ast.Call):  # an object with its docstring as the last argument
        yield f"## {entry.name}"
        yield f"`from {_importable(entry)} import {entry.name}`"
        docstring = ast.literal_eval(value.args[1])
        yield from _render_docstring(inspect.cleandoc(docstring))
    else:
        yield "## Constants"
        yield f"`from {_importable(entry)} import {names[0]}`"
        yield "\n".join(["| Name | Value |", "|---|---|", *_constants(module, names)])


def _constants(module: Module, names: list[str]) -> Iterator[str]:
    for name in names:
        node = module.find(name)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield f"| `{name}` | `{ast.unparse(node.value)}` |"


def _importable(entry: Entry) -> str:
    """The module that a user imports the name from."""
    package = entry.module.partition(".")[0]
    if entry.name.partition(",")[0] in public_names(package):
        return package
    return entry.module


def public_names(package: str) -> list[str]:
    """Return the `__all__` of a package.

    Args:
        package: A key of `SOURCES`.
    """
    node = Module(package).find("__all__")
    assert isinstance(node, ast.Assign)  # noqa: S101 - for type checkers
    names: list[str] = ast.literal_eval(node.value)
    return names


def _render_definition(module: Module, node: ast.ClassDef | ast.FunctionDef) -> Iterator[str]:
    signature = [module.signature(node)]
    if isinstance(node, ast.ClassDef):
        signature += [module.signature(m) for m in _methods(node) if m.name == "__init__"]
    yield _code("\n".join(signature))
    yield from _render_docstring(ast.get_docstring(node) or "")
    if not isinstance(node, ast.ClassDef):
        return
    for method in _methods(node):
        text = ast.get_docstring(method)
        if text and (method.name in _SPECIAL or not method.name.startswith("_")):
            yield f"### {node.name.strip('_')}.{method.name}"
            yield _code(module.signature(method))
            yield from _render_docstring(text)


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [member for member in node.body if isinstance(member, ast.FunctionDef)]


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example):$")
_ITEM = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): (.*)$")
_TITLES = {"Args": "Arguments"}


def _render_docstring(text: str) -> Iterator[str]:
    """Yield the paragraphs of a docstring in the house's form, as Markdown."""
    section, block = "", [""]
    for line in [*text.splitlines(), "Example:"]:
        if found := _SECTION.match(line):
            yield from _render_section(section, block)
            section, block = found[1], []
        elif section and line and not line.startswith(" "):  # text after a section
            yield from _render_section(section, block)
            section, block = "", [line]
        else:
            block.append(line)


def _render_section(section: str, block: list[str]) -> Iterator[str]:
    body = "\n".join(line[4:] if section else line for line in block).strip("\n")
    if not body:
        return
    if not section:
        yield body
    elif section == "Example":
        yield "**Example**"
        yield _code(body)
    elif section in {"Returns", "Yields"}:
        yield f"**{section}** " + " ".join(body.split())
    else:
        yield f"**{_TITLES.get(section, section)}**"
        yield "\n".join(_items(body))


def _items(body: str) -> Iterator[str]:
    """The lines of a section as a list: a line that is indented belongs to the one before."""
    item = ""
    for line in [*body.splitlines(), ""]:
        is_text = bool(line and item) and not _ITEM.match(line) and not _ITEM.match(item)
        if item and (line.startswith(" ") or is_text):
            item += f" {line.strip()}"
            continue
        if item:
            found = _ITEM.match(item)
            names = "" if found is None else ", ".join(f"`{n}`" for n in found[1].split(", "))
            yield f"- {item}" if found is None else f"- {names}: {found[2]}"
        item = line


_INDEX_STARTS = """\
Every public name, with examples that the tests run. [Choices](choices.md) says what we chose where
classic MongoKit's behaviour was open; [porting](../porting.md) what to change in older code."""
_CAST_NEEDS = """\
`from mongokit import *`, the import line of the entry, a server's address `uri`, the `name` of an
empty database, and this:"""


def _render_index() -> str:
    parts = [
        _WRITTEN,
        "# Reference",
        _INDEX_STARTS,
        "\n".join(f"- [{page.title}]({page.file})" for page in PAGES),
        "## What the examples start from",
        _CAST_NEEDS,
        _code(_cast("mongokit")),
        "Those of `flask_mongokit` start from `from flask_mongokit import *` and this:",
        _code(_cast("flask_mongokit")),
        "## All names",
    ]
    for package in SOURCES:
        parts.append(f"### {package}")
        places = _places(package)
        rows = [f"| [`{name}`]({places[name]}) |" for name in public_names(package)]
        parts.append("\n".join([f"| `from {package} import …` |", "|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _cast(package: str) -> str:
    return CASTS[package].read_text("utf-8").partition(_CAST_STARTS)[2].strip("\n")


def _places(package: str) -> dict[str, str]:
    """The page and heading of each public name of a package.

    Raises:
        LookupError: A name has no page.
    """
    places: dict[str, str] = {}
    for page in PAGES:
        for entry in page.entries:
            if not entry.module.startswith((f"{package}.", "bson", "pymongo")):
                continue
            names = entry.name.split(", ")
            for name in names:
                heading = "constants" if len(names) > 1 else name.lower()
                places[name] = f"{page.file}#{heading}"
    missing = [name for name in public_names(package) if name not in places]
    if missing:
        raise LookupError(f"no page in docs/build_reference.py shows {', '.join(missing)}")
    return places


def main() -> None:
    """Write the pages."""
    for name, text in build().items():
        (FOLDER / name).write_text(text, "utf-8")
    sys.stdout.write(f"{len(PAGES) + 1} pages in {FOLDER.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
