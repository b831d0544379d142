package import Broker
package import Postgres

/// Why a round moved nothing; the rows are where they were.
package enum RelayError: Error, Sendable, CustomStringConvertible {
    /// The rows were claimed so long ago that another relay may have them by now.
    case claimTooOld
    /// PostgreSQL is away, or refused.
    case database(PostgresError)
    /// Redis is away, or refused.
    case queues(BrokerError)

    /// The round was cut off by something else.
    case interrupted

    init(_ error: any Error) {
        self =
            switch error {
            case let error as RelayError: error
            case let error as PostgresError: .database(error)
            case let error as BrokerError: .queues(error)
            default: .interrupted
            }
    }

    /// A word for logs and metrics.
    package var code: String {
        switch self {
        case .claimTooOld: "claim_too_old"
        case .interrupted: "interrupted"
        case .database(let error): "postgresql.\(error.code.rawValue)"
        case .queues(let error): "redis.\(error.code.name)"
        }
    }

    /// What happened, and what helps where something does.
    package var description: String {
        switch self {
        case .claimTooOld:
            "the claim was too old when it came to pushing; is this machine overloaded?"
        case .interrupted: "the round was cut off"
        case .database(let error)
        where error.sqlState == .undefinedTable:
            "the database has no outbox: run `backhaul migrate up`"
        case .database(let error): "PostgreSQL: \(error.message)"
        case .queues(let error): "Redis: \(error.message)"
        }
    }
}
