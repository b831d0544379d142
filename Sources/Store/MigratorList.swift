/// The schema's history as it is built into the program.
///
/// Each `Migrations/mNNNN-name.up.sql` and `.down.sql` has its line here; a test compares the two.
package enum Migrations {
    package static let all: [Migration] = []
}
