"""PostgreSQL: a server of its own, and transactions over everything, also over what changes tables.

Parts go through COPY into unlogged staging tables, as CSV that Arrow writes
(https://www.postgresql.org/docs/current/sql-copy.html).
Json is JSONB: it keeps values, but neither the order of keys nor the spelling of numbers.
"""

from loader.warehouses.postgres.dialect import DIALECT
from loader.warehouses.postgres.server import connect

__all__ = ["DIALECT", "connect"]
