package import Broker
package import Foundation
package import JobModel
import Mailbox

/// A tick ledger in memory, with the faults a real one can have.
///
/// Each call lets others run first, as a round trip would: schedulers do meet.
package final class InMemoryTickLedger: TickLedger {
    /// A tick that was enqueued.
    package struct Record: Sendable {
        package let entry: String
        package let dueAt: Date
        package let message: OutgoingMessage
    }

    /// What goes wrong with the calls.
    package enum Fault: Sendable {
        /// Calls fail, and nothing is done, while the closure returns an error.
        case during(@Sendable () -> BrokerError?)
        /// Enqueuing ticks of one entry fails, and nothing is done.
        case entry(String, BrokerError)
        /// The next tick is enqueued and recorded, but its answer is lost.
        case nextReplyLost
    }

    fileprivate struct State {
        var last: [String: Date] = [:]
        var records: [Record] = []
        var refusals = 0
        var calls = 0
        var fault: Fault?
    }

    private let state = Locked(State())

    package init() {}

    /// Every tick enqueued, in order.
    package var records: [Record] { state.withLock { $0.records } }

    /// How often a tick was turned down because it, or a later one, was recorded already.
    package var refusals: Int { state.withLock { $0.refusals } }

    /// How many calls were made, failed ones too.
    package var calls: Int { state.withLock { $0.calls } }

    /// Sets what goes wrong from now on; nil mends it.
    package func set(fault: Fault?) { state.withLock { $0.fault = fault } }

    package func lastTicks(of entries: [String]) async throws(BrokerError) -> [String: Date] {
        await Task.yield()
        return try state.withLock { (state) throws(BrokerError) in
            try state.begin()
            return state.last.filter { entries.contains($0.key) }
        }
    }

    package func register(_ entries: [String], at now: Date) async throws(BrokerError) {
        await Task.yield()
        try state.withLock { (state) throws(BrokerError) in
            try state.begin()
            for entry in entries where state.last[entry] == nil { state.last[entry] = now }
        }
    }

    package func enqueue(
        _ message: OutgoingMessage, asTick dueAt: Date, of entry: String
    ) async throws(BrokerError) -> Bool {
        await Task.yield()
        return try state.withLock { (state) throws(BrokerError) in
            try state.begin()
            if case .entry(entry, let error) = state.fault { throw error }
            if let last = state.last[entry], last >= dueAt {
                state.refusals += 1
                return false
            }
            state.last[entry] = dueAt
            state.records.append(Record(entry: entry, dueAt: dueAt, message: message))
            if case .nextReplyLost = state.fault {
                state.fault = nil
                throw BrokerError(code: .timeout, message: "no answer in time")
            }
            return true
        }
    }
}

extension InMemoryTickLedger.State {
    fileprivate mutating func begin() throws(BrokerError) {
        calls += 1
        if case .during(let outage) = fault, let error = outage() { throw error }
    }
}
