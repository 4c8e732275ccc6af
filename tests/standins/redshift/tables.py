"""CREATE TABLE and ALTER TABLE of Redshift → PostgreSQL, with Redshift's types, encodings and limits.

VARCHAR(n) counts bytes (r_Character_types.html), so each such column gets a CHECK whose name begins with BYTES.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from standins.redshift.protocol import RedshiftError
from standins.redshift.tokens import Token, closing, is_identifier, name_at, split, words

BYTES = "rs_bytes_"
MAX_COLUMNS, MAX_VARCHAR, MAX_VARBYTE = 1600, 65_535, 16_777_216
Spell = Callable[[Sequence[Token]], str]

# c_Supported_data_types.html: as written → as PostgreSQL has it. TEXT is VARCHAR(256) there.
TYPES = {
    **dict.fromkeys(("smallint", "int2"), "smallint"),
    **dict.fromkeys(("integer", "int", "int4"), "integer"),
    **dict.fromkeys(("bigint", "int8"), "bigint"),
    **dict.fromkeys(("decimal", "numeric"), "numeric"),
    **dict.fromkeys(("real", "float4"), "real"),
    **dict.fromkeys(("double precision", "float8", "float"), "double precision"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("char", "character", "nchar", "bpchar"), "char"),
    **dict.fromkeys(("varchar", "character varying", "nvarchar", "text"), "varchar"),
    "date": "date",
    **dict.fromkeys(("timestamp", "timestamp without time zone"), "timestamp"),
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), "timestamptz"),
    **dict.fromkeys(("varbyte", "varbinary", "binary varying"), "varbyte"),
    "super": "super",
}
# c_Compression_encodings.html
NUMBERS = {"smallint", "integer", "bigint", "numeric", "date", "timestamp", "timestamptz"}
ENCODINGS = {
    "az64": NUMBERS,
    "zstd": set(TYPES.values()),
    "raw": set(TYPES.values()),
    "lzo": set(TYPES.values()) - {"boolean", "real", "double precision"},
    "runlength": set(TYPES.values()) - {"super", "varbyte"},
    "bytedict": set(TYPES.values()) - {"boolean", "super", "varbyte"},
    "delta": NUMBERS,
    "delta32k": NUMBERS,
    "mostly8": NUMBERS - {"timestamp", "timestamptz"},
    "mostly16": NUMBERS - {"smallint", "timestamp", "timestamptz"},
    "mostly32": {"bigint", "numeric"},
    "text255": {"varchar"},
    "text32k": {"varchar"},
}
_ATTRIBUTES = ("not", "null", "default", "encode", "distkey", "sortkey", "primary", "unique", "references", "identity")
_TABLE_ATTRIBUTES = r"^((temp|temporary)|(compound|interleaved) sortkey|sortkey|distkey|diststyle|backup|encode)$"


def created(found: Sequence[Token], spell: Spell) -> str:
    """Return CREATE TABLE for PostgreSQL: keys and encodings are checked and dropped, keys enforce nothing."""
    start = next(position for position, each in enumerate(found) if each.is_("table")) + 1
    if words(found[start : start + 3]) == "if not exists":
        start += 3
    _, end = name_at(found, start)
    head = spell(found[:end])
    if end < len(found) and found[end].is_("("):
        close = closing(found, end)
        items = split(found[end + 1 : close])
        kinds = dict(_kind(each) for each in items if is_identifier(each[0]) and not _is_constraint(each))
        if len(kinds) > MAX_COLUMNS:
            raise RedshiftError(f"tables can have at most {MAX_COLUMNS} columns", "54011")
        _check_keys(found[close + 1 :], items, kinds)
        body = ", ".join(filter(None, (_item(each, spell) for each in items)))
        return f"{head} ({body})"
    body_at = next((at for at in range(end, len(found)) if found[at].is_("as")), end)
    return f"{head} {spell(found[body_at:])}"


def _is_constraint(item: Sequence[Token]) -> bool:
    return item[0].is_("primary", "unique", "foreign", "constraint", "like")


def _item(item: Sequence[Token], spell: Spell) -> str:
    if item[0].is_("like"):
        return f"{spell(item)} INCLUDING CONSTRAINTS"
    if _is_constraint(item):
        return ""  # informational only: t_Defining_constraints.html
    return column(item, spell)


def _kind(item: Sequence[Token]) -> tuple[str, str]:
    return item[0].value, _type(item)[0]


def column(item: Sequence[Token], spell: Spell) -> str:
    """Return a column's definition for PostgreSQL, with its length in bytes as a check."""
    kind, size, rest = _type(item)
    name = spell(item[:1])
    checked = {"varchar": size, "char": size, "varbyte": size}.get(kind)
    native = {"varbyte": "bytea", "varchar": f"varchar({size})", "char": f"char({size})"}.get(kind, kind)
    if kind == "numeric":
        native = f"numeric({size})" if size else "numeric(18,0)"
    kept = _kept(rest, kind, spell)
    check = f" CONSTRAINT {constraint(item[0].value)} CHECK (octet_length({name}) <= {checked})" if checked else ""
    return f"{name} {native}{kept}{check}"


