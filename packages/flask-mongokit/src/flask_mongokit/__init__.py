"""Binds MongoKit documents to Flask applications."""
