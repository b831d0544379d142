/// Why a statement, a transaction or a connection failed.
///
/// Its texts hold no parameters and no `DETAIL`: both may be a customer's data.
package struct PostgresError: Error, Sendable, Equatable {
    /// What happened, as callers act on it; an open set.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// No connection could be made.
        package static let connect = Code(rawValue: "connect")
        /// The connection broke while the statement was under way.
        package static let connectionLost = Code(rawValue: "connectionLost")
        /// No answer came in time.
        package static let timeout = Code(rawValue: "timeout")
        /// No connection became free in time, or too many calls wait already.
        package static let poolExhausted = Code(rawValue: "poolExhausted")
        /// The server refused; ``PostgresError/sqlState`` says why.
        package static let server = Code(rawValue: "server")
        /// A value is not of the type asked for, or a parameter cannot be sent.
        package static let decoding = Code(rawValue: "decoding")
        /// The result passed the limits of ``PostgresOptions``.
        package static let resultTooLarge = Code(rawValue: "resultTooLarge")
        /// A statement came outside its transaction, or changed one it may not touch.
        package static let transactionState = Code(rawValue: "transactionState")
        /// The pool has been shut down.
        package static let closed = Code(rawValue: "closed")
        /// The calling task was cancelled.
        package static let cancelled = Code(rawValue: "cancelled")
    }

    package let code: Code
    /// The server's condition, where the server spoke.
    package let sqlState: SQLState?
    package let message: String
    /// The violated constraint or unique index, where there is one.
    package let constraint: String?
    /// The name given with ``PostgresQuery/named(_:)``.
    package internal(set) var queryName: String?
    /// Whether the statement reached the server without an answer, so that it may have taken effect.
    package let mayHaveRun: Bool

    package init(
        _ code: Code, _ message: String, sqlState: SQLState? = nil, constraint: String? = nil,
        queryName: String? = nil, mayHaveRun: Bool = false
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
        self.queryName = queryName
        self.mayHaveRun = mayHaveRun
    }

    /// Whether trying the whole transaction again later is reasonable.
    package var isTransient: Bool {
        switch code {
        case .connect, .connectionLost, .timeout, .poolExhausted: true
        default: sqlState?.isTransient ?? false
        }
    }

    func named(_ name: String?) -> PostgresError {
        var copy = self
        copy.queryName = queryName ?? name
        return copy
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        var text = "PostgreSQL \(code.rawValue)"
        if let sqlState { text += " \(sqlState)" }
        if let queryName { text += " in \(queryName)" }
        return "\(text): \(message)"
    }
}

extension PostgresError {
    /// The server's primary message without the values that data exceptions (class 22) quote.
    static func redacted(_ message: String, state: SQLState?) -> String {
        guard state?.classCode == "22" else { return message }
        var text = ""
        for (index, part) in message.split(separator: "\"", omittingEmptySubsequences: false)
            .enumerated()
        {
            text += index.isMultiple(of: 2) ? String(part) : "\"…\""
        }
        return text
    }
}
