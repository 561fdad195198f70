"""The registry's tables; migrations/ makes them."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, MetaData, String, Table, Text

metadata = MetaData()

models = Table(
    "model",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("family", String(100)),
    Column("class_name", String(200), nullable=False),
    Column("path", Text, nullable=False),  # relative where the folder lies in the home
    Column("config", JSON, nullable=False),
    Column("settings", JSON, nullable=False, server_default="{}"),
    Column("styles", JSON, nullable=False, server_default="{}"),  # presets by name
    Column("source", JSON, nullable=False, server_default="{}"),  # hub id, revision, licence
    Column("variant", String(40)),  # the "fp16" of model.fp16.safetensors
    Column("stamp", String(64), nullable=False),  # layout.file_stamp when it was identified
    Column("added_at", BigInteger, nullable=False),
)

# Immutable facts, keyed by content.
components = Table(
    "component",
    metadata,
    Column("id", String(71), primary_key=True),
    Column("library", String(200), nullable=False),
    Column("class_name", String(200), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("parameters", BigInteger, nullable=False),
    Column("dtypes", JSON, nullable=False),
    Column("weightless", Boolean, nullable=False),
)

model_components = Table(
    "model_component",
    metadata,
    Column("model", String(100), ForeignKey("model.name"), primary_key=True),
    Column("role", String(100), primary_key=True),
    Column("component", String(71), ForeignKey("component.id"), nullable=False, index=True),
)

# Other names of models, resolved when a job is submitted.
aliases = Table(
    "model_alias",
    metadata,
    Column("alias", String(100), primary_key=True),
    Column("model", String(100), nullable=False, index=True),
)
