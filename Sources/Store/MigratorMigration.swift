package import Foundation

/// One numbered step of the database's schema, forth and back.
package struct Migration: Sendable, Equatable {
    package let version: Int
    package let name: String
    /// The script that applies it; must not commit.
    package let up: [UInt8]
    /// The script that takes it back; empty where there is no way back.
    package let down: [UInt8]

    package init(_ version: Int, _ name: String, up: [UInt8], down: [UInt8]) {
        precondition(version > 0, "migrations are numbered from 1")
        self.version = version
        self.name = name
        self.up = up
        self.down = down
    }
}

/// Where one migration stands in a database.
package struct MigrationStatus: Sendable, Equatable {
    /// What is known of it.
    package enum State: Sendable, Equatable {
        case pending
        case applied(at: Date)
        /// Applied, but its script is no longer the one that was applied.
        case changed(appliedAt: Date)
        /// Applied by a newer program; this one does not know it.
        case unknown(appliedAt: Date)
    }

    package let version: Int
    package let name: String
    package let state: State
}

/// Why the schema could not be moved.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    /// What happened; an open set.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// An applied migration's script was edited afterwards.
        package static let checksumMismatch = Code(rawValue: "checksumMismatch")
        /// The database has a migration that this program does not know.
        package static let unknownVersion = Code(rawValue: "unknownVersion")
        /// A migration is missing below one that is applied.
        package static let outOfOrder = Code(rawValue: "outOfOrder")
        /// There is no script that takes the migration back.
        package static let irreversible = Code(rawValue: "irreversible")
        /// The database refused; nothing of this migration was kept.
        package static let failed = Code(rawValue: "failed")
    }

    package let code: Code
    /// The migration concerned, if one is.
    package let version: Int?
    package let message: String
    /// What the database said.
    package let underlying: (any Error)?

    package init(
        _ code: Code, version: Int?, _ message: String, underlying: (any Error)? = nil
    ) {
        self.code = code
        self.version = version
        self.message = message
        self.underlying = underlying
    }

    package var description: String {
        let place = version.map { "migration \($0)" } ?? "the migrations"
        return "\(place): \(message)"
    }
}
