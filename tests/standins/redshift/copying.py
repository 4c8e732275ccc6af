"""COPY … FROM 's3://…' of Parquet: options, manifest, files and their columns checked as Redshift does, then streamed.

Sources: r_COPY.html, copy-usage_notes-copy-from-columnar.html, loading-data-files-using-manifest.html.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from standins.redshift.protocol import RedshiftError
from standins.redshift.tokens import Token, closing, name_at, split, tokens

# Of columnar formats (copy-usage_notes-copy-from-columnar.html); each with the number of tokens that follow it.
OPTIONS = {"iam_role": 1, "credentials": 1, "access_key_id": 1, "secret_access_key": 1, "session_token": 1, "region": 1}
FLAGS = ("manifest", "fillrecord", "serializetojson", "parquet", "format", "as", "with", "acceptinvchars", "default")
CREDENTIALS = ("iam_role", "credentials", "access_key_id")
MAX_ROW_BYTES = 4 * 2**20  # r_COPY.html: of a single input row, from any source


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table, as the catalogue has it."""

    name: str
    kind: str
    nullable: bool
    size: int | None  # of VARCHAR, in bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY, read."""

    table: tuple[str, ...]
    columns: tuple[str, ...]  # the list; () where there is none
    bucket: str
    key: str
    options: Mapping[str, str]


class LoadError(RedshiftError):
    """An error that is also written into the tables of load errors."""

    def __init__(self, reason: str, *, file: str, column: str = "", kind: str = "", size: str = "") -> None:
        super().__init__("Spectrum Scan Error", "XX000", f"error: {reason} code: 15007 context: {reason}")
        self.reason, self.file, self.column, self.kind, self.size = reason, file, column, kind, size


Get = Callable[[str, str], bytes]  # bucket, key → content; raises RedshiftError
Listing = Callable[[str, str], list[str]]  # bucket, prefix → keys


def read(found: Sequence[Token]) -> Copy:
    """Return the parts of a COPY statement. Raises RedshiftError for what Redshift does not take."""
    table, at = name_at(found, 1)
    columns: tuple[str, ...] = ()
    if found[at].is_("("):
        close = closing(found, at)
        columns = tuple(part[0].value for part in split(found[at + 1 : close]))
        at = close + 1
    if not found[at].is_("from") or found[at + 1].kind != "string":
        raise RedshiftError(f'syntax error at or near "{found[at].text}"', "42601")
    url = found[at + 1].value
    if not url.startswith("s3://"):
        raise RedshiftError("stand-in: COPY from s3:// only", "0A000")
    bucket, _, key = url[5:].partition("/")
    copy = Copy(tuple(table), columns, bucket, key, _options(found[at + 2 :]))
    if "parquet" not in copy.options:
        raise RedshiftError("stand-in: COPY of FORMAT PARQUET only", "0A000")
    if not any(name in copy.options for name in CREDENTIALS):
        raise RedshiftError("CREDENTIALS argument is required but no credentials are given", "42601")
    return copy


def _options(found: Sequence[Token]) -> dict[str, str]:
    options: dict[str, str] = {}
    position = 0
    while position < len(found):
        name = found[position].value
        if name in OPTIONS:
            position += found[position + 1].is_("as")
            options[name] = found[position + 1].value
            position += 1
        elif name in FLAGS:
            options[name] = ""
        else:
            raise RedshiftError(f"{name.upper()} is not supported for PARQUET", "0A000")
        position += 1
    return options


def files(copy: Copy, get: Get, listing: Listing) -> Iterator[tuple[str, bytes]]:
    """Yield url and content of each file, by the manifest or by the prefix."""
    if "manifest" not in copy.options:
        keys = listing(copy.bucket, copy.key)
        if not keys:
            raise RedshiftError(f"The specified S3 prefix '{copy.key}' does not exist")
        for key in keys:
            yield f"s3://{copy.bucket}/{key}", get(copy.bucket, key)
        return
    try:
        entries = json.loads(get(copy.bucket, copy.key))["entries"]
    except (ValueError, KeyError, TypeError) as error:
        raise RedshiftError("Manifest file is not in correct json format") from error
    for entry in entries:
        bucket, _, key = entry["url"].removeprefix("s3://").partition("/")
        size = entry.get("meta", {}).get("content_length")
        if size is None:  # needed for Parquet and ORC
            raise RedshiftError(f"Manifest file is missing content_length for {entry['url']}")
        try:
            content = get(bucket, key)
        except RedshiftError:
            if entry.get("mandatory"):
                raise
            continue
        if len(content) != size:
            raise RedshiftError(f"content_length {size} of {entry['url']} is not its size {len(content)}")
        yield entry["url"], content


