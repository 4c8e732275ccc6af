"""Datasets and tables: what is there, and what DuckDB holds for it.

A resource is what the API answers with; rows are in DuckDB, in a schema per dataset. Every change of a table's
metadata counts against the limit of five in ten seconds (cloud.google.com/bigquery/quotas#standard_tables).
"""

import time
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import duckdb

from standins.bigquery.answers import RefusalError, refused
from standins.bigquery.fields import Field, check_names, column_ddl, mode

PROJECT = "proj"
MAX_UPDATES = 5
Name = tuple[str, str]  # dataset, table


@dataclass
class Catalog:
    """What the project has."""

    root: duckdb.DuckDBPyConnection
    location: str
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[Name, dict[str, Any]] = field(default_factory=dict)
    updates: dict[Name, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    limited: bool = True  # whether the rate of updates is
    update_seconds: float = 10.0

    def dataset(self, name: str) -> dict[str, Any]:
        """Return a dataset's resource."""
        if name not in self.datasets:
            raise refused(
                f"Not found: Dataset {PROJECT}:{name} was not found in location {self.location}", reason="notFound"
            )
        return self.datasets[name]

    def table(self, name: Name) -> dict[str, Any]:
        """Return a table's resource; one that has expired is not there any more."""
        self.expire()
        if name not in self.tables:
            self.dataset(name[0])
            where = f"{PROJECT}:{name[0]}.{name[1]}"
            raise refused(f"Not found: Table {where} was not found in location {self.location}", reason="notFound")
        return self.tables[name]

    def expire(self) -> None:
        """Drop the tables whose expiration time has come."""
        now = time.time() * 1000
        for name, resource in list(self.tables.items()):
            if float(resource.get("expirationTime", now + 1)) <= now:
                self.drop(name)

    def create_dataset(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Make a dataset."""
        if name in self.datasets:
            raise refused(f"Already Exists: Dataset {PROJECT}:{name}", reason="duplicate")
        if not name.replace("_", "").isalnum() or len(name) > 1024:
            raise refused(f'Invalid dataset ID "{name}".')
        self.root.execute(f'CREATE SCHEMA "{name}"')
        made = {
            "kind": "bigquery#dataset",
            "id": f"{PROJECT}:{name}",
            "datasetReference": {"projectId": PROJECT, "datasetId": name},
            "location": self.location,
            "etag": uuid.uuid4().hex,
        }
        self.datasets[name] = {**resource, **made}
        return self.datasets[name]

    def drop_dataset(self, name: str, *, contents: bool) -> None:
        """Remove a dataset; one with tables only if that is asked for."""
        self.dataset(name)
        held = [each for each in self.tables if each[0] == name]
        if held and not contents:
            raise refused(f"Dataset {PROJECT}:{name} is still in use", reason="resourceInUse")
        for each in held:
            self.drop(each)
        self.root.execute(f'DROP SCHEMA "{name}" CASCADE')
        del self.datasets[name]

    def create(self, name: Name, fields: list[Field], **how: Any) -> dict[str, Any]:
        """Make a table of some fields; `how` is more of its resource."""
        check_names(fields, flexible=True)
        self.dataset(name[0])
        if name in self.tables:
            raise refused(f"Already Exists: Table {PROJECT}:{name[0]}.{name[1]}", reason="duplicate")
        check_layout(fields, how)
        if fields:
            columns = ", ".join(_column(each) for each in fields)
            self.root.execute(f"CREATE TABLE {named(name)} ({columns})")
        now = str(int(time.time() * 1000))
        self.tables[name] = {
            "kind": "bigquery#table",
            "type": "TABLE",
            "id": f"{PROJECT}:{name[0]}.{name[1]}",
            "tableReference": {"projectId": PROJECT, "datasetId": name[0], "tableId": name[1]},
            "creationTime": now,
            "location": self.location,
            **how,
            "schema": {"fields": fields},
        }
        self.touch(name)
        return self.tables[name]

    def create_view(self, name: Name, query: str, fields: list[Field], sql: str) -> None:
        """Make or replace a view; `sql` is DuckDB's, `query` as it was sent."""
        self.dataset(name[0])
        self.root.execute(f"CREATE OR REPLACE VIEW {named(name)} AS {sql}")
        self.tables[name] = {
            "kind": "bigquery#table",
            "type": "VIEW",
            "id": f"{PROJECT}:{name[0]}.{name[1]}",
            "tableReference": {"projectId": PROJECT, "datasetId": name[0], "tableId": name[1]},
            "schema": {"fields": fields},
            "view": {"query": query, "useLegacySql": False},
        }

    def drop(self, name: Name) -> None:
        """Remove a table or a view."""
        resource = self.tables.pop(name)
        self.updates.pop(name, None)
        if resource["schema"]["fields"] or resource["type"] == "VIEW":
            self.root.execute(f"DROP {resource['type']} IF EXISTS {named(name)}")

    def apply(self, name: Name, fields: list[Field]) -> None:
        """Give a table the fields that a change leads to: new ones, and those that need no value any more."""
        there = {each["name"].lower(): each for each in self.fields(name)}
        for each in fields:
            old = there.get(each["name"].lower())
            if old is None:
                self.root.execute(f'ALTER TABLE {named(name)} ADD COLUMN "{each["name"]}" {column_ddl(each)}')
            elif mode(old) == "REQUIRED" and mode(each) != "REQUIRED":
                self.root.execute(f'ALTER TABLE {named(name)} ALTER "{old["name"]}" DROP NOT NULL')
        self.tables[name]["schema"] = {"fields": fields}
        self.touch(name)

    def fields(self, name: Name) -> list[Field]:
        """Return a table's fields."""
        found: list[Field] = self.tables[name]["schema"]["fields"]
        return found

    def rows(self, name: Name) -> int:
        """Return a table's number of rows."""
        if not self.fields(name):
            return 0
        found = self.root.execute(f"SELECT count(*) FROM {named(name)}").fetchall()  # one row
        return int(found[0][0])

    def shown(self, name: Name) -> dict[str, Any]:
        """Return a table's resource as the API answers it."""
        resource = self.table(name)
        if resource["type"] == "VIEW":
            return resource
        rows = self.rows(name)
        return {**resource, "numRows": str(rows), "numBytes": str(rows * 8 * len(self.fields(name)))}

    def touch(self, name: Name) -> None:
        """Give a table a new etag."""
        self.tables[name] |= {"etag": uuid.uuid4().hex, "lastModifiedTime": str(int(time.time() * 1000))}

    def count_update(self, name: Name) -> None:
        """Count an update of a table's metadata; more than five in ten seconds are refused."""
        times, now = self.updates[name], time.monotonic()
        while times and now - times[0] > self.update_seconds:
            times.popleft()
        times.append(now)
        if self.limited and len(times) > MAX_UPDATES:
            where = f"{PROJECT}:{name[0]}.{name[1]}"
            message = f"Exceeded rate limits: too many table update operations for this table: {where}"
            raise RefusalError(403, "rateLimitExceeded", message)


def named(name: Name) -> str:
    """Return a table's name in DuckDB."""
    return f'"{name[0]}"."{name[1]}"'


def check_layout(fields: list[Field], how: dict[str, Any]) -> None:
    """Refuse a partition or cluster column that is not there, or cannot be one."""
    known = {each["name"].lower(): each for each in fields}
    column = how.get("timePartitioning", {}).get("field")
    if column and (column.lower() not in known or known[column.lower()]["type"] not in ("TIMESTAMP", "DATE")):
        raise refused(f"The field specified for time partitioning cannot be used: {column}")
    clustered = how.get("clustering", {}).get("fields", [])
    if len(clustered) > 4:
        raise refused("At most 4 clustering columns are allowed")
    for each in clustered:
        if each.lower() not in known or known[each.lower()]["type"] in ("JSON", "FLOAT64", "FLOAT", "RECORD"):
            raise refused(f"The field specified for clustering cannot be used: {each}")


def _column(each: Field) -> str:
    return f'"{each["name"]}" {column_ddl(each)}' + (" NOT NULL" if mode(each) == "REQUIRED" else "")
