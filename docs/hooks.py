"""Complete pages while MkDocs builds them; MkDocs calls `on_page_markdown`.

``<!-- generate: NAME -->`` becomes reference text: commands from the typer app, and settings from the JSON
schemas beside this file, which a test compares with the code. ``<!-- readme: HEADING -->`` becomes that
section of the README. A mermaid flowchart becomes an SVG, so that pages need no JavaScript from the network.
"""

import html
import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parent
_GENERATE: Final = re.compile(r"<!-- generate: (\w+) -->")
_README: Final = re.compile(r"<!-- readme: (.+?) -->")
_FLOWCHART: Final = re.compile(r"^```mermaid\nflowchart \w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ARROW: Final = re.compile(r"\s*(-->|-- .+? -->|-\. .+? \.->)\s*")
_NODE: Final = re.compile(r'(\w+)(?:\["(.+?)"\])?')
_ROW, _BOX, _WIDTH = 64, 34, 720  # pixels


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace the marks and flowcharts of a page."""
    up = "../" * page.file.src_uri.count("/")
    markdown = _FLOWCHART.sub(lambda mark: flowchart(mark[1]), markdown)
    filled = _README.sub(lambda mark: readme_section(mark[1]).replace("](docs/", f"]({up}"), markdown)
    return _GENERATE.sub(lambda mark: GENERATORS[mark[1]](), filled)


def flowchart(mermaid: str) -> str:
    """Draw a mermaid flowchart as inline SVG, from top to bottom, with the longest path for each node's row.

    Args:
        mermaid: Lines of ``A["label"] --> B & C``, ``A -- label --> B`` or ``A -. label .-> B``.
    """
    labels: dict[str, str] = {}
    edges: list[tuple[str, str, str]] = []
    for line in mermaid.strip().splitlines():
        parts = _ARROW.split(line.strip())
        groups = [[_named(node, labels) for node in part.split("&")] for part in parts[::2]]
        for (sources, targets), arrow in zip(itertools.pairwise(groups), parts[1::2], strict=True):
            edges += [(source, target, arrow) for source in sources for target in targets]
    rows = dict.fromkeys(labels, 0)
    for _ in labels:
        for source, target, _arrow in edges:
            rows[target] = max(rows[target], rows[source] + 1)
    middles: dict[str, float] = {}
    for row in set(rows.values()):
        names = [name for name in labels if rows[name] == row]
        middles |= {name: _WIDTH * (at + 1) / (len(names) + 1) for at, name in enumerate(names)}
    shapes = []
    for source, target, arrow in edges:
        x, y, x2, y2 = middles[source], rows[source] * _ROW + _BOX, middles[target], rows[target] * _ROW
        dashes = ' stroke-dasharray="4"' if arrow.startswith("-.") else ""
        shapes.append(f'<line x1="{x}" y1="{y}" x2="{x2}" y2="{y2 - 6}" marker-end="url(#arrow)"{dashes}/>')
        word, lift = html.escape(arrow.strip("-.> ")), 4 if x == x2 else -6
        shapes.append(
            f'<text x="{(x + x2) / 2 + 8}" y="{(y + y2) / 2 + lift}" text-anchor="start">{word}</text>'
        )
    for name, label in labels.items():
        x, y, width = middles[name], rows[name] * _ROW, 8 * len(label) + 24
        shapes.append(f'<rect x="{x - width / 2}" y="{y + 1}" width="{width}" height="{_BOX - 2}" rx="4"/>')
        shapes.append(f'<text x="{x}" y="{y + 22}" text-anchor="middle">{html.escape(label)}</text>')
    height = (max(rows.values()) + 1) * _ROW - _ROW + _BOX
    arrow_head = '<marker id="arrow" refX="1" refY="3" markerWidth="7" markerHeight="6" orient="auto">'
    return (
        f'<div><svg viewBox="0 0 {_WIDTH} {height}" style="max-width:{_WIDTH}px;width:100%" role="img" '
        'fill="none" stroke="currentColor" font-size="14">'
        "<style>text{fill:currentColor;stroke:none}</style>"
        f'<defs>{arrow_head}<path d="M0,0L6,3L0,6z" fill="currentColor"/></marker></defs>'
        f"{''.join(shapes)}</svg></div>"
    )


def _named(node: str, labels: dict[str, str]) -> str:
    """Return a node's name, and add its label to ``labels``."""
    match = _NODE.fullmatch(node.strip())
    if match is None:
        raise ValueError(f'`{node.strip()}` is not a node such as `name` or `name["label"]`.')
    name, label = match.groups()
    labels[name] = label or labels.get(name, name)
    return name


def readme_section(heading: str) -> str:
    """The text below a heading of the README, up to the next one."""
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    _, found, below = f"\n{readme}".partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"The README has no section `{heading}`, which a page of docs/ shows.")
    return below.partition("\n## ")[0].strip()


