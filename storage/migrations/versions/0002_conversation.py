"""How fast is written, who waits for that, and whether an account has its figures shown."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and add the column. PostgreSQL keeps a constant default in its catalogue: no row is written."""
    op.create_table(
        "paces",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "number", name=op.f("paces_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("paces_at_idx", "paces", ["at"], unique=False)
    op.create_table(
        "pace_bookings",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("holder", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "holder", name=op.f("pace_bookings_pkey")),
        sqlite_with_rowid=False,
    )
    op.create_index("pace_bookings_at_idx", "pace_bookings", ["at"], unique=False)
    op.create_index("pace_bookings_subject_idx", "pace_bookings", ["subject", "at"], unique=False)
    op.add_column(
        "customers", sa.Column("shows_figures", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    """Drop them; what accounts have chosen is lost with the column."""
    op.drop_column("customers", "shows_figures")
    op.drop_table("pace_bookings")
    op.drop_table("paces")
