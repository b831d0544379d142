/// A five character condition code of the server, by the names of the manual.
///
/// Source: PostgreSQL 15 manual, appendix A, "PostgreSQL Error Codes".
package struct SQLState: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    // Class 08: connection exception
    package static let connectionException = SQLState(rawValue: "08000")
    package static let connectionFailure = SQLState(rawValue: "08006")
    // Class 22: data exception
    package static let numericValueOutOfRange = SQLState(rawValue: "22003")
    package static let invalidDatetimeFormat = SQLState(rawValue: "22007")
    package static let divisionByZero = SQLState(rawValue: "22012")
    package static let invalidTextRepresentation = SQLState(rawValue: "22P02")
    // Class 23: integrity constraint violation
    package static let notNullViolation = SQLState(rawValue: "23502")
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let exclusionViolation = SQLState(rawValue: "23P01")
    // Class 25: invalid transaction state
    package static let readOnlySQLTransaction = SQLState(rawValue: "25006")
    package static let inFailedSQLTransaction = SQLState(rawValue: "25P02")
    package static let idleInTransactionSessionTimeout = SQLState(rawValue: "25P03")
    // Class 28: invalid authorization
    package static let invalidAuthorization = SQLState(rawValue: "28000")
    package static let invalidPassword = SQLState(rawValue: "28P01")
    package static let invalidCatalogName = SQLState(rawValue: "3D000")
    // Class 40: transaction rollback
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    // Class 42: syntax error or access rule violation
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let syntaxError = SQLState(rawValue: "42601")
    package static let undefinedColumn = SQLState(rawValue: "42703")
    package static let undefinedFunction = SQLState(rawValue: "42883")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let duplicateTable = SQLState(rawValue: "42P07")
    package static let indeterminateDatatype = SQLState(rawValue: "42P18")
    // Class 53: insufficient resources
    package static let diskFull = SQLState(rawValue: "53100")
    package static let outOfMemory = SQLState(rawValue: "53200")
    package static let tooManyConnections = SQLState(rawValue: "53300")
    // Class 55: object not in prerequisite state
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    // Class 57: operator intervention
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let adminShutdown = SQLState(rawValue: "57P01")
    package static let crashShutdown = SQLState(rawValue: "57P02")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
    // Class P0: PL/pgSQL
    package static let raiseException = SQLState(rawValue: "P0001")

    /// The first two characters, which group conditions.
    package var classCode: Substring { rawValue.prefix(2) }

    /// Whether the same statement may well succeed a little later, with nothing changed by hand.
    package var isTransient: Bool {
        switch classCode {
        case "08", "40", "53": true
        case "57": self != .queryCanceled
        default: self == .lockNotAvailable || self == .idleInTransactionSessionTimeout
        }
    }

    /// Whether the server ends the session along with the error.
    var endsSession: Bool {
        self == .adminShutdown || self == .crashShutdown || self == .cannotConnectNow
            || self == .idleInTransactionSessionTimeout
    }
}

extension SQLState: CustomStringConvertible {
    package var description: String { rawValue }
}
