public import Foundation

/// What was kept of a job at one moment: what Celery's `AsyncResult` shows.
public struct JobResult: Sendable, Equatable {
    /// How the job stands; an open set, because jobs may report states of their own.
    public struct State: Hashable, Sendable, CustomStringConvertible {
        /// Celery's word.
        public let name: String

        /// A state by Celery's word.
        public init(_ name: String) { self.name = name }

        /// Nothing is kept: it waits, runs, was never sent, or its result has expired.
        public static let pending = State("PENDING")
        /// It runs; said only where that is wanted.
        public static let started = State("STARTED")
        /// It failed and will be tried again.
        public static let retry = State("RETRY")
        /// It is done.
        public static let success = State("SUCCESS")
        /// It failed for good.
        public static let failure = State("FAILURE")
        /// It was not run, or not to its end: revoked, cancelled, or expired.
        public static let revoked = State("REVOKED")
        /// It ended without a word, by its own wish; no record says so.
        package static let ignored = State("IGNORED")

        /// Celery's word.
        public var description: String { name }
    }

    /// The task id.
    public let id: JobID
    /// How it stands.
    public let state: State
    /// What it returned, or what it said with a state of its own; null otherwise.
    public let value: JSONValue
    /// What it raised: of states `FAILURE`, `REVOKED` and `RETRY`.
    public let exception: PythonException?
    /// The traceback as Python shows it.
    public let traceback: String?
    /// When it ended.
    public let doneAt: Date?
    /// Results of the tasks that it sent, each `[[id, parent], children]`.
    public let children: [JSONValue]

    /// Whether nothing more will come.
    public var isOver: Bool { state == .success || state == .failure || state == .revoked }

    /// Nothing is kept of the job.
    package static func pending(_ id: JobID) -> JobResult {
        JobResult(
            id: id, state: .pending, value: .null, exception: nil, traceback: nil, doneAt: nil,
            children: [])
    }

    private init(
        id: JobID, state: State, value: JSONValue, exception: PythonException?,
        traceback: String?, doneAt: Date?, children: [JSONValue]
    ) {
        self.id = id
        self.state = state
        self.value = value
        self.exception = exception
        self.traceback = traceback
        self.doneAt = doneAt
        self.children = children
    }

    /// Reads a record; nil when it is no JSON object with a state (Celery can be told to compress
    /// results, or to pickle them).
    package init?(decoding record: [UInt8], of id: JobID) {
        guard let json = try? JSONValue(parsing: record),
            let state = json["status"]?.stringValue.map(State.init)
        else { return nil }
        let result = json["result"] ?? .null
        let raises = [State.failure, .revoked, .retry].contains(state)
        self.init(
            id: id, state: state, value: raises ? .null : result,
            exception: raises ? PythonException(result) : nil,
            traceback: json["traceback"]?.stringValue,
            doneAt: json["date_done"]?.stringValue.flatMap { WireDate.date($0) },
            children: json["children"]?.arrayValue ?? [])
    }
}

extension PythonException {
    /// Reads `{"exc_type": …, "exc_message": …, "exc_module": …}`; nil when there is no class.
    fileprivate init?(_ json: JSONValue) {
        guard let name = json["exc_type"]?.stringValue else { return nil }
        let arguments: [JSONValue] =
            switch json["exc_message"] {
            case .array(let items)?: items
            case nil, .null?: []
            case let single?: [single]
            }
        self.init(
            module: json["exc_module"]?.stringValue ?? "builtins", name: name,
            arguments: arguments)
    }

    /// What Python's `str` of it gives: the text of its only argument, or all of them.
    public var message: String {
        guard let arguments, !arguments.isEmpty else { return "" }
        if arguments.count == 1, let text = arguments[0].stringValue { return text }
        return PythonRepr.tuple(arguments)
    }
}
