"""Results as the connector reads them: JSON with types, and rows as JSON text or as Arrow.

The fields are those without which connector 5 raises or counts wrongly, found by trying, and fakesnow's own server.
"""

from base64 import b64encode
from typing import Any
from uuid import uuid4

import fakesnow.arrow
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.statement_type import DML_TYPE_IDS

from standins.snowflake.service.refusals import RefusedError

Json = dict[str, Any]


def _timestamps(found: Any) -> Any:
    """Return timestamps as the connector reads them. fakesnow's own have no room for null, which connector 5 minds."""
    times = pa.array(found.to_pylist(), found.type) if isinstance(found, pa.ChunkedArray) else found
    micros = pc.fill_null(times.cast(pa.timestamp("us", times.type.tz)).cast(pa.int64()), 0).to_numpy()
    parts = {
        "epoch": pa.array(micros // 1_000_000, pa.int64()),
        "fraction": pa.array(micros % 1_000_000 * 1000, pa.int32()),
    }
    if times.type.tz:
        parts["timezone"] = pa.array([1440] * len(times), pa.int32())  # minutes from UTC, and 1440
    fields = [pa.field(name, array.type, nullable=False) for name, array in parts.items()]
    return pa.StructArray.from_arrays(list(parts.values()), fields=fields, mask=times.is_null())


fakesnow.arrow.timestamp_to_sf_struct = _timestamps


def rows(columns: dict[str, str], found: list[tuple[Any, ...]], *, kind: int = 0) -> Json:
    """Return an answer of our own: columns with their types (text or fixed), and rows."""
    rowtype = [
        {
            **dict.fromkeys(("database", "schema", "table"), ""),
            "name": name,
            "type": type_,
            "nullable": True,
            "scale": 0,
        }
        | {"precision": 38, "length": 16777216, "byteLength": 16777216, "collation": None}
        for name, type_ in columns.items()
    ]
    written = [[None if value is None else str(value) for value in row] for row in found]
    return _answer({"queryResultFormat": "json", "rowset": written, "rowtype": rowtype}, len(found), kind, str(uuid4()))


def status(text: str) -> Json:
    """Return the answer of a statement that only says that it is done."""
    return rows({"status": "text"}, [(text,)])


def of(cursor: Any, engine: Any, kind: int) -> Json:
    """Return the answer that a fakesnow cursor holds."""
    sql, table = str(cursor._last_sql), cursor._arrow_table
    query = f"SELECT * FROM ({sql})" if sql.startswith("(") else sql  # DESCRIBE takes no query in parentheses
    rowtype = describe_as_rowtype(engine.execute(f"DESCRIBE {query}", cursor._last_params).fetchall())
    if table is not None and kind in DML_TYPE_IDS:
        lists = [column.to_pylist() for column in table.columns]
        rowset = [[None if value is None else str(value) for value in row] for row in zip(*lists, strict=True)]
        body: Json = {"queryResultFormat": "json", "rowset": rowset}
    else:
        packed = b64encode(to_ipc(to_sf(table, rowtype))).decode() if table is not None and table.num_rows else ""
        body = {"queryResultFormat": "arrow", "rowsetBase64": packed}
    return _answer(body | {"rowtype": rowtype}, table.num_rows if table is not None else 0, kind, cursor.sfqid)


def upload(url: str, source: str, *, compress: bool) -> Json:
    """Return the answer to PUT: where the client is to send the file."""
    stage = {
        "locationType": "GCS",
        "location": "stage/",
        "path": "stage/",
        "presignedUrl": url,
        "region": "us-east-1",
        "creds": {"GCS_ACCESS_TOKEN": None},
        "endPoint": None,
        "storageAccount": None,
        **dict.fromkeys(("isClientSideEncrypted", "useS3RegionalUrl", "useRegionalUrl", "useVirtualUrl"), False),
    }
    data = {
        "stageInfo": stage,
        "src_locations": [source],
        "queryId": str(uuid4()),
        "parallel": 4,
        "autoCompress": compress,
        "command": "UPLOAD",
        "sourceCompression": "auto_detect",
        "overwrite": True,
        "encryptionMaterial": None,
    }
    return {"data": data, "success": True, "code": None, "message": None}


def refused(refusal: RefusedError) -> Json:
    """Return the answer that carries an error."""
    code = f"{refusal.code:06d}"
    data = {"errorCode": code, "sqlState": refusal.state, "queryId": str(uuid4()), "internalError": False}
    return {"data": data, "code": code, "message": refusal.message, "success": False, "headers": None}


def _answer(body: Json, total: int, kind: int, query: str) -> Json:
    data = {
        "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
        "total": total,
        "returned": total,
        "queryId": query,
        "statementTypeId": kind,
        "numberOfBinds": 0,
        "arrayBindSupported": False,
        "version": 1,
        "sqlState": "00000",
        "finalDatabaseName": None,
        "finalSchemaName": None,
    }
    return {"data": {**data, **body}, "success": True, "code": None, "message": None}
