"""How is the image's code made small in memory? Compiled ahead, without what only people and type checkers read.

    python lean.py INTO PACKAGES STDLIB

Compiles the packages in the folder PACKAGES and the standard library in STDLIB into the tree INTO, which
``PYTHONPYCACHEPREFIX`` names at run time. Left out are the docstrings of others, in each of their forms (FastAPI's
``Doc``, NumPy's ``add_newdoc``), ``@overload`` stubs, and the types of arguments where nothing asks for them at run
time: an eighth of an idle daemon's memory. goldwatch's own stay, since ``--help`` and the API's document are made of
them. Assertions stay, but for those about docstrings.
"""

from __future__ import annotations

import ast
import sys
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from typing import Any

OWN = ("checks", "service")
IDLE = {"ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tests", "tkinter", "turtledemo"}
IDLE |= {"dist-packages", "site-packages", "apprise", "mssql", "mysql", "oracle", "pygments"}
"""Folders that are not compiled, since a daemon seldom or never loads them: then from the source."""

UNTYPED = {
    "aiohttp",
    "apscheduler",
    "h11",
    "httpcore",
    "httpx",
    "numpy",
    "opentelemetry",
    "prometheus_client",
}
UNTYPED |= {"sqlalchemy", "structlog", "uvicorn", "yarl"}
"""Packages whose arguments' types only type checkers read; FastAPI, Pydantic and Typer live by theirs."""


class Lean(ast.NodeTransformer):
    """Takes docstrings, overload stubs and assertions about docstrings out of a module; with ``untyped``, types too."""

    def __init__(self, *, untyped: bool = False) -> None:
        self._untyped = untyped

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """``assert f.__doc__`` would fail now."""
        about = any(isinstance(one, ast.Attribute) and one.attr == "__doc__" for one in ast.walk(node.test))
        return ast.copy_location(ast.Pass(), node) if about else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """``add_newdoc(...)`` writes docstrings into compiled classes."""
        if isinstance(node.value, ast.Call) and _name(node.value.func) == "add_newdoc":
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """``Annotated[T, Doc("...")]`` is ``T``."""
        if _name(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            left = [
                one for one in node.slice.elts if not (isinstance(one, ast.Call) and _name(one.func) == "Doc")
            ]
            if len(left) == 1:
                return self.visit(left[0])
            node.slice.elts = left
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """The body of a module, class or function."""
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node, clean=False) is not None
            left = [one for one in node.body[int(documented) :] if not _is_stub(one)]
            node.body = left or [ast.copy_location(ast.Pass(), node.body[0])] if node.body else []
        if self._untyped and isinstance(node, ast.arg):
            node.annotation = None
        if self._untyped and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        return node


def _is_stub(node: ast.stmt) -> bool:
    decorated = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return decorated and any(_name(one) == "overload" for one in node.decorator_list)


def _name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def lean(source: bytes, name: str, *, untyped: bool = False) -> Any:
    r"""The code of a module, as if nobody had written the docstrings, nor with ``untyped`` the types of arguments.

    >>> space = {}
    >>> exec(lean(b'def f():\n    "Says so."\n    assert True', "f.py"), space)
    >>> space["f"].__doc__ is None
    True
    >>> exec(lean(b"def f(x: int) -> int: ...", "f.py", untyped=True), space)
    >>> space["f"].__annotations__
    {}
    """
    return compile(Lean(untyped=untyped).visit(ast.parse(source)), name, "exec", dont_inherit=True)


def build(folder: Path) -> int:
    """Compile everything below ``folder``; returns how many files. A file that is no valid Python is passed over."""
    # the one way to the format of compiled files that says "never compare with the source"
    from importlib._bootstrap_external import _code_to_hash_pyc  # noqa: PLC0415

    made = 0
    for file in sorted(folder.rglob("*.py")):
        inside = file.relative_to(folder).parts
        if not set(inside[:-1]).isdisjoint(IDLE):
            continue
        source = file.read_bytes()
        try:
            own = inside[0] in OWN
            code = (
                compile(source, file, "exec", dont_inherit=True)
                if own
                else lean(source, str(file), untyped=inside[0] in UNTYPED)
            )
        except (SyntaxError, ValueError):
            continue
        compiled = Path(cache_from_source(str(file)))
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_bytes(_code_to_hash_pyc(code, source_hash(source), False))
        made += 1
    return made


if __name__ == "__main__":
    sys.pycache_prefix, *folders = sys.argv[1:]
    sys.exit(0 if all(build(Path(one)) for one in folders) else "nothing to compile")
