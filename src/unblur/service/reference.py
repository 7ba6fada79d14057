"""The calls described for people, from the same OpenAPI description that programs read.

A page without scripts, since the usual viewers fetch theirs from other hosts.
"""

import html
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["reference"]

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
pre, code { font-family: ui-monospace, Consolas, monospace; font-size: .9em }
pre { padding: .75rem; overflow: auto; border: 1px solid #8886; border-radius: 8px }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1rem .2rem 0 }
td, th { vertical-align: top }
"""
_CURL = {
    (
        "post",
        "/v1/jobs",
    ): "curl -F file=@shaken.jpg -F method=l0 -F 'options={\"seed\": 0}' {}/v1/jobs",
    ("post", "/v1/deblur"): "curl -F file=@shaken.png -F method=l0 -o sharp.png {}/v1/deblur",
    ("get", "/v1/jobs/{job_id}/events"): "curl -N {}/v1/jobs/$JOB/events",
    ("get", "/v1/jobs/{job_id}/result"): "curl -o sharp.jpg '{}/v1/jobs/$JOB/result?strength=0.8'",
    ("get", "/v1/jobs/{job_id}/kernel"): "curl -o kernel.tif {}/v1/jobs/$JOB/kernel",
    ("delete", "/v1/jobs/{job_id}"): "curl -X DELETE {}/v1/jobs/$JOB",
    ("get", "/v1/methods"): "curl {}/v1/methods",
}


def reference(schema: Mapping[str, Any], base: str) -> str:
    """Lay out an OpenAPI description as HTML.

    Args:
        schema: as FastAPI makes it.
        base: address of the service, for the examples.

    Example:
        >>> "no calls" in reference({"info": {"title": "no calls"}, "paths": {}}, "http://x")
        True
    """
    known = schema.get("components", {}).get("schemas", {})
    parts = [
        part
        for path, verbs in schema["paths"].items()
        for verb, call in verbs.items()
        for part in _call(verb, path, call, known, base)
    ]
    title = html.escape(schema["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: calls</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}: calls</h1><p>The same for programs: "
        '<a href="/openapi.json">openapi.json</a>. Where the service asks for a token, send '
        "<code>Authorization: Bearer TOKEN</code>. Errors are "
        "<code>application/problem+json</code> with a <code>code</code> that stays.</p>"
        f"{''.join(parts)}</body></html>"
    )


def _call(
    verb: str, path: str, call: Mapping[str, Any], known: Mapping[str, Any], base: str
) -> Iterator[str]:
    yield f"<h2><code>{verb.upper()} {html.escape(path)}</code></h2>"
    yield f"<p>{html.escape(call.get('description', call.get('summary', '')))}</p>"
    example = _CURL.get((verb, path))
    if example is not None:
        yield f"<pre>{html.escape(example.replace('{}', base))}</pre>"
    rows = [*_parameters(call), *_fields(call, known)]
    if rows:
        head = "<tr><th>part</th><th>where</th><th>meaning</th></tr>"
        yield f"<table>{head}{''.join(rows)}</table>"
    answers = ", ".join(f"<code>{status}</code>" for status in sorted(call["responses"]))
    yield f"<p>Answers: {answers}</p>"


def _parameters(call: Mapping[str, Any]) -> Iterator[str]:
    for each in call.get("parameters", ()):
        yield _row(each["name"], each["in"], each.get("description", ""))


def _fields(call: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for kind, body in call.get("requestBody", {}).get("content", {}).items():
        schema = known.get(body["schema"].get("$ref", "").rpartition("/")[2], body["schema"])
        for name, field in schema.get("properties", {}).items():
            yield _row(name, kind, field.get("description", ""))


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
