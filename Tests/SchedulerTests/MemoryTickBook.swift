import Broker
import Foundation
import JobModel
import Mailbox

/// A book of ticks in memory, with the faults a real one can have.
///
/// Each call lets others run first, as a round trip would: schedulers do meet.
final class MemoryTickBook: TickBook {
    /// A decision that was carried out.
    struct Line: Sendable {
        let entry: String
        let dueAt: Date
        let previous: Date
        let missed: Int
        /// Nil when the tick was passed over as asked.
        let message: OutgoingMessage?
        let pass: TickPass?
        let at: Date
    }

    /// What goes wrong with the calls.
    enum Fault: Sendable {
        /// Calls fail, and nothing is done, while the closure returns an error.
        case during(@Sendable () -> BrokerError?)
        /// Recording ticks of one entry fails, and nothing is done.
        case entry(String, BrokerError)
        /// The next tick is recorded, but its answer is lost.
        case nextReplyLost
    }

    fileprivate struct State {
        var newest: [String: Date] = [:]
        var begun: [String: Date] = [:]
        var lines: [Line] = []
        var superseded = 0
        var calls = 0
        var fault: Fault?
        var outcomes: [String: TickOutcome] = [:]
    }

    private let state = Locked(State())

    /// Every decision carried out, in order.
    var lines: [Line] { state.withLock { $0.lines } }

    /// Those that put a message on its queue.
    var enqueued: [Line] { lines.filter { $0.message != nil } }

    /// When entries were first met.
    var begun: [String: Date] { state.withLock { $0.begun } }

    /// How often another scheduler was first.
    var superseded: Int { state.withLock { $0.superseded } }

    /// How many calls were made, failed ones too.
    var calls: Int { state.withLock { $0.calls } }

    /// Sets what goes wrong from now on; nil mends it.
    func set(fault: Fault?) { state.withLock { $0.fault = fault } }

    /// What is answered instead of `.enqueued` for an entry, as overlap would have it.
    func set(outcome: TickOutcome, of entry: String) {
        state.withLock { $0.outcomes[entry] = outcome }
    }

    /// Sets the newest tick of an entry, as if it had been recorded.
    func set(newest: [String: Date]) {
        state.withLock { $0.newest.merge(newest) { _, new in new } }
    }

    func newestTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        await Task.yield()
        return try state.withLock { (state) throws(BrokerError) in
            try state.enter()
            return state.newest.filter { entries.contains($0.key) }
        }
    }

    func begin(_ entries: [String: Date]) async throws(BrokerError) {
        await Task.yield()
        try state.withLock { (state) throws(BrokerError) in
            try state.enter()
            for (entry, date) in entries where state.newest[entry] == nil {
                state.newest[entry] = date
                state.begun[entry] = date
            }
        }
    }

    func record(_ tick: TickRecord, at now: Date) async throws(BrokerError) -> TickOutcome {
        await Task.yield()
        return try state.withLock { (state) throws(BrokerError) in
            try state.enter()
            if case .entry(tick.entry, let error) = state.fault { throw error }
            guard state.newest[tick.entry] == tick.previous else {
                state.superseded += 1
                return .superseded
            }
            state.newest[tick.entry] = tick.dueAt
            let outcome = state.append(tick, at: now)
            if case .nextReplyLost = state.fault {
                state.fault = nil
                throw BrokerError(code: .timeout, message: "no answer in time")
            }
            return outcome
        }
    }

    func trigger(
        _ message: OutgoingMessage, of entry: String, at now: Date
    ) async throws(BrokerError) {}

    /// Nothing ever waits here.
    func releaseWaiting(at now: Date) async throws(BrokerError) -> Int { 0 }

    func forget(_ entries: [String]) async throws(BrokerError) {
        state.withLock { state in for entry in entries { state.newest[entry] = nil } }
    }
}

extension MemoryTickBook.State {
    fileprivate mutating func enter() throws(BrokerError) {
        calls += 1
        if case .during(let outage) = fault, let error = outage() { throw error }
    }

    fileprivate mutating func append(_ tick: TickRecord, at now: Date) -> TickOutcome {
        var outcome = TickOutcome.passed
        var line = (message: OutgoingMessage?.none, pass: TickPass?.none)
        switch tick.action {
        case .enqueue(let message, _, _):
            outcome = outcomes[tick.entry] ?? .enqueued
            line.message = outcome == .overlapped ? nil : message
        case .pass(let reason): line.pass = reason
        }
        lines.append(
            MemoryTickBook.Line(
                entry: tick.entry, dueAt: tick.dueAt, previous: tick.previous, missed: tick.missed,
                message: line.message, pass: line.pass, at: now))
        return outcome
    }
}
