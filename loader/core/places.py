"""Row keys: the place of an event in the files of a load, as one number that sorts by it."""

# Which file of the load, which line, which element of an envelope.
_LINE_BITS, ELEMENT_BITS = 27, 20
FILE_SHIFT = _LINE_BITS + ELEMENT_BITS
MAX_FILES = 1 << 16  # in one load
MAX_LINES = (1 << _LINE_BITS) - 1  # in one file
MAX_ELEMENTS = 1 << ELEMENT_BITS  # in one envelope


def row_key(file: int, line: int, element: int = 0) -> int:
    """Return the key of a row: orders rows by file, line and element, and fits a signed 64-bit integer."""
    return (((file << _LINE_BITS) | line) << ELEMENT_BITS) | element


def place(key: int) -> tuple[int, int, int]:
    """Return the file's ordinal, the line's number and the element's index of a row key."""
    line = key >> ELEMENT_BITS
    return line >> _LINE_BITS, line & ((1 << _LINE_BITS) - 1), key & ((1 << ELEMENT_BITS) - 1)
