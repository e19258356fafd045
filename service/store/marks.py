"""What was deployed, and when? Deployment marks."""

from __future__ import annotations

from sqlalchemy import func, select

from service.records import DeploymentMark
from service.store.database import Database
from service.store.tables import MARK


class Marks(Database):
    """Deployment marks by target."""

    def add_mark(self, mark: DeploymentMark) -> None:
        """Keep a mark."""
        row = {"target": mark.target, "at": mark.at, "version": mark.version, "note": mark.note}
        with self._write() as connection:
            connection.execute(MARK.insert().values(row))

    def marks(self, target: str, since: float) -> list[DeploymentMark]:
        """A target's marks from ``since`` on, oldest first."""
        query = select(MARK).where(MARK.c.target == target, MARK.c.at >= since)
        with self._read() as connection:
            rows = connection.execute(query.order_by(MARK.c.at, MARK.c.id)).all()
        return [DeploymentMark(row.target, row.at, row.version, row.note) for row in rows]

    def newest_marks(self) -> dict[str, DeploymentMark]:
        """The newest mark of each target that has one."""
        newest = select(MARK.c.target, func.max(MARK.c.at).label("at")).group_by(MARK.c.target).subquery()
        query = select(MARK).join(newest, (MARK.c.target == newest.c.target) & (MARK.c.at == newest.c.at))
        with self._read() as connection:
            rows = connection.execute(query.order_by(MARK.c.id)).all()
        return {row.target: DeploymentMark(row.target, row.at, row.version, row.note) for row in rows}
