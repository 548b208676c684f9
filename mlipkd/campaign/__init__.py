"""The campaign: all that one ``config.yaml`` asks for, and the part of it that each job reads."""

from mlipkd.campaign.campaign import Campaign, load_campaign
from mlipkd.config.load import ConfigError

__all__ = ["Campaign", "ConfigError", "load_campaign"]
