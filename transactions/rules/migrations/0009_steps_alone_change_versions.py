"""What was approved stays as it was approved: PostgreSQL refuses what is no step of a version's life."""

from django.db import migrations

# Purpose: a version changes its state alone, and only forwards; what is set with a step is set by nothing
# else; what it says stays.
KEEP_VERSION = """
    CREATE OR REPLACE FUNCTION rules_version_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (OLD.rule_id, OLD.number, OLD.kind, OLD.parameters, OLD.author_id, OLD.made_at)
           IS DISTINCT FROM
           (NEW.rule_id, NEW.number, NEW.kind, NEW.parameters, NEW.author_id, NEW.made_at) THEN
            RAISE EXCEPTION 'a version of a rule is never changed: make another one'
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.state <> NEW.state AND NOT (
                (OLD.state = 'DRAFT' AND NEW.state IN ('SUBMITTED', 'RETIRED'))
             OR (OLD.state = 'SUBMITTED' AND NEW.state IN ('SHADOW', 'ACTIVE', 'RETIRED'))
             OR (OLD.state = 'SHADOW' AND NEW.state IN ('ACTIVE', 'RETIRED'))
             OR (OLD.state = 'ACTIVE' AND NEW.state = 'RETIRED')) THEN
            RAISE EXCEPTION 'a version cannot go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.submitted_at IS DISTINCT FROM NEW.submitted_at
               AND NOT (OLD.state = 'DRAFT' AND NEW.state = 'SUBMITTED')
           OR (OLD.approver_id, OLD.approved_at, OLD.four_eyes, OLD.effective_from)
              IS DISTINCT FROM (NEW.approver_id, NEW.approved_at, NEW.four_eyes, NEW.effective_from)
               AND NOT (OLD.state <> NEW.state AND NEW.state IN ('SHADOW', 'ACTIVE'))
           OR OLD.alerts_from IS DISTINCT FROM NEW.alerts_from
               AND NOT (OLD.state <> NEW.state AND NEW.state = 'ACTIVE')
           OR OLD.effective_until IS DISTINCT FROM NEW.effective_until
               AND NOT (OLD.state <> NEW.state AND NEW.state = 'RETIRED') THEN
            RAISE EXCEPTION 'who approved a version, and its times, are set with its steps alone'
                USING ERRCODE = 'check_violation';
        END IF;
        IF OLD.effective_from IS NOT NULL AND OLD.effective_from IS DISTINCT FROM NEW.effective_from THEN
            RAISE EXCEPTION 'the beginning and the end of a version are set once'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""
# The same as migration 0002 made it.
KEEP_VERSION_BEFORE = """
    CREATE OR REPLACE FUNCTION rules_version_keep() RETURNS trigger LANGUAGE plpgsql AS $$
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
# Purpose: every version begins as a draft, and what was submitted once stays.
BEGIN_AS_DRAFT = """
    CREATE FUNCTION rules_version_begin_and_stay() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.state <> 'DRAFT' OR num_nonnulls(NEW.submitted_at, NEW.approver_id, NEW.approved_at,
                    NEW.four_eyes, NEW.effective_from, NEW.effective_until, NEW.alerts_from) > 0 THEN
                RAISE EXCEPTION 'a version begins as a draft' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END IF;
        IF OLD.submitted_at IS NOT NULL OR OLD.effective_from IS NOT NULL THEN
            RAISE EXCEPTION 'a version that was submitted is never deleted' USING ERRCODE = 'check_violation';
        END IF;
        RETURN OLD;
    END $$
"""
# Purpose: a rule of which a version became active says what the latest of those says.
AS_ACTIVE = """
    CREATE OR REPLACE FUNCTION rules_rule_as_approved() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE latest rules_version;
    BEGIN
        SELECT * INTO latest FROM rules_version
         WHERE rule_id = NEW.id AND alerts_from IS NOT NULL ORDER BY approved_at DESC, id DESC LIMIT 1;
        IF (OLD.severity, OLD.description) IS DISTINCT FROM (NEW.severity, NEW.description)
           AND latest.id IS NOT NULL
           AND (latest.severity, latest.description) IS DISTINCT FROM (NEW.severity, NEW.description) THEN
            RAISE EXCEPTION 'severity and description are approved with a version: make another one'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
"""
AS_APPROVED_BEFORE = """
    CREATE OR REPLACE FUNCTION rules_rule_as_approved() RETURNS trigger LANGUAGE plpgsql AS $$
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


class Migration(migrations.Migration):
    dependencies = [("rules", "0008_alerts_from")]

    operations = [
        migrations.RunSQL(KEEP_VERSION, KEEP_VERSION_BEFORE),
        migrations.RunSQL(
            [
                BEGIN_AS_DRAFT,
                """CREATE TRIGGER rules_version_begin_and_stay BEFORE INSERT OR DELETE ON rules_version
                      FOR EACH ROW EXECUTE FUNCTION rules_version_begin_and_stay()""",
            ],
            [
                "DROP TRIGGER rules_version_begin_and_stay ON rules_version",
                "DROP FUNCTION rules_version_begin_and_stay()",
            ],
        ),
        migrations.RunSQL(AS_ACTIVE, AS_APPROVED_BEFORE),
    ]
