"""Redshift on 127.0.0.1: a proxy for its wire protocol before a real PostgreSQL, with COPY from a real S3 protocol.

It enforces, from the pages of docs.aws.amazon.com/redshift/latest/dg that are named where each rule is (read
2026-11-21, or as the facts were collected before):

- COPY of Parquet by position: manifest with content_length, column list, number, types and lengths in bytes of the
  columns, nulls, S3 errors, credentials needed, rows in the tables of load errors (copying.py);
- CREATE and ALTER TABLE: types, encodings by type, keys, 1,600 columns, VARCHAR in bytes, TEXT as VARCHAR(256),
  one ADD COLUMN each and no IF NOT EXISTS, VARCHAR alone alterable, never in a transaction, never to the same length
  (tables.py); names fold to lower case, quoted or not;
- SUPER by JSON_PARSE with its limits (setup.sql); QUALIFY; MERGE's limits; what of PostgreSQL is not there, with the
  functions that only the leader node has (statements.py); backslashes are escapes in strings;
- transactions as PostgreSQL has them, isolation serializable or snapshot, error 1023 (or "conflict with concurrent
  transaction") where they clash, writers of a table waiting for one another (session.py);
- TLS, log-in with a password, and Redshift's startup parameters; drivers connect unmodified.

It does not prove: wording and codes of other errors (from reports in public issue trackers, where not from the
manual), performance, encodings, sort and distribution, WLM, IAM log-in, Spectrum's reading (presigned URLs, regions,
KMS), when exactly 1023 strikes, how CAST spells doubles, dot navigation of SUPER. Only a real
cluster tells: tests/standins/test_redshift.py asks the same of both.
"""

from standins.redshift.faults import Fault
from standins.redshift.server import Redshift, certificate, serve

__all__ = ["Fault", "Redshift", "certificate", "serve"]
