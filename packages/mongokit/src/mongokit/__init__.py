"""The MongoKit document mapper on PyMongo 4."""

from mongokit.collection import Collection
from mongokit.connection import Connection, MasterSlaveConnection, MongoClient, ReplicaSetConnection
from mongokit.cursor import Cursor
from mongokit.database import Database
from mongokit.document import Document
from mongokit.dotted import DotCollapsedDict, DotedDict, DotExpandedDict
from mongokit.errors import *
from mongokit.operators import IS, NOT, OR, SchemaOperator
from mongokit.schema_document import SchemaDocument
from mongokit.types import CustomType, Set
