#!/usr/bin/env python3
"""Runs what a page of docs tells its readers to type: every block of SQL in DuckDB, every block of
Python, in the working directory.

    python3 tests/python/pages.py PAGE

Every query must give at least one row. Python that needs pandas runs where pandas is installed.
"""

import importlib.util
import re
import sys
from pathlib import Path

import duckdb


def main():
    (page,) = sys.argv[1:]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", Path(page).read_text(), re.MULTILINE | re.DOTALL)
    names, queries, scripts = {}, 0, 0
    for language, text in blocks:
        if language == "sql":
            for statement in duckdb.extract_statements(text):
                queries += 1
                rows = duckdb.execute(statement).fetchall()
                assert rows, f"no row: {statement.query}"
        if language == "python":
            if "import pandas" in text and not importlib.util.find_spec("pandas"):
                print("left out: there is no pandas here")
                continue
            scripts += 1
            exec(compile(text, page, "exec"), names)
    print(f"{queries} queries, {scripts} scripts")


main()
