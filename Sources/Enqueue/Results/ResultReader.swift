package import Broker
public import JobModel
public import Logging

/// Reads what became of jobs, from where Celery keeps it.
///
/// ```swift
/// let results = try ResultReader(redis: "redis://127.0.0.1:6379/0", logger: logger)
/// let total: Int = try await results.value(of: sent.id, upTo: .seconds(30))
/// ```
///
/// Safe to share between tasks. Do not wait inside a job: it holds a place that the job waited for
/// may need.
public struct ResultReader: Sendable {
    /// How long the first pause between two looks is, and how long the last.
    static let shortestPause = Duration.milliseconds(5)
    static let longestPause = Duration.milliseconds(250)
    /// The most results looked for at once; the rest is looked for when these are there.
    static let batch = 500

    private let store: any ResultStore
    private let clock: any Clock<Duration>

    /// A reader over a store that exists already.
    package init(store: any ResultStore, clock: any Clock<Duration> = ContinuousClock()) {
        self.store = store
        self.clock = clock
    }

    /// Connects to Redis when first used: the server of Celery's `result_backend`.
    ///
    /// - Throws: ``ResultError`` with code `address` when the URL cannot be used.
    public init(redis url: String, logger: Logger) throws(ResultError) {
        do throws(BrokerError) {
            self.init(
                store: try RedisBroker(url: url, options: BrokerOptions(), logger: logger))
        } catch { throw ResultError(error) }
    }

    /// How a job stands now.
    ///
    /// - Throws: ``ResultError`` `unavailable`, `unreadable`.
    public func result(of id: JobID) async throws(ResultError) -> JobResult {
        try await results(of: [id])[0]
    }

    /// How jobs stand now, in order.
    ///
    /// - Throws: ``ResultError`` `unavailable`, `unreadable`.
    public func results(of ids: [JobID]) async throws(ResultError) -> [JobResult] {
        let records: [[UInt8]?]
        do throws(BrokerError) {
            records = try await store.records(of: ids)
        } catch {
            throw Task.isCancelled ? Self.cancelled : ResultError(error)
        }
        var results: [JobResult] = []
        results.reserveCapacity(ids.count)
        for (id, record) in zip(ids, records) {
            guard let record else {
                results.append(.pending(id))
                continue
            }
            guard let result = JobResult(decoding: record, of: id) else {
                throw ResultError(
                    code: .unreadable,
                    message: """
                        the result of job \(id) is not JSON: set Celery's result_serializer to \
                        json and leave result_compression unset
                        """)
            }
            results.append(result)
        }
        return results
    }

    /// Waits until a job has ended, whatever its end.
    ///
    /// - Throws: ``ResultError`` `timeout`, `cancelled`, `unavailable`, `unreadable`.
    public func end(of id: JobID, upTo limit: Duration) async throws(ResultError) -> JobResult {
        try await ends(of: [id], upTo: limit, on: clock)[0]
    }

    /// Waits for what a job returns.
    ///
    /// - Throws: ``ResultError``: of a job that failed `failed`, with the exception.
    public func value(of id: JobID, upTo limit: Duration) async throws(ResultError) -> JSONValue {
        try await values(of: [id], upTo: limit)[0]
    }

    /// Waits for what a job returns, as a type.
    ///
    /// - Throws: ``ResultError``: of a job that failed `failed`, with the exception; of another type
    ///   `unreadable`.
    public func value<Value: Decodable>(
        of id: JobID, as type: Value.Type = Value.self, upTo limit: Duration
    ) async throws(ResultError) -> Value {
        let value: JSONValue = try await value(of: id, upTo: limit)
        do { return try value.decoded(as: type) } catch {
            throw ResultError(
                code: .unreadable, message: "the result of job \(id) is no \(type)")
        }
    }

    /// Waits for what jobs return, in order; the first failure ends it.
    ///
    /// - Throws: ``ResultError``.
    public func values(
        of ids: [JobID], upTo limit: Duration
    ) async throws(ResultError) -> [JSONValue] {
        try await ends(of: ids, upTo: limit, on: clock, isFailureFatal: true).map(\.value)
    }

    /// Waits for what was sent: the value of a task, a chain or a chord; of a group the list of its
    /// members' values, nested as the groups are.
    ///
    /// - Throws: ``ResultError``: of the first member that failed `failed`.
    public func value(
        of sent: SentSignature, upTo limit: Duration
    ) async throws(ResultError) -> JSONValue {
        let tree = ResultTree(tuple: sent.result) ?? .task(sent.id)
        let leaves = tree.leaves
        let values = try await values(of: leaves, upTo: limit)
        let known = Dictionary(zip(leaves, values)) { first, _ in first }
        return tree.value { known[$0] } ?? .null
    }

    /// Deletes what is kept of jobs; ended ones for good, others until they end.
    ///
    /// - Throws: ``ResultError`` `unavailable`.
    public func forget(_ ids: [JobID]) async throws(ResultError) {
        do throws(BrokerError) {
            try await store.forget(ids)
        } catch { throw ResultError(error) }
    }

    private static let cancelled = ResultError(
        code: .cancelled, message: "nobody waits any longer for the results")

    private func ends<Time: Clock<Duration>>(
        of ids: [JobID], upTo limit: Duration, on clock: Time, isFailureFatal: Bool = false
    ) async throws(ResultError) -> [JobResult] {
        let deadline = clock.now.advanced(by: limit)
        var ended: [JobResult] = []
        ended.reserveCapacity(ids.count)
        var pause = Self.shortestPause
        while ended.count < ids.count {
            let next = Array(ids[ended.count...].prefix(Self.batch))
            let found = try await results(of: next).prefix(while: \.isOver)
            if isFailureFatal, let failed = found.first(where: { $0.state != .success }) {
                throw ResultError(failed)
            }
            ended += found
            if found.count == next.count { continue }
            if !found.isEmpty { pause = Self.shortestPause }
            guard clock.now < deadline else {
                throw ResultError(
                    code: .timeout,
                    message: "job \(ids[ended.count]) has not ended within \(limit)")
            }
            do { try await clock.sleep(for: min(pause, clock.now.duration(to: deadline))) } catch {
                throw Self.cancelled
            }
            pause = min(pause * 3 / 2, Self.longestPause)
        }
        return ended
    }
}
