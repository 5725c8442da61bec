"""Severity and description are a version's, approved with it; and the right to approve."""

from django.db import migrations, models

# Purpose: versions there are say what their rules say.
SAY_AS_RULE = """
    UPDATE rules_version v SET severity = r.severity, description = r.description
      FROM rules_rule r WHERE r.id = v.rule_id
"""
# Purpose: what a version says of severity and description stays, like the rest of it.
KEEP_SEVERITY = """
    CREATE FUNCTION rules_version_keep_severity() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (OLD.severity, OLD.description) IS DISTINCT FROM (NEW.severity, NEW.description) THEN
            RAISE EXCEPTION 'a version of a rule is never changed: make another one'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""
# Purpose: a rule of which a version was approved says what one of those says.
AS_APPROVED = """
    CREATE FUNCTION rules_rule_as_approved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (OLD.severity, OLD.description) IS DISTINCT FROM (NEW.severity, NEW.description)
           AND EXISTS (SELECT FROM rules_version WHERE rule_id = NEW.id AND effective_from IS NOT NULL)
           AND NOT EXISTS (SELECT FROM rules_version
                            WHERE rule_id = NEW.id AND effective_from IS NOT NULL
                              AND (severity, description) = (NEW.severity, NEW.description)) THEN
            RAISE EXCEPTION 'severity and description are approved with a version: make another one'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""


def trigger(table: str, function: str, text: str) -> migrations.RunSQL:
    """The function and the trigger that guard severity and description in a table."""
    return migrations.RunSQL(
        [
            text,
            f"""CREATE TRIGGER {function} BEFORE UPDATE OF severity, description ON {table}
                   FOR EACH ROW EXECUTE FUNCTION {function}()""",
        ],
        [f"DROP TRIGGER {function} ON {table}", f"DROP FUNCTION {function}()"],
    )


class Migration(migrations.Migration):
    dependencies = [("rules", "0002_triggers")]

    operations = [
        migrations.AlterModelOptions(
            name="rule", options={"permissions": [("approve_rule", "Can approve rule")]}
        ),
        migrations.AddField(
            "version",
            "severity",
            models.CharField(
                choices=[("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High"), ("CRITICAL", "Critical")],
                default="MEDIUM",
                max_length=10,
            ),
        ),
        migrations.AddField("version", "description", models.TextField(blank=True, default="")),
        migrations.RunSQL(SAY_AS_RULE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "version",
            models.CheckConstraint(
                condition=models.Q(severity__in=["LOW", "MEDIUM", "HIGH", "CRITICAL"]),
                name="version_severity_known",
            ),
        ),
        trigger("rules_version", "rules_version_keep_severity", KEEP_SEVERITY),
        trigger("rules_rule", "rules_rule_as_approved", AS_APPROVED),
    ]
