"""What PostgreSQL itself refuses: changed versions, edited entries of lists, times within a minute."""

from django.db import migrations

# Purpose: a version changes its state alone, and only forwards; what it says stays.
KEEP_VERSION = """
    CREATE FUNCTION rules_version_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (OLD.rule_id, OLD.number, OLD.kind, OLD.parameters, OLD.author_id, OLD.made_at)
           IS DISTINCT FROM
           (NEW.rule_id, NEW.number, NEW.kind, NEW.parameters, NEW.author_id, NEW.made_at) THEN
            RAISE EXCEPTION 'a version of a rule is never changed: make another one'
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.state <> NEW.state AND NOT (
                (OLD.state = 'DRAFT' AND NEW.state IN ('SUBMITTED', 'RETIRED'))
             OR (OLD.state = 'SUBMITTED' AND NEW.state IN ('DRAFT', 'SHADOW', 'ACTIVE', 'RETIRED'))
             OR (OLD.state = 'SHADOW' AND NEW.state IN ('ACTIVE', 'RETIRED'))
             OR (OLD.state = 'ACTIVE' AND NEW.state = 'RETIRED')) THEN
            RAISE EXCEPTION 'a version cannot go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.effective_from IS NOT NULL AND OLD.effective_from IS DISTINCT FROM NEW.effective_from
           OR OLD.effective_until IS NOT NULL
              AND OLD.effective_until IS DISTINCT FROM NEW.effective_until THEN
            RAISE EXCEPTION 'the beginning and the end of a version are set once'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""
# Purpose: an entry is ended, and nothing else; the list that a rule names keeps its name.
KEEP_ENTRY = """
    CREATE FUNCTION rules_listentry_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (OLD.list_id, OLD.user_id, OLD.comment, OLD.made_at, OLD.starts_at)
           IS DISTINCT FROM (NEW.list_id, NEW.user_id, NEW.comment, NEW.made_at, NEW.starts_at)
           OR OLD.ends_at IS DISTINCT FROM NEW.ends_at
              AND coalesce(NEW.ends_at >= OLD.ends_at, NEW.ends_at IS NULL) THEN
            RAISE EXCEPTION 'an entry of a list is never edited, only ended'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""
KEEP_LIST = """
    CREATE FUNCTION rules_userlist_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.name <> NEW.name THEN
            RAISE EXCEPTION 'a list keeps its name, by which rules know it' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""


def keeper(table: str, function: str) -> migrations.RunSQL:
    """The function and the trigger that keep a table's rows as they are."""
    return migrations.RunSQL(
        [
            function,
            f"""CREATE TRIGGER {table}_keep BEFORE UPDATE ON {table}
                   FOR EACH ROW EXECUTE FUNCTION {table}_keep()""",
        ],
        [f"DROP TRIGGER {table}_keep ON {table}", f"DROP FUNCTION {table}_keep()"],
    )


def full_minutes(table: str, *columns: str) -> migrations.RunSQL:
    """Moments of a table lie on full minutes."""
    on_minutes = " AND ".join(
        f"coalesce(date_bin('1 minute', {column}, '2000-01-01 00:00:00+00') = {column}, true)"
        for column in columns
    )
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_on_minutes CHECK ({on_minutes})",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_on_minutes",
    )


class Migration(migrations.Migration):
    dependencies = [("rules", "0001_initial")]

    operations = [
        keeper("rules_version", KEEP_VERSION),
        keeper("rules_listentry", KEEP_ENTRY),
        keeper("rules_userlist", KEEP_LIST),
        full_minutes("rules_version", "effective_from", "effective_until"),
        full_minutes("rules_listentry", "starts_at", "ends_at"),
        # Room in each page for new versions of its rows, which every flush makes.
        migrations.RunSQL(
            "ALTER TABLE rules_userstate SET (fillfactor = 60)",
            "ALTER TABLE rules_userstate RESET (fillfactor)",
        ),
    ]