def constraint(name: str) -> str:
    """Return the name of the check of a column's length."""
    return BYTES + hashlib.md5(name.encode()).hexdigest()[:12]


def _type(item: Sequence[Token]) -> tuple[str, str, Sequence[Token]]:
    """Return a column's type by its PostgreSQL name, its size as text, and the tokens after it."""
    position = 1
    while position < len(item) and item[position].kind == "word" and not item[position].is_(*_ATTRIBUTES):
        position += 1
    written = words(item[1:position])
    size = ""
    if position < len(item) and item[position].is_("("):
        close = closing(item, position)
        size = words(item[position + 1 : close]).replace(" ", "")
        position = close + 1
    kind = TYPES.get(written)
    if kind is None:
        raise RedshiftError(f'Column "{item[0].value}" has unsupported type "{written}".', "0A000")
    return kind, _size(kind, written, size), item[position:]


def _size(kind: str, written: str, size: str) -> str:
    if kind == "varchar":
        size = {"": "256", "max": str(MAX_VARCHAR)}.get(size, size) if written != "text" else "256"
        if int(size) > MAX_VARCHAR:
            raise RedshiftError(f"length for type varchar cannot exceed {MAX_VARCHAR}", "22023")
    if kind == "varbyte":
        size = size or "64000"
        if int(size) > MAX_VARBYTE:
            raise RedshiftError(f"length for type varbyte cannot exceed {MAX_VARBYTE}", "22023")
    return size or ("1" if kind == "char" else "")


def _kept(rest: Sequence[Token], kind: str, spell: Spell) -> str:
    """Return the attributes that PostgreSQL knows too; checks the encoding."""
    kept: list[str] = []
    position = 0
    while position < len(rest):
        each = rest[position]
        if each.is_("encode"):
            encoding = rest[position + 1].value
            if kind not in ENCODINGS.get(encoding, set()):
                raise RedshiftError(f'invalid encoding type "{encoding}" specified for a column of {kind}', "42601")
            position += 2
        elif each.is_("distkey", "sortkey", "unique") or (each.is_("primary", "key")):
            position += 1
        elif each.is_("identity"):
            close = closing(rest, position + 1)
            first, step = (words(part) for part in split(rest[position + 2 : close]))
            kept.append(f"GENERATED BY DEFAULT AS IDENTITY (START {first} INCREMENT {step})")
            position = close + 1
        else:
            kept.append(spell([each]))
            position += 1
    return "".join(f" {each}" for each in kept)


