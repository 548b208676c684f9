"""The configuration: one pydantic model for each section of ``config.yaml``."""

from mlipkd.config.campaign import Campaign
from mlipkd.config.load import ConfigError, load_campaign

__all__ = ["Campaign", "ConfigError", "load_campaign"]
