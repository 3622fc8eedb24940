"""What the use cases need from the world, one module per area, with the records that cross each boundary.

Every port has an adapter for SQL (SQLite and PostgreSQL) and a fake in memory, held to one contract suite.
"""