def cli() -> str:
    """Each command with its arguments and options, in the order of ``trajtune --help``."""
    import typer.main

    from trajtune.cli import app

    group: Any = typer.main.get_command(app)
    return "\n\n".join(
        part for name, command in group.commands.items() for part in _command(str(name), command)
    )


def experiment() -> str:
    """Each section of an experiment with its settings."""
    schema = _schema("experiment")
    parts = []
    for section, what in schema["properties"].items():
        parts.append(f"## {section}")
        parts.extend(_objects(what, schema["$defs"], seen=set()))
    return "\n\n".join(parts)


def space() -> str:
    """The params of a space, and the distributions that each may have."""
    schema = _schema("space")
    params = schema["properties"]["params"]
    required = set(params["required"])
    rows = [
        (f"`{name}`", "yes" if name in required else "", what.get("description", ""))
        for name, what in params["properties"].items()
    ]
    parts = ["## Params", _table(("Param", "Must be there", "What it is"), rows), "## Distributions"]
    parts.extend(_objects(schema["$defs"]["Entry"], schema["$defs"], seen=set()))
    return "\n\n".join(parts)


GENERATORS: Final[Mapping[str, Callable[[], str]]] = {"cli": cli, "experiment": experiment, "space": space}


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## trajtune {name}"
    said, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    yield said.strip()
    if example:
        yield f"```console\n$ {example.strip()}\n```"
    rows = []
    for parameter in command.params:
        if "--help" in parameter.opts:
            continue
        is_option = parameter.param_type_name == "option"
        kind = "" if getattr(parameter, "is_flag", False) or not is_option else f" {_metavar(parameter)}"
        names = [*parameter.opts, *parameter.secondary_opts]
        shown = " / ".join(names) if is_option else _metavar(parameter)
        default = "required" if parameter.required else _default(parameter.default)
        rows.append((f"`{shown}{kind}`", _text(parameter.help or ""), default))
    if rows:
        yield _table(("Argument or option", "Says", "If left out"), rows)


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).strip("[]")


def _default(value: Any) -> str:
    return "" if value is None or value is False or callable(value) else f"`{value}`"


def _schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    return content


def _objects(what: Mapping[str, Any], definitions: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """The tables of every object that ``what`` can be, and of those within them."""
    for name in _references(what):
        definition = definitions[name]
        if name in seen:
            continue
        seen.add(name)
        if "properties" not in definition:
            yield from _objects(definition, definitions, seen)
            continue
        yield f"**{name}.** {_text(definition.get('description', ''))}"
        rows, within = [], []
        for key, setting in definition["properties"].items():
            default = (
                f"`{json.dumps(setting['default'], ensure_ascii=False)}`" if "default" in setting else ""
            )
            if "object" in _kinds(setting, definitions) and default not in ("", "`null`"):
                default = "see below"
            rows.append(
                (f"`{key}`", _type(setting, definitions), default, _text(setting.get("description", "")))
            )
            within.append(setting)
        yield _table(("Setting", "Is", "Default", "Says"), rows)
        for setting in within:
            yield from _objects(setting, definitions, seen)


def _references(what: Any) -> Iterator[str]:
    if isinstance(what, Mapping):
        if isinstance(what.get("$ref"), str):
            yield what["$ref"].rpartition("/")[2]
        for key, value in what.items():
            if key not in ("discriminator", "default", "properties"):
                yield from _references(value)
    elif isinstance(what, list):
        for value in what:
            yield from _references(value)


def _kinds(what: Mapping[str, Any], definitions: Mapping[str, Any]) -> set[str]:
    return {definitions[name].get("type", "") for name in _references(what)}


def _type(what: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A setting's type and bounds in words."""
    for choice in ("anyOf", "oneOf"):
        if choice in what:
            return " or ".join(_type(each, definitions) for each in what[choice])
    if "$ref" in what:
        name = what["$ref"].rpartition("/")[2]
        definition = definitions[name]
        return name if "properties" in definition else _type(definition, definitions)
    if "const" in what:
        return f"`{json.dumps(what['const'])}`"
    if "enum" in what:
        return ", ".join(f"`{value}`" for value in what["enum"])
    if what.get("type") == "array":
        if "prefixItems" in what:
            return f"list of {' and '.join(_type(each, definitions) for each in what['prefixItems'])}"
        return f"list of {_type(what['items'], definitions)}" if what.get("items") else "list"
    kind = {"boolean": "true or false", "string": "text", "integer": "integer", "object": "mapping"}.get(
        what.get("type", ""), what.get("type", "anything")
    )
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {what[key]:g}" for key, sign in signs.items() if key in what]
    return " ".join([kind, ", ".join(bounds)]).strip() + (" (date)" if what.get("format") == "date" else "")


def _text(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
