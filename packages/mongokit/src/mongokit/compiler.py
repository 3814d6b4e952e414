"""The one clever module: plain functions, generated from the tree of each class.

`Model` is what a class knows of itself, at `User.__mongokit__`. Its `check` and `construct` are
generated source, which can be read at `User.__mongokit__.source`:

- `check(doc, options)` is 0 unless the document is surely valid. It takes the common case first
  and answers 0 whenever it is not sure; then `explain` walks the tree and has the last word. So
  a mistake here could only cost time, but for one thing: it must never pass what is not valid. A
  property test holds it against a slow reference. What it answers for a valid document is an
  upper bound on its size as BSON, gathered on the way: only a document whose bound is large is
  encoded to know its size.
- `construct()` returns the content of a new document, with defaults, as one dict display.

Nothing else in the package executes generated source.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

import bson
from bson import DBRef, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import DEFAULT_CODEC_OPTIONS, CodecOptions

from mongokit import convert, explain
from mongokit.convert import content_of
from mongokit.dotted import DecodedDotedDict, DotedDict, to_dotted
from mongokit.errors import DefaultFieldTypeError
from mongokit.operators import OR
from mongokit.places import References
from mongokit.schema import (
    ALWAYS_KNOWN,
    AnyNode,
    CustomNode,
    EmbeddedNode,
    I18nNode,
    KeyedNode,
    ListNode,
    MappingNode,
    Node,
    OperatorNode,
    ReferenceNode,
    ScalarNode,
    TupleNode,
    UnionNode,
    find,
    normalize_path,
    walk,
)
from mongokit.types import CustomType
from mongokit.validators import Constraint

UNBOUND_OPTIONS: CodecOptions[dict[str, Any]] = DEFAULT_CODEC_OPTIONS.with_options(
    uuid_representation=UuidRepresentation.STANDARD
)
"""How a document without a collection is encoded: as a `Connection` does unless told otherwise."""

_IMMUTABLE = (type(None), bool, int, float, str, bytes)


class Model:
    """What one class declares, and the functions made of it.

    Attributes:
        document_class: The class.
        is_document: Whether it is a `Document`, not only a `SchemaDocument`.
        tree: The schema tree, None for a class without structure.
        required: Paths of required fields.
        validators: Path and functions, in the order of declaration.
        defaults: Path to default value.
        i18n: Paths of the fields with one value per language.
        schemaless: Whether undeclared and missing fields are allowed.
        lenient: Whether stored data may be older than the class, as in annotated classes: fields
            that are not required may be missing, undeclared ones that were read stay.
        notes_origin: Whether documents note that the program made them: so that it is answerable
            for undeclared fields, in a lenient class or one that it embeds.
        dotted: Whether the class has dot notation.
        version_field: The field that counts the writes of a document, None for none.
        check: An upper bound on the BSON size of a valid document, else 0; generated.
        construct: Makes a new document's content; generated.
        wrap_nested: Makes the declared nested dicts of a document `DotedDict`s; generated, and
            None where there are none or the class has no dot notation.
        type_key: The type field, if the structure declares it.
        to_bson: Makes the stored form, or None if it is the document itself.
        to_python: Makes the Python form of a stored document in place, or None.
        references: Where documents hold references, those of embedded documents included.
        has_references: Whether there is any such place.
        saves_plainly: Whether a document has neither references nor a version.
        has_checks: Whether items of lists and the like have validators of their own.
        unwatched: Fields of a lenient class that may be set without anyone taking note of it.
        cache: What other modules make of the class, at their first use of it.
        source: The generated source of `check` and `construct`.
    """

    def __init__(
        self,
        document_class: type,
        tree: Node | None,
        *,
        is_document: bool,
        required: list[str],
        validators: dict[str, list[Callable[[Any], Any]]],
        defaults: dict[str, Any],
        i18n: list[str],
        schemaless: bool,
        dotted: bool,
        type_field: str | None,
        lenient: bool = False,
        version_field: str | None = None,
    ) -> None:
        self.document_class = document_class
        self.is_document = is_document
        self.tree = tree
        self.required = [normalize_path(path) for path in required]
        self.validators = [(normalize_path(path), list(fs)) for path, fs in validators.items()]
        self.defaults = {normalize_path(path): value for path, value in defaults.items()}
        self.i18n = frozenset(i18n)
        self.schemaless = schemaless
        self.lenient = lenient and not schemaless
        self.notes_origin = self.lenient or (
            tree is not None
            and any(
                isinstance(node, EmbeddedNode) and node.document_class.__mongokit__.notes_origin
                for node in walk(tree)
            )
        )
        self.dotted = dotted
        self.type_field = type_field
        self.version_field = version_field
        self.to_bson = None if tree is None else convert.to_bson(tree)
        self.to_python = None if tree is None else convert.to_python(tree)
        self.references = References(tree)
        self.has_references = bool(self.references)
        self.saves_plainly = not self.has_references and version_field is None
        self.has_checks = tree is not None and any(node.checks for node in walk(tree))
        fields = tree.fields if isinstance(tree, MappingNode) else {}
        self.unwatched = ALWAYS_KNOWN | {
            name
            for name, node in fields.items()
            if not any(isinstance(each, EmbeddedNode) for each in walk(node))
        }
        self.cache: dict[str, Any] = {}
        generated = _Generator(self)
        self.source = generated.source
        functions = _execute(self.source, generated.names, document_class.__qualname__)
        self.check: Callable[[Any, CodecOptions[Any]], int] = functions["check"]
        self.construct: Callable[[], dict[str, Any]] = functions["construct"]
        self._skeleton: Callable[[], dict[str, Any]] = functions["skeleton"]
        self.wrap_nested: Callable[[Any], None] | None = functions.get("wrap_nested")
        self.type_key = type_field if type_field in fields else None

    def skeleton(self) -> dict[str, Any]:
        """Return the declared fields in their empty forms, without defaults."""
        return self._skeleton()

    def failures(
        self, doc: dict[Any, Any], options: CodecOptions[Any] = UNBOUND_OPTIONS
    ) -> Iterator[Exception]:
        """Yield every failure of `doc` as an error, the one that `validate()` raises first.

        Args:
            doc: The document.
            options: How values that the declaration leaves open are encoded.
        """
        return explain.failures(self, doc, options)


def _execute(source: str, names: dict[str, Any], class_name: str) -> dict[str, Any]:
    """Run generated source; known to `linecache`, so that tracebacks and debuggers show it."""
    filename = f"<mongokit {class_name} {id(names):x}>"
    exec(compile(source, filename, "exec"), names)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return names


class _Generator:
    """Writes the source of one class's functions."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.required = set(model.required)
        self.direct: dict[int, list[Callable[[Any], Any]]] = {}
        self.variables = 0
        self._check()
        self._construct()
        self._wrap_nested()
        self.source = "\n".join(self.lines) + "\n"

    # Writing.

    def write(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def constant(self, prefix: str, value: Any) -> str:
        """Give `value` a name that the source can use, the same one for the same object."""
        for name, known in self.names.items():
            if known is value and name.startswith(prefix + "_"):
                return name
        name = f"{prefix}_{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    # The check.

    def _check(self) -> None:
        model = self.model
        self.names["MISSING"] = explain.MISSING
        self.names["encode"] = bson.encode
        first = len(self.lines)
        self.write(0, "")  # becomes the `def`, when it is known what the body names
        self.write(
            1, f"n = {max(1, self._fixed_size(model.tree) // 4)}  # characters, at four bytes each"
        )
        if _is_read_otherwise(model.document_class):
            # What counts is what is stored.
            self.names["content_of"] = content_of
            self.write(1, "doc = content_of(doc)")
        self.write(1, "try:")
        start = len(self.lines)
        self._check_validators()
        if not self._is_reachable():
            self.write(2, "return 0  # something required is not in this class's own tree")
        elif model.tree is not None:
            self._check_document(model.tree)
        elif model.is_document:
            self.write(2, "n += len(encode(doc, False, options))")
        if len(self.lines) == start:
            self.write(2, "pass")
        self.write(1, "except Exception:")
        self.write(2, "return 0  # `explain` finds out why")
        self.write(1, "return 4 * n")
        self.lines[first] = f"def check({self._locals(self.lines[first:])}):"
        if model.lenient and isinstance(model.tree, MappingNode):
            self._check_some(model.tree)

    def _check_some(self, tree: MappingNode) -> None:
        """Write the check of a document that lacks declared fields, or has others."""
        self.write(0, "")
        self.write(0, "def check_some(doc, options, n):")
        count = self.variable()
        self.write(1, f"{count} = '_id' in doc")
        for key in self._own(tree):
            self._check_optional(tree.fields[key], key, "doc", 1, count)
        self.write(1, f"if {count} != len(doc): return 0  # `explain` knows where they come from")
        self.write(1, "return 4 * n")

    @staticmethod
    def _own(node: MappingNode) -> list[str]:
        return [key for key in node.fields if key not in ALWAYS_KNOWN]

    def _locals(self, body: list[str]) -> str:
        """Return the parameters; their defaults make locals of what `body` compares with.

        A local is found faster than a global, and than a builtin.
        """
        types = sorted(name for name in self.names if name.startswith("type_"))
        used = set(re.findall(r"\w+", "\n".join(body)))
        names = [name for name in ("type", "len", "dict", "list", *types) if name in used]
        return ", ".join(["doc", "options", *(f"{name}={name}" for name in names)])

    def _is_reachable(self) -> bool:
        """Whether each required path is a node of this class's own tree."""
        tree = self.model.tree
        if tree is None:
            return not self.required
        own = {id(node) for node in walk(tree)}
        return all(id(find(tree, path)) in own for path in self.required)

    def _check_validators(self) -> None:
        """Write the calls of validators; those of plain fields come with the fields' own checks."""
        direct = self._direct_of(self.model)
        self.direct |= direct
        for path, functions in self.model.validators:
            node = self.model.tree and find(self.model.tree, path)
            if id(node) in direct:
                continue
            value = self.variable()
            passes = self._passes(functions, value)
            if "." in path or isinstance(node, I18nNode):
                self.names["present_values"] = explain._present_values
                tree = self.constant("tree", self.model.tree)
                self.write(2, f"for {value} in present_values({tree}, doc, {path!r}):")
                self.write(3, f"if not ({passes}): return 0")
            else:
                self.write(2, f"{value} = doc.get({path!r})")
                self.write(2, f"if {value} is not None and not ({passes}): return 0")

    @staticmethod
    def _direct_of(model: Model) -> dict[int, list[Callable[[Any], Any]]]:
        """Return the validators that are called with their field's check, by the field's node."""
        fields = model.tree.fields if isinstance(model.tree, MappingNode) else {}
        return {
            id(fields[path]): functions
            for path, functions in model.validators
            if path in fields and not isinstance(fields[path], I18nNode)
        }

    def _passes(
        self, functions: Iterable[Callable[[Any], Any]], var: str, *, of: type | None = None
    ) -> str:
        """Return the expression of validators' verdict; a simple one's own test goes first.

        Args:
            functions: The validators.
            var: The variable with the value; not None.
            of: The type that it is known to have.
        """
        parts = []
        for function in functions:
            call = f"{self.constant('validator', function)}({var})"
            test = function.source(of=of) if isinstance(function, Constraint) else None
            parts.append(call if test is None else f"({test.format(v=var)} or {call})")
        return " and ".join(parts)

    def _check_functions(self, node: Node, var: str, depth: int) -> None:
        functions = [*self.direct.get(id(node), ()), *node.checks]
        if functions:
            passes = self._passes(functions, var)
            self.write(depth, f"if {var} is not None and not ({passes}): return 0")

    def _check_document(self, tree: Node) -> None:
        if isinstance(tree, MappingNode):
            self._check_fields(tree, "doc", 2, top=True)
        elif isinstance(tree, KeyedNode):
            self._check_keyed(tree, "doc", 2, skip_known=True)

    def _check_fields(self, node: MappingNode, var: str, depth: int, *, top: bool) -> None:
        own = self._own(node)
        for key in node.fields:
            if key in ALWAYS_KNOWN:
                self._check_optional(node.fields[key], key, var, depth, None)
        if self.model.schemaless:
            count = self.variable()
            self.write(depth, f"{count} = 0")
            for key in own:
                self._check_optional(node.fields[key], key, var, depth, count)
            self._check_undeclared(node, var, depth, count)
        else:
            known_id = f"len({var}) - ('_id' in {var})" if top else f"len({var})"
            otherwise = "check_some(doc, options, n)" if top and self.model.lenient else "0"
            self.write(depth, f"if {known_id} != {len(own)}: return {otherwise}")
            self._check_all(node, own, var, depth)

    def _check_all(self, node: MappingNode, own: list[str], var: str, depth: int) -> None:
        """Write the checks of fields that are surely there, if the document is valid."""
        texts: list[str] = []
        for key in own:
            value, read = self.variable(), f"{var}[{key!r}]"
            child = node.fields[key]
            functions = self.direct.get(id(child), [])
            may_be_short = not functions or (isinstance(child, ScalarNode) and child.kind is str)
            if (
                isinstance(child, ScalarNode)
                and may_be_short
                and not (child.none and issubclass(child.kind, (dict, list)))
            ):
                required = child.path in self.required and not child.none
                self._check_scalar(
                    child,
                    value,
                    depth,
                    required=required,
                    read=read,
                    texts=texts,
                    functions=functions,
                )
            else:
                self.write(depth, f"{value} = {read}")
                self._check_value(child, value, depth)
        if texts:
            self.write(depth, f"n += {' + '.join(f'len({text})' for text in texts)}")

    def _check_optional(
        self, node: Node, key: str, var: str, depth: int, count: str | None
    ) -> None:
        value = self.variable()
        self.write(depth, f"{value} = {var}.get({key!r}, MISSING)")
        self.write(depth, f"if {value} is not MISSING:")
        if count:
            self.write(depth + 1, f"{count} += 1")
        before = len(self.lines)
        self._check_value(node, value, depth + 1)
        if len(self.lines) == before and not count:
            self.write(depth + 1, "pass")
        if any(path == node.path or path.startswith(node.path + ".") for path in self.required):
            self.write(depth, "else: return 0")

    def _check_undeclared(self, node: MappingNode, var: str, depth: int, count: str) -> None:
        if self.model.is_document:
            known = self.constant("declared", ALWAYS_KNOWN | set(node.fields))
            self.write(depth, f"if {count} != len({var}):")
            rest = f"{{k: {var}[k] for k in {var} if k not in {known}}}"
            self.write(depth + 1, f"n += len(encode({rest}, False, options))")

    def _check_value(self, node: Node, var: str, depth: int, *, item: bool = False) -> None:
        """Write what returns 0 unless the value in `var` surely passes `node`."""
        required = not item and node.path in self.required and not node.none
        if node.none and isinstance(node, (MappingNode, KeyedNode, ListNode, TupleNode)):
            self.write(depth, f"if {var} is not None:")
            depth += 1
        elif node.none is False and isinstance(
            node, (AnyNode, CustomNode, OperatorNode, ReferenceNode, UnionNode)
        ):
            self.write(depth, f"if {var} is None: return 0")
        self._check_kind(node, var, depth, required=required)
        if node.none and not item and node.path in self.required and type(node) is not CustomNode:
            self.names["CONTAINERS"] = (dict, list, tuple)
            self.write(depth, f"if not {var} and isinstance({var}, CONTAINERS): return 0")
        self._check_functions(node, var, depth)

    def _check_kind(self, node: Node, var: str, depth: int, *, required: bool) -> None:
        match node:
            case ScalarNode():
                self._check_scalar(node, var, depth, required=required)
            case MappingNode():
                self._check_mapping(node, var, depth, required=required)
            case KeyedNode():
                self._check_container(var, depth, "dict", required=required)
                self._check_keyed(node, var, depth)
            case ListNode():
                self._check_container(var, depth, "list", required=required)
                self._check_list(node, var, depth)
            case TupleNode():
                self._check_container(var, depth, "list", required=required)
                self.write(depth, f"if len({var}) != {len(node.items)}: return 0")
                for index, child in enumerate(node.items):
                    value = self.variable()
                    self.write(depth, f"{value} = {var}[{index}]")
                    self._check_value(child, value, depth, item=True)
            case UnionNode():
                takes = self.constant("union", _union_check(self.model, node))
                self.write(depth, f"if {var} is not None and not {takes}({var}, options): return 0")
                self.write(depth, f"if {var}: n += len(encode({{'': {var}}}, False, options))")
                self._refuse_empty(var, depth, required=required)
            case I18nNode():
                self._check_container(var, depth, "dict", required=required)
                value = self.variable()
                self.write(depth, f"for {value}k, {value} in {var}.items():")
                self.write(depth + 1, f"if not isinstance({value}k, str): return 0")
                self.write(depth + 1, f"n += {16 + self._fixed_size(node.inner) // 4}")
                self._check_value(node.inner, value, depth + 1, item=True)
            case CustomNode():
                passes = self.constant("custom", _custom_check(node.custom))
                self.write(depth, f"if not {passes}({var}): return 0")
                self._refuse_none(var, depth, required=required)
            case _:
                self._check_rare(node, var, depth, required=required)

    def _check_rare(self, node: Node, var: str, depth: int, *, required: bool) -> None:
        match node:
            case AnyNode():
                authorized = self.constant("authorized", node.authorized)
                self.write(depth, f"if not isinstance({var}, {authorized}): return 0")
                if self.model.is_document:
                    self.names["CONTAINERS"] = (dict, list, tuple)
                    self.write(depth, f"if {var} and isinstance({var}, CONTAINERS):")
                    self.write(depth + 1, f"n += len(encode({{'': {var}}}, False, options))")
                    self.write(depth, f"elif isinstance({var}, (str, bytes)): n += len({var})")
                if required:
                    self.write(
                        depth,
                        f"if {var} is None or (not {var} and isinstance({var}, CONTAINERS)): "
                        "return 0",
                    )
                    self.names["CONTAINERS"] = (dict, list, tuple)
            case OperatorNode():
                if isinstance(node.operator, OR):
                    kinds = self.constant("types", node.operator.operands)
                    test = f"type({var}) not in {kinds}"
                else:
                    passes = self.constant("operator", node.operator.validate)
                    test = f"not {passes}({var})"
                self.write(depth, f"if {var} is not None and {test}: return 0")
                self.write(depth, f"if isinstance({var}, (str, bytes)): n += len({var})")
                if self.model.is_document:
                    self.names["SIMPLE"] = _SIMPLE
                    self.write(depth, f"elif type({var}) is int:")
                    self.write(depth + 1, f"if not {-(2**63)} <= {var} <= {2**63 - 1}: return 0")
                    self.write(depth, f"elif type({var}) not in SIMPLE:")
                    self.write(depth + 1, f"n += len(encode({{'': {var}}}, False, options))")
                self._refuse_empty(var, depth, required=required)
            case EmbeddedNode():
                if not (required or node.none is False):
                    self.write(depth, f"if {var} is not None:")
                    depth += 1
                self._check_embedded(node, var, depth)
                if required:
                    self.write(depth, f"if not {var}: return 0")
            case ReferenceNode():
                passes = self.constant("reference", _reference_check(node))
                self.write(depth, f"if {var} is not None and not {passes}({var}): return 0")
                self._refuse_none(var, depth, required=required)
            case _:
                self.write(depth, "return 0  # declared with a manager")

    def _check_embedded(self, node: EmbeddedNode, var: str, depth: int) -> None:
        cls = self.constant("embedded", node.document_class)
        size = self.variable()
        inner: Model = node.document_class.__mongokit__
        tree = inner.tree
        call = f"({size} := {cls}.__mongokit__.check({var}, options))"
        if not isinstance(tree, MappingNode) or not _can_stand_inline(inner, tree):
            self.write(depth, f"if not isinstance({var}, dict) or not {call}: return 0")
            self.write(depth, f"n += {size} // 4")
            return
        # Written out here: a call for each item of a list is what a validation would cost most.
        self.names["DICTS"] = _DICTS
        kinds = f"type({var}) is not dict and type({var}) is not {cls}"
        self.write(depth, f"if {kinds} and type({var}) not in DICTS: return 0")
        self.write(depth, f"if len({var}) != {len(tree.fields)}:")
        self.write(depth + 1, f"if not {call}: return 0")
        self.write(depth + 1, f"n += {size} // 4")
        self.write(depth, "else:")
        outer = self.model, self.required
        self.model, self.required = inner, set(inner.required)
        self.direct |= self._direct_of(inner)
        self.write(depth + 1, f"n += {self._fixed_size(tree) // 4}")
        self._check_all(tree, self._own(tree), var, depth + 1)
        self.model, self.required = outer

    def _refuse_none(self, var: str, depth: int, *, required: bool) -> None:
        if required:
            self.write(depth, f"if {var} is None: return 0")

    def _refuse_empty(self, var: str, depth: int, *, required: bool) -> None:
        if required:
            self.names["CONTAINERS"] = (dict, list, tuple)
            self.write(
                depth,
                f"if {var} is None or (not {var} and isinstance({var}, CONTAINERS)): return 0",
            )

    def _check_scalar(
        self,
        node: ScalarNode,
        var: str,
        depth: int,
        *,
        required: bool,
        read: str | None = None,
        texts: list[str] | None = None,
        functions: Sequence[Callable[[Any], Any]] = (),
    ) -> None:
        """Write the check of the value in `var`, or of what `read` is, which goes there first.

        A value of the declared type itself, the common case, costs one comparison. Where `texts` is
        given, a text is added to it, and its length is left to the caller. Of a text, `functions`
        are the validators.
        """
        kind = self.constant("type", node.kind)
        accepts = self.constant("accepts", node.accepts) if len(node.accepts) > 1 else kind
        no_none = required or node.none is False
        if node.refuses:
            self._check_number(node, var, depth, read or var, no_none=no_none)
            return
        if issubclass(node.kind, (str, bytes)):
            first = f"{var} := {read}" if read else var
            self.write(depth, f"if type({first}) is not {kind}:")
            wrong = f"not isinstance({var}, {accepts})"
            if functions:
                wrong += f" or not ({self._passes(functions, var)})"
            if no_none:
                self.write(depth + 1, f"if {wrong}: return 0")
            else:
                self.write(depth + 1, f"if {var} is None: {var} = ''")
                self.write(depth + 1, f"elif {wrong}: return 0")
            if functions:
                passes = self._passes(functions, var, of=node.kind)
                self.write(depth, f"elif not ({passes}): return 0")
            if texts is None:
                self.write(depth, f"n += len({var})")
            else:
                texts.append(var)
            return
        is_container = issubclass(node.kind, (dict, list, tuple))
        if read and is_container:
            self.write(depth, f"{var} = {read}")
        first = read if read and not is_container else var
        if no_none:
            wrong = f"type({first}) is not {kind} and not isinstance({first}, {accepts})"
        else:
            again = f"({var} := {read})" if first == read else var
            none = f"{again} is not None and not isinstance({var}, {accepts})"
            wrong = f"type({first}) is not {kind} and {none}"
        self.write(depth, f"if {wrong}: return 0")
        if is_container:
            if required:
                self.write(depth, f"if not {var}: return 0")
            if self.model.is_document:
                self.write(depth, f"if {var}: n += len(encode({{'': {var}}}, False, options))")

    def _check_number(
        self, node: ScalarNode, var: str, depth: int, read: str, *, no_none: bool
    ) -> None:
        """Write the check of an annotated number: no bool, and no int that BSON can't hold."""
        kind = self.constant("type", node.kind)
        takes = self.constant("takes", _number_check(node))
        given = read if read == var else f"{var} := {read}"
        none = "" if no_none else f"{var} is not None and "
        if node.kind is int:
            self.write(depth, f"if type({given}) is {kind}:")
            self.write(depth + 1, f"if not {-(2**63)} <= {var} <= {2**63 - 1}: return 0")
            self.write(depth, f"elif {none}not {takes}({var}): return 0")
        else:
            self.write(
                depth, f"if type({given}) is not {kind} and {none}not {takes}({var}): return 0"
            )

    def _check_container(self, var: str, depth: int, kind: str, *, required: bool) -> None:
        self.names |= {"DICTS": _DICTS, "LISTS": _LISTS}
        kinds = "DICTS" if kind == "dict" else "LISTS"
        self.write(depth, f"if type({var}) is not {kind} and type({var}) not in {kinds}: return 0")
        if required:
            self.write(depth, f"if not {var}: return 0")

    def _check_mapping(self, node: MappingNode, var: str, depth: int, *, required: bool) -> None:
        self._check_container(var, depth, "dict", required=required)
        if node.fields:
            self._check_fields(node, var, depth, top=False)
        elif self.model.is_document:
            self.write(depth, f"if {var}: n += len(encode({{'': {var}}}, False, options))")

    def _fixed_size(self, node: Node | None) -> int:
        """A bound on what the BSON of a node takes, apart from texts, bytes and items."""
        match node:
            case MappingNode():
                return 64 + sum(
                    4 * len(key) + self._fixed_size(child) for key, child in node.fields.items()
                )
            case TupleNode():
                return 64 + sum(self._fixed_size(child) for child in node.items)
            case _:
                return 64

    def _check_keyed(
        self, node: KeyedNode, var: str, depth: int, *, skip_known: bool = False
    ) -> None:
        key = self.constant("type", node.key)
        value = self.variable()
        self.write(depth, f"for {value}k, {value} in {var}.items():")
        if skip_known:
            known = self.constant("known", ALWAYS_KNOWN)
            self.write(depth + 1, f"if {value}k in {known}: continue")
        self.write(depth + 1, f"if not isinstance({value}k, {key}): return 0")
        if self.model.is_document:
            if node.key is not str:
                self.write(depth + 1, f"if not isinstance({value}k, str): return 0")
            self.write(depth + 1, f"if '\\0' in {value}k: return 0")
        size = self._fixed_size(node.value)
        self.write(depth + 1, f"n += {size // 4} + (len({value}k) if {value}k else 0)")
        self._check_value(node.value, value, depth + 1)

    def _check_list(self, node: ListNode, var: str, depth: int) -> None:
        value = self.variable()
        self.write(depth, f"n += {self._fixed_size(node.item) // 4} * len({var})")
        item = node.item
        if isinstance(item, ScalarNode) and item.kind is str and not item.checks:
            # All items at once, unless there is a None among them, or something wrong.
            self.write(depth, f"try: n += len(''.join({var}))")
            self.write(depth, "except TypeError:")
            depth += 1
        self.write(depth, f"for {value} in {var}:")
        before = len(self.lines)
        self._check_value(node.item, value, depth + 1, item=True)
        if len(self.lines) == before:
            self.write(depth + 1, "pass")

    # Nested dicts under dot notation.

    def _wrap_nested(self) -> None:
        tree = self.model.tree
        if not self.model.dotted or not isinstance(tree, MappingNode):
            return
        self.write(0, "")
        self.write(0, "def wrap_nested(doc):")
        before = len(self.lines)
        for key, child in tree.fields.items():
            self._wrap("doc", key, child, 1)
        if len(self.lines) == before:
            del self.lines[-2:]
        else:
            self.names |= {"get": dict.get, "put": dict.__setitem__}
            self._dict()

    def _wrap(self, var: str, key: str, node: Node, depth: int) -> None:
        """Write what makes the dict under `key` a `DotedDict`, and those that it declares."""
        if not isinstance(node, (MappingNode, KeyedNode)):
            return
        value = self.variable()
        self.write(depth, f"{value} = get({var}, {key!r})")
        self.write(depth, f"if type({value}) is dict:")
        self.write(depth + 1, f"{value} = Doted({value})")
        self.write(depth + 1, f"put({var}, {key!r}, {value})")
        if isinstance(node, MappingNode):
            for name, child in node.fields.items():
                self._wrap(value, name, child, depth + 1)

    # A new document's content.

    def _construct(self) -> None:
        tree = self.model.tree
        empty = "{}" if tree is None else self._skeleton(tree, top=True)
        self.write(0, "")
        self.write(0, "def skeleton():")
        self.write(1, f"return {empty}")
        self.write(0, "")
        self.write(0, "def construct():")
        filled = "{}" if tree is None else self._skeleton(tree, top=True, defaults=True)
        self.write(1, f"out = {filled}")
        for path, value in sorted(self.model.defaults.items(), key=lambda item: item[0].count(".")):
            if path not in self._inlined():
                default = self.constant("default", value)
                setter = self.constant("set", _default_setter(self.model, path))
                self.write(1, f"{setter}(out, {default})")
        self.write(1, "return out")

    def _inlined(self) -> set[str]:
        """The defaults that can stand in the display: top-level ones with no other below them."""
        tree = self.model.tree
        if not isinstance(tree, MappingNode):
            return set()
        return {
            path
            for path, value in self.model.defaults.items()
            if path in tree.fields
            and not isinstance(tree.fields[path], CustomNode)
            and not any(other.startswith(path + ".") for other in self.model.defaults)
            and (callable(value) or self._literal(value) is not None)
        }

    def _literal(self, value: Any) -> str | None:
        """Return an expression that makes a new equal value, None where none is simple."""
        if type(value) in (type(None), bool, int, str):
            return repr(value)
        if type(value) in _IMMUTABLE:
            return self.constant("default", value)
        if type(value) is list and all(type(item) in _IMMUTABLE for item in value):
            return f"{self.constant('default', value)}.copy()" if value else "[]"
        if type(value) is dict and all(type(item) in _IMMUTABLE for item in value.values()):
            made = f"{self.constant('default', value)}.copy()" if value else "{}"
            return f"{self._dict()}({made})" if self.model.dotted else made
        return None

    def _skeleton(self, node: Node, *, top: bool = False, defaults: bool = False) -> str:
        """Return the expression of a field's empty form."""
        match node:
            case _ if node.none:
                return "None"
            case MappingNode():
                inlined = self._inlined() if defaults else set()
                items = ", ".join(
                    f"{key!r}: {self._inline(key) if key in inlined else self._skeleton(child)}"
                    for key, child in node.fields.items()
                )
                if top:
                    return f"{{{items}}}"
                return f"{self._dict()}({{{items}}})" if self.model.dotted else f"{{{items}}}"
            case KeyedNode() | I18nNode():
                return f"{self._dict()}()" if self.model.dotted and not top else "{}"
            case ScalarNode() if issubclass(node.kind, dict):
                return f"{self._dict()}()" if self.model.dotted else "{}"
            case ListNode():
                return "[]"
            case ScalarNode() if issubclass(node.kind, list):
                return "[]"
            case TupleNode():
                return f"[{', '.join(['None'] * len(node.items))}]"
            case CustomNode() if node.custom.init_type is not None:
                return f"{self.constant('init', node.custom.init_type)}()"
            case _ if node.path and node.path == self.model.type_field:
                return repr(self.model.document_class.__name__)
            case _:
                return "None"

    def _dict(self) -> str:
        self.names["Doted"] = DecodedDotedDict
        return "Doted"

    def _inline(self, key: str) -> str:
        value = self.model.defaults[key]
        if callable(value):
            return f"{self.constant('default', value)}()"
        return self._literal(value) or "None"


_DICTS = frozenset({dict, DotedDict, DecodedDotedDict})
_LISTS = frozenset({list, tuple})
_SIMPLE = frozenset({type(None), bool, int, float, datetime, ObjectId})
_SIZED = (str, bytes, dict, list, tuple)


def _custom_check(custom: CustomType) -> Callable[[Any], bool]:
    python_type, mongo_type = custom.python_type, custom.mongo_type
    own_check = type(custom).validate is not CustomType.validate

    def passes(value: Any) -> bool:
        if value is not None and not isinstance(value, python_type):
            return False
        if own_check:
            custom.validate(value, path="")
        stored = custom.to_bson(value)
        if isinstance(stored, _SIZED) and len(stored) > 1000:
            return False  # not wrong, but too large for a document's size to be guessed
        return stored is None or isinstance(stored, mongo_type)

    return passes


def _can_stand_inline(inner: Model, tree: MappingNode) -> bool:
    """Whether the check of an embedded document may be part of the outer document's.

    An annotated class is not changed once it is made, as a classic `structure` may be.
    """
    cls = inner.document_class
    return (
        inner.lenient
        and not ALWAYS_KNOWN & set(tree.fields)
        and not _is_read_otherwise(cls)
        and all(path in tree.fields for path, _ in inner.validators)
        and all(path in tree.fields for path in inner.required)
    )


def _is_read_otherwise(cls: Any) -> bool:
    """Whether a class changes how its documents are read."""
    return any(
        getattr(cls, name) is not getattr(dict, name)
        for name in ("__getitem__", "__len__", "__contains__", "__iter__", "get", "items")
    )


def _number_check(node: ScalarNode) -> Callable[[Any], bool]:
    return lambda value: node.takes(value) and explain.is_int64(value)


def _union_check(model: Model, node: UnionNode) -> Callable[[Any, Any], bool]:
    return lambda value, options: explain.union_takes(model, node, value, options)


def _reference_check(node: ReferenceNode) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, DBRef) or explain.refers_to(node, value)


