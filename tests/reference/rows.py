"""From drafts to rows, now that the columns have types (RULES 5, 6.1, 6.2)."""

from dataclasses import dataclass, field

from reference.columns import of_context
from reference.drafts import Cell, Draft, reject, repaired
from reference.json_text import same
from reference.model import Columns, Reject, Row, Settings
from reference.values import stored


@dataclass(slots=True)
class Written:
    """One draft's row in one table, the rejects of its values, and how many were discarded."""

    draft: Draft
    row: Row
    rejects: list[Reject] = field(default_factory=list)
    discarded: int = 0


def track_row(draft: Draft, columns: Columns, settings: Settings) -> Row:
    """Return the row that a track event has in `tracks`; its rejects are the event table's."""
    cells = tuple(cell for cell in draft.cells if of_context(cell.column))
    bare = Draft(draft.event, draft.table, draft.row, cells, ())
    return written(bare, columns, settings).row


def written(draft: Draft, columns: Columns, settings: Settings) -> Written:
    """Return the row of a draft in a table of these columns."""
    result = Written(draft, dict(draft.row), list(draft.rejects))
    sharing: dict[str, list[Cell]] = {}
    for cell in draft.cells:
        sharing.setdefault(cell.column, []).append(cell)
    for column, cells in sharing.items():
        if column in columns:
            result.row[column] = _stored(result, columns, cells)
        elif settings.evolve == "evolve":
            overflow = result.row.setdefault("context_extra" if of_context(column) else "extra", {})
            assert isinstance(overflow, dict)
            overflow[column] = _stored(result, columns, cells)
        elif settings.evolve == "freeze":
            result.rejects += [reject(draft, column, cell.node, "schema_frozen") for cell in cells]
        else:
            result.discarded += len(cells)
    return result


def _stored(result: Written, columns: Columns, cells: list[Cell]) -> object:
    """Return what the first of the values sharing a column is in it, as JSON where the table lacks the column."""
    column, first = cells[0].column, cells[0].node
    type_ = columns[column].type if column in columns else "json"
    for cell in cells[1:]:
        if not same(cell.node, first):
            result.rejects.append(reject(result.draft, column, cell.node, "same_column"))
    value = stored(repaired(first), type_)
    if value is None:
        result.rejects.append(reject(result.draft, column, first, f"not_{type_}"))
    elif repaired(first) is not first:
        result.rejects.append(reject(result.draft, column, first, "unstorable_text"))
    return value
