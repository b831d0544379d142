import Broker
import Foundation
import JobModel
import Mailbox
import Scheduler

/// A book that one scheduler cannot reach at times, while others can.
struct FlakyBook: TickBook {
    let book: MemoryTickBook
    /// What is wrong now.
    let outage: @Sendable () -> BrokerError?

    init(book: MemoryTickBook, outage: @escaping @Sendable () -> BrokerError?) {
        self.book = book
        self.outage = outage
    }

    func newestTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        try enter()
        return try await book.newestTicks(of: entries)
    }

    func begin(_ entries: [String: Date]) async throws(BrokerError) {
        try enter()
        try await book.begin(entries)
    }

    func record(_ tick: TickRecord, at now: Date) async throws(BrokerError) -> TickOutcome {
        try enter()
        return try await book.record(tick, at: now)
    }

    func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {
        try enter()
        try await book.trigger(message, of: entry, at: now)
    }

    func releaseWaiting(at now: Date) async throws(BrokerError) -> Int {
        try enter()
        return try await book.releaseWaiting(at: now)
    }

    func forget(_ entries: [String]) async throws(BrokerError) {
        try enter()
        try await book.forget(entries)
    }

    private func enter() throws(BrokerError) {
        if let error = outage() { throw error }
    }
}

/// A book in which, after five ticks of an entry, another scheduler records one further on.
struct MemoryRival: TickBook {
    let book: MemoryTickBook
    let entry: String
    let to: Date
    private let count = Locked(0)

    init(book: MemoryTickBook, entry: String, to: Date) {
        self.book = book
        self.entry = entry
        self.to = to
    }

    func newestTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        try await book.newestTicks(of: entries)
    }

    func begin(_ entries: [String: Date]) async throws(BrokerError) {
        try await book.begin(entries)
    }

    func record(_ tick: TickRecord, at now: Date) async throws(BrokerError) -> TickOutcome {
        let isTurn =
            tick.entry == entry
            && count.withLock { count in
                count += 1
                return count == 6
            }
        if isTurn { book.set(newest: [entry: to]) }
        return try await book.record(tick, at: now)
    }

    func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {}

    func releaseWaiting(at now: Date) async throws(BrokerError) -> Int { 0 }

    func forget(_ entries: [String]) async throws(BrokerError) {}
}

/// Entries that a test changes.
final class ChangingSource: ScheduleSource {
    private let state: Locked<[ScheduleEntry]>

    init(_ entries: [ScheduleEntry]) { state = Locked(entries) }

    var entries: [ScheduleEntry] { state.withLock { $0 } }

    func set(_ entries: [ScheduleEntry]) { state.withLock { $0 = entries } }
}