def default_value(value: Any) -> Any:
    """Return what a new document gets for a declared default: called, or copied deep.

    Args:
        value: As declared. A callable is called; so are the callables in a list.

    Example:
        >>> default_value([int, 1])
        [0, 1]
    """
    if callable(value):
        return value()
    if isinstance(value, list):
        return [item() if callable(item) else deepcopy(item) for item in value]
    return deepcopy(value)


def _default_setter(model: Model, path: str) -> Callable[[dict[str, Any], Any], None]:
    """Return what puts a default at `path` into a new document's content."""
    node = model.tree and find(model.tree, path, through_lists=False)
    parts = path.split(".")
    new_dict = DecodedDotedDict if model.dotted else dict

    def put(target: Any, keys: list[str], declared: Any) -> None:
        if not isinstance(target, dict):
            return
        key, below = keys[0], keys[1:]
        if key.startswith("$"):
            for each in list(target):
                put(target, [each, *below], declared)
        elif below:
            if target.get(key) is None:
                target[key] = new_dict()
            put(target[key], below, declared)
        else:
            value = default_value(declared)
            if isinstance(node, CustomNode):
                _check_custom_default(node, path, value)
            target[key] = to_dotted(value) if model.dotted else value

    return lambda out, declared: put(out, parts, declared)


def _check_custom_default(node: CustomNode, path: str, value: Any) -> None:
    wanted = node.custom.python_type
    if value is not None and not isinstance(value, wanted):
        message = (
            f"{path} must be an instance of {explain.names_of(wanted)} not {type(value).__name__}"
        )
        raise DefaultFieldTypeError(message, path=path, value=value)
