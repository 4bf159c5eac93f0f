"""Run by Alembic for every migration: takes the connection and transaction of the caller and no settings of its own."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
