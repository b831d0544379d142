import JobModel
import Mailbox
import Redis

/// Results that whoever waits for them may not have heard of.
///
/// Celery's `get()` subscribes on one connection and reads on another, without waiting for the
/// subscription to stand. A result that is published between the two is read by nobody, and the
/// caller waits until its time is up. It can only happen with tasks that a worker sent, later steps
/// and bodies: a client subscribes to its own before it sends them. So these are published once more
/// if somebody still listens a little later; who has heard of a result listens no more.
struct ResultEcho: Sendable {
    /// The most results remembered; beyond, the oldest are not published again.
    static let maximum = 10_000
    /// The most looked at in one step.
    static let batch = 500

    private var ids: [JobID] = []

    init() {}

    var count: Int { ids.count }

    /// Remembers results that were just written.
    mutating func add(_ new: some Sequence<JobID>) {
        ids += new
        if ids.count > Self.maximum { ids.removeFirst(ids.count - Self.maximum) }
    }

    /// All of them, which are then forgotten.
    mutating func take() -> [JobID] {
        defer { ids = [] }
        return ids
    }
}

extension RedisBroker {
    /// Remembers those of the results that may go unheard: of tasks that a worker sent.
    func remember(_ batch: [Settling]) {
        guard batch.contains(where: { $0.result?.parentID != nil }) else { return }
        let ids = batch.lazy.compactMap(\.result).filter { $0.parentID != nil }.map(\.id)
        echo.withLock { $0.add(ids) }
    }

    /// The same for records of tasks that will not run.
    func remember(_ records: [ResultRecord]) {
        guard !records.isEmpty else { return }
        echo.withLock { $0.add(records.lazy.map(\.id)) }
    }

    /// How many wait to be looked at.
    var rememberedResults: Int { echo.withLock { $0.count } }

    /// Publishes again what may have gone unheard; returns how much there was to publish.
    @discardableResult
    func echoResults() async throws(BrokerError) -> Int {
        guard rememberedResults > 0 else { return 0 }
        let ids = echo.withLock { $0.take() }
        var count = 0
        for start in stride(from: 0, to: ids.count, by: ResultEcho.batch) {
            let some = ids[start..<min(start + ResultEcho.batch, ids.count)]
            count +=
                try await run(
                    RedisScriptCall(scripts.echo, keys: some.map { keys.result(of: $0) })
                ).int ?? 0
        }
        return count
    }
}