def _check_keys(after: Sequence[Token], items: Sequence[Sequence[Token]], kinds: dict[str, str]) -> None:
    """Check DISTKEY and SORTKEY: their columns exist and are not SUPER (limitations-super.html)."""
    named = [
        item[0].value for item in items if any(each.is_("distkey", "sortkey") for each in item[1:]) if len(item) > 1
    ]
    position = 0
    while position < len(after):
        each = after[position]
        if not re.match(_TABLE_ATTRIBUTES, each.value) and not each.is_("compound", "interleaved"):
            raise RedshiftError(f'syntax error at or near "{each.text}"', "42601")
        position += 1
        if position < len(after) and after[position].is_("("):
            close = closing(after, position)
            named += [part[0].value for part in split(after[position + 1 : close])]
            position = close + 1
        elif each.is_("diststyle", "backup") or (each.is_("sortkey", "encode") and words(after[position:]) == "auto"):
            position += 1
    for name in named:
        if name not in kinds:
            raise RedshiftError(f'column "{name}" named in key does not exist', "42703")
        if kinds[name] in ("super", "varbyte"):
            raise RedshiftError(f'column "{name}" of type {kinds[name]} cannot be a distribution or sort key', "0A000")


def altered(found: Sequence[Token], spell: Spell) -> tuple[str, bool]:
    """Return ALTER TABLE for PostgreSQL, and whether it is refused in a transaction block (r_ALTER_TABLE.html)."""
    table, at = name_at(found, 2)
    actions = split(found[at:])
    action = list(actions[0])
    text = words(action)
    if len(actions) > 1 and not text.startswith("alter column"):
        raise RedshiftError('syntax error at or near ","', "42601")
    if re.match(r"(add|drop) (column )?if ", text):
        raise RedshiftError(
            'syntax error at or near "not"' if "not" in text else 'syntax error at or near "if"', "42601"
        )
    head = spell(found[:at])
    if text.startswith("add") and not action[1].is_("primary", "unique", "constraint", "foreign"):
        item = action[1 + action[1].is_("column") :]
        if any(each.is_("not") for each in item) and not any(each.is_("default") for each in item):
            raise RedshiftError("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default", "0A000")
        return f"{head} ADD COLUMN {column(item, spell)}", False
    if re.match(r"alter (column )?\S+ type ", text):
        item = [each for each in action[1 + action[1].is_("column") :] if not each.is_("type")]
        kind, size, rest = _type(item)
        if kind != "varchar" or rest:
            raise RedshiftError(f'target data type "{kind}" is not supported', "0A000")
        return _lengthened(table, item[0].value, int(size)), True
    if re.match(r"(alter (column \S+ encode|encode|distkey|diststyle|sortkey|compound|interleaved)|add )", text):
        return "SELECT 1 WHERE false", False
    return f"{head} {spell(action)}", False


def _lengthened(table: list[str], name: str, size: int) -> str:
    """Return the block that changes the length of a VARCHAR; one of the same length is an error, as it is there."""
    where = ".".join(f'"{part}"' for part in table)
    return f"""DO $$
DECLARE found record; check_name text;
BEGIN
  SELECT attnum, atttypid::regtype::text AS kind, atttypmod - 4 AS size INTO found FROM pg_attribute
  WHERE attrelid = '{where}'::regclass AND attname = '{name}' AND NOT attisdropped;
  IF found IS NULL THEN RAISE undefined_column USING MESSAGE = 'column "{name}" does not exist'; END IF;
  IF found.kind <> 'character varying' THEN
    RAISE feature_not_supported USING MESSAGE = 'ALTER COLUMN TYPE is supported for VARCHAR columns only';
  END IF;
  IF found.size = {size} THEN
    RAISE feature_not_supported USING MESSAGE = 'cannot alter column "{name}" of relation, '
      'target column size should be different';
  END IF;
  SELECT conname INTO check_name FROM pg_constraint
  WHERE conrelid = '{where}'::regclass AND conname LIKE '{BYTES}%' AND conkey = ARRAY[found.attnum];
  EXECUTE 'ALTER TABLE {where} DROP CONSTRAINT ' || check_name;
  ALTER TABLE {where} ALTER COLUMN "{name}" TYPE varchar({size});
  EXECUTE 'ALTER TABLE {where} ADD CONSTRAINT ' || check_name || ' CHECK (octet_length("{name}") <= {size})';
END $$"""
