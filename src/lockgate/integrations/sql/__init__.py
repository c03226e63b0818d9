"""State in a database: SQLite on one machine, PostgreSQL for a team. SQLAlchemy Core speaks to it, Alembic moves its schema."""
