"""SQLAlchemy Core adapters: tables, stores, queries, engine."""
