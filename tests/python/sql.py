"""Asking DuckDB: what a query gives, as dictionaries."""


def rows(db, query):
    """The rows of a query, each a dictionary."""
    cursor = db.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def row(db, query):
    """The one row of a query."""
    (found,) = rows(db, query)
    return found


def columns(db, table, without):
    """Names and types of a table's columns."""
    described = db.execute(f"describe {table}").fetchall()
    return [(name, kind) for name, kind, *_ in described if name not in without]
