"""People's keys are kept apart from the database."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The tables stay as they are; keys.py moves what they hold. Without this step an older onboard would go on."""
