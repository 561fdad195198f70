"""Backbones that several modalities share."""

from omnifex_registry.backbones.flow_transformer import FlowTransformer

__all__ = ["FlowTransformer"]
