"""The database: ``db`` opens it and is the only module that knows which one it is; ``migrations`` give it its shape."""
