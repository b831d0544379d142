/// The schema's history as it is built into the program.
///
/// Each `Migrations/mNNNN-name.up.sql` and `.down.sql` has its line here; a test compares the two.
package enum Migrations {
    package static let all: [Migration] = [
        Migration(
            1, "core", up: PackageResources.m0001_core_up_sql,
            down: PackageResources.m0001_core_down_sql),
        Migration(
            2, "payments", up: PackageResources.m0002_payments_up_sql,
            down: PackageResources.m0002_payments_down_sql),
        Migration(
            3, "sla", up: PackageResources.m0003_sla_up_sql,
            down: PackageResources.m0003_sla_down_sql),
        Migration(
            4, "webhooks", up: PackageResources.m0004_webhooks_up_sql,
            down: PackageResources.m0004_webhooks_down_sql),
        Migration(
            5, "effects", up: PackageResources.m0005_effects_up_sql,
            down: PackageResources.m0005_effects_down_sql),
        Migration(
            6, "schema", up: PackageResources.m0006_schema_up_sql,
            down: PackageResources.m0006_schema_down_sql),
        Migration(
            7, "schedule", up: PackageResources.m0007_schedule_up_sql,
            down: PackageResources.m0007_schedule_down_sql),
    ]
}
