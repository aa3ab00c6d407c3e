"""Rules: which requests below ``/beams`` make a ``convert`` job, and what becomes of its result.

Patterns are RE2 expressions: their time grows with the text only, whatever an operator wrote or a client
asks for. A pattern is searched in the path as it was sent, percent-encoded; groups are decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import unquote

import re2
from pydantic import AfterValidator, BeforeValidator, Field, RootModel, ValidationError

from jobengine.errors import DocumentError, Fault, NotFoundError, SettingsError
from jobengine.model.casing import CamelModel
from jobengine.model.convert import EVERYTHING, TimeoutMs, read_parameters
from jobengine.model.document import read
from jobengine.model.faults import faults_of
from jobengine.model.recipes import find_recipe
from jobengine.model.roots import MediaRoots

Json = Any
DEFAULT_TIMEOUT_MS = 30_000
MAX_PATTERN = 1000
FAILED = 400
_MAX_PROGRAM_BYTES = 1 << 20
_MAX_SET_BYTES = 1 << 26


def compile_pattern(text: str) -> Any:
    """The expression, linear in time and bounded in memory. Raises ValueError."""
    try:
        return re2.compile(text, _options())
    except re2.error as error:
        said = error.args[0] if error.args else ""
        told = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"is not a valid RE2 expression: {told}") from None


def pattern_set(texts: Iterable[str]) -> Any:
    """Whether any of these expressions is in a text is found in one go by its ``Match``."""
    found = re2.Set.SearchSet(_options(_MAX_SET_BYTES))
    for text in texts:
        found.Add(text)
    found.Compile()
    return found


def _options(max_bytes: int = _MAX_PROGRAM_BYTES) -> Any:
    options = re2.Options()
    options.max_mem = max_bytes
    options.log_errors = False
    return options


def _check_pattern(text: str) -> str:
    compile_pattern(text)
    return text


def _as_list(value: Json) -> Json:
    return [value] if isinstance(value, str | int) else value


Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_check_pattern)]
Method = Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")]
Status = Annotated[int, Field(ge=100, le=599)]
RuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class Rule(CamelModel):
    """One rule. Its name is in the address.

    It fits a request of one of ``method`` (HEAD counts as GET) whose path has ``pathPattern`` and whose
    ``header`` and ``query`` members all have theirs. Before routing it answers instead of the service; with
    ``postRoute`` it comes after it, for the answers of ``statusCode`` (none: all). ``respond`` false starts
    the job and waits for nothing. ``order`` settles who is asked first, then the name.

    With ``location`` the pattern is searched in the ``Location`` of the answer, if it has one: so a rule can
    mean what was made rather than where it was asked for.

    The recipe reads what the named groups ``content``, ``stream`` (else ``defaultStream``) and
    ``reference`` of the pattern say; ``queryParameters`` of the request go into its parameters. Where the
    rule answers, a request with others, that ``query`` does not name either, is refused, unless ``anyQuery``
    says that the recipe reads them, or leaves the answer to the service.
    """

    enabled: bool = Field(True, description="Whether it is in force.")
    order: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        100, description="Lower ones are asked first, equal ones by name."
    )
    method: Annotated[list[Method], BeforeValidator(_as_list)] = Field(
        ["GET"], description="Methods that it fits; HEAD counts as GET."
    )
    path_pattern: Pattern = Field(description="RE2 expression, searched in the path as it was sent.")
    header: dict[str, Pattern] = Field({}, description="RE2 expression for each header that must be there.")
    query: dict[str, Pattern] = Field(
        {}, description="RE2 expression for each member that the query must have."
    )
    status_code: Annotated[list[Status], BeforeValidator(_as_list)] = Field(
        [], description="Of a rule after the routes: the answers that it fits; none: all."
    )
    post_route: bool = Field(False, description="Comes after the routes, instead of before.")
    location: bool = Field(
        False, description="Searches the pattern in the `Location` of the answer, if it has one."
    )
    respond: bool = Field(
        True, description="Answers with the result; otherwise it starts the job and waits for nothing."
    )
    recipe: Annotated[str, Field(min_length=1, max_length=1000)] = Field(description="What is made.")
    parameters: dict[str, Json] = Field({}, description="How it is made.")
    query_parameters: list[str] = Field([], description="Members of the query that go into the parameters.")
    any_query: bool = Field(False, description="Whether the query may have further members.")
    default_stream: str = Field("default", description="The stream where the pattern has no group for it.")
    timeout_ms: TimeoutMs = Field(
        DEFAULT_TIMEOUT_MS, description="How long the recipe may run, and the request waits."
    )

    @property
    def wants_success(self) -> bool:
        """Whether it may fit a request that has not failed."""
        return not self.post_route or not self.status_code or min(self.status_code) < FAILED


class _Rules(RootModel[dict[RuleName, Rule]]):
    """A set of rules by name."""


def read_rules(value: Json, roots: MediaRoots | None = None) -> dict[str, Rule]:
    """Rules by name, each with a recipe that is there. ``roots`` are those of parameters that name places.

    Raises DocumentError with every fault.
    """
    rules = read(_Rules, value).root
    faults = [
        Fault(f"/{name}{fault.pointer}", fault.detail)
        for name, rule in rules.items()
        for fault in _check(rule, roots)
    ]
    if faults:
        raise DocumentError(faults)
    return rules


def _check(rule: Rule, roots: MediaRoots | None) -> Iterator[Fault]:
    if not rule.method:
        yield Fault("/method", "must name a method: a rule without one fits nothing")
    if rule.status_code and not rule.post_route:
        yield Fault("/statusCode", "is possible with postRoute only: before routing there is no answer")
    try:
        recipe = find_recipe(rule.recipe)
        read_parameters(recipe, rule.parameters, roots)
    except (NotFoundError, SettingsError) as error:
        yield Fault("/recipe", error.detail)
        return
    except ValidationError as error:
        yield from faults_of(error, rule.parameters, "/parameters")
        return
    known = [field.alias or name for name, field in recipe.Parameters.model_fields.items()]
    for index, name in enumerate(rule.query_parameters):
        if name not in known:
            text = f"{rule.recipe} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
            yield Fault(f"/queryParameters/{index}", text)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule sees of a request. ``status`` is that of the answer; None before routing. ``location`` is
    the path that the answer names as made; None if it names none. Names of headers are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int | None = None
    location: str | None = None


@dataclass(frozen=True)
class NamedRule:
    """A rule ready to be asked. ``is_shipped``: it comes with this version and was not changed."""

    name: str
    rule: Rule
    is_shipped: bool = False

    def fits(self, asked: Asked) -> dict[str, str] | None:
        """The named groups of the path, decoded; None if the rule does not fit."""
        rule = self.rule
        method = "GET" if asked.method == "HEAD" else asked.method
        is_behind = asked.status is not None
        if not rule.enabled or method not in rule.method or rule.post_route != is_behind:
            return None
        if is_behind and rule.status_code and asked.status not in rule.status_code:
            return None
        found = self._path.search((asked.location if rule.location else None) or asked.path)
        if (
            found is None
            or not self._have(self._header, asked.headers)
            or not self._have(self._query, asked.query)
        ):
            return None
        return {name: unquote(text) for name, text in found.groupdict().items() if text is not None}

    def document(self, asked: Asked, groups: Mapping[str, str]) -> dict[str, Json]:
        """The ``convertSpec`` of the job that this request makes."""
        rule = self.rule
        wanted = {name: asked.query[name] for name in rule.query_parameters if name in asked.query}
        request: dict[str, Json] = {
            "rule": self.name,
            "method": asked.method,
            "path": asked.path,
            "query": dict(asked.query),
            "groups": dict(groups),
        }
        if asked.status is not None:
            request["status"] = asked.status
        source = {
            "content": groups.get("content"),
            "stream": groups.get("stream", rule.default_stream),
            "reference": groups.get("reference", EVERYTHING),
        }
        return {
            "recipe": rule.recipe,
            "source": [source] if source["content"] else [],
            "parameters": {**rule.parameters, **wanted},
            "timeoutMs": rule.timeout_ms,
            "request": request,
        }

    @property
    def known_query(self) -> tuple[str, ...] | None:
        """The members that the query of a request may have; None: any, since another judges them."""
        rule = self.rule
        is_judge = rule.respond and not rule.post_route and not rule.any_query
        return (*rule.query_parameters, *rule.query) if is_judge else None

    @cached_property
    def _path(self) -> Any:
        return compile_pattern(self.rule.path_pattern)

    @cached_property
    def _header(self) -> dict[str, Any]:
        return {name.lower(): compile_pattern(text) for name, text in self.rule.header.items()}

    @cached_property
    def _query(self) -> dict[str, Any]:
        return {name: compile_pattern(text) for name, text in self.rule.query.items()}

    @staticmethod
    def _have(patterns: Mapping[str, Any], given: Mapping[str, str]) -> bool:
        return all(name in given and p.search(given[name]) is not None for name, p in patterns.items())
