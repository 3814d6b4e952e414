"""The MongoKit document mapper on PyMongo 4."""
