"""Asking DuckDB: what a query gives, as dictionaries."""


def rows(db, query, *values):
    """The rows of a query, each a dictionary; `values` stand for $1 and so on."""
    cursor = db.execute(query, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def row(db, query, *values):
    """The one row of a query."""
    (found,) = rows(db, query, *values)
    return found


def columns(db, table, without):
    """Names and types of a table's columns."""
    described = db.execute(f"describe {table}").fetchall()
    return [(name, kind) for name, kind, *_ in described if name not in without]