def chosen(copy: Copy, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that the files fill, in the order of the list."""
    named = {each.name: each for each in columns}
    if not copy.columns:
        return list(columns)
    absent = [name for name in copy.columns if name not in named]
    if absent:
        raise RedshiftError(f'column "{absent[0]}" of relation "{copy.table[-1]}" does not exist', "42703")
    return [named[name] for name in copy.columns]


def checked(copy: Copy, columns: Sequence[Column], url: str, content: bytes) -> pa.Table:
    """Return a file's rows. Raises LoadError where a column of it does not fit, by position."""
    try:
        data = pq.ParquetFile(io.BytesIO(content)).read()
    except pa.ArrowInvalid as error:
        raise LoadError(f"File '{url}' is not a Parquet file: {error}", file=url) from error
    short = data.num_columns < len(columns) and "fillrecord" in copy.options
    if data.num_columns != len(columns) and not short:
        counts = f"Table columns: {len(columns)}, Data columns: {data.num_columns}"
        raise LoadError(f"Unmatched number of columns between table and file. {counts}, File name: {url}", file=url)
    for at, column in enumerate(columns[: data.num_columns]):  # by position, whatever the names
        _check(copy, column, data.column(at), url)
    _check_rows(data, url)
    return data


def _check(copy: Copy, column: Column, array: pa.ChunkedArray, url: str) -> None:
    kind = array.type
    bad = {"file": url, "column": column.name, "kind": column.kind, "size": str(column.size or "")}
    accepts = ACCEPTS.get(column.kind)
    if accepts is None or not accepts(kind):
        raise LoadError(
            f"File '{url}' has an incompatible Parquet schema for column '{column.name}'. "
            f"Column type: {column.kind.upper()}, Parquet schema: optional {kind}",
            **bad,
        )
    if column.kind == "super" and pa.types.is_nested(kind) and "serializetojson" not in copy.options:
        raise LoadError(f"Nested type of column '{column.name}' needs SERIALIZETOJSON", **bad)
    if not column.nullable and array.null_count:
        raise LoadError(f"Missing data for not-null field '{column.name}'", **bad)
    if column.size is not None and not pa.types.is_nested(kind):
        longest = pc.max(pc.binary_length(array)).as_py() or 0
        if longest > column.size:
            raise LoadError(
                f"The length of the data column {column.name} is longer than the length defined in the table. "
                f"Table: {column.size}, Data: {longest}, File name: {url}",
                **bad,
            )


def _text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _bytes(kind: pa.DataType) -> bool:
    return bool(_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.unit in ("us", "ms")


ACCEPTS: Mapping[str, Callable[[pa.DataType], Any]] = {
    "smallint": pa.types.is_int16,
    "integer": pa.types.is_int32,
    "bigint": pa.types.is_int64,  # int32 in the file fails, too
    "boolean": pa.types.is_boolean,
    "real": pa.types.is_float32,
    "double precision": pa.types.is_float64,
    "numeric": pa.types.is_decimal,
    "date": pa.types.is_date32,
    "timestamp without time zone": _moment,
    "timestamp with time zone": _moment,
    "character varying": _text,
    "character": _text,
    "binary varying": _bytes,
    "super": lambda kind: _text(kind) or pa.types.is_nested(kind),
}


def _check_rows(data: pa.Table, url: str) -> None:
    if data.nbytes <= MAX_ROW_BYTES:
        return
    for start in range(data.num_rows):
        if data.slice(start, 1).nbytes > MAX_ROW_BYTES * 4:  # a slice counts whole bitmaps: be generous
            raise LoadError(f"Row size of {url} exceeds {MAX_ROW_BYTES} bytes", file=url)


def as_csv(columns: Sequence[Column], data: pa.Table) -> bytes:
    """Return rows as PostgreSQL's CSV: null is nothing, strings are in quotes."""
    arrays = [
        _printable(column, data.column(at).combine_chunks()) for at, column in enumerate(columns[: data.num_columns])
    ]
    out = io.BytesIO()
    table = pa.table(arrays, names=[str(at) for at in range(len(arrays))])
    csv.write_csv(table, out, csv.WriteOptions(include_header=False, quoting_style="needed"))
    return out.getvalue()


def _printable(column: Column, array: pa.Array) -> pa.Array:
    if column.kind == "binary varying":
        raw = array.cast(pa.large_binary())
        return pa.array([None if each is None else "\\x" + each.hex() for each in raw.to_pylist()], pa.large_string())
    if column.kind == "super" and pa.types.is_nested(array.type):
        return pa.array([None if each is None else json.dumps(each, default=str) for each in array.to_pylist()])
    if column.kind == "super":  # a string becomes a JSON string, never what it spells (COPY_PARSE does that for text)
        return pa.array([None if each is None else json.dumps(each) for each in array.to_pylist()])
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us", array.type.tz))
    return array


def redacted(sql: str) -> str:
    """Return a COPY without its secrets, as Redshift's own query log has it."""
    return " ".join("''" if each.kind == "string" else each.text for each in tokens(sql))
