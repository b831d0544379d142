import Broker
import JobModel
import Mailbox

/// Lets messages run that other workers died holding, so that the next death tells something.
///
/// Each is recorded before it runs, and struck out when it has: should this process die too, the death
/// counts only for those that were running. One that would be condemned by it runs with no other suspect beside it.
final class SuspectLane: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())
    private let broker: any Broker
    private let worker: WorkerID
    private let maximumDeaths: Int

    init(broker: any Broker, worker: WorkerID, maximumDeaths: Int) {
        self.broker = broker
        self.worker = worker
        self.maximumDeaths = maximumDeaths
    }

    /// The right of one such message to run; whoever has it gives it back, once or more often.
    final class Pass: Sendable {
        private let lane: SuspectLane
        private let delivery: Delivery
        private let isAlone: Bool
        private let isHeld = Locked(true)

        fileprivate init(_ lane: SuspectLane, _ delivery: Delivery, isAlone: Bool) {
            self.lane = lane
            self.delivery = delivery
            self.isAlone = isAlone
        }

        /// Strikes the message out, and lets the next one run; not from a task that was cancelled.
        func giveBack() async {
            let isMine = isHeld.withLock { isHeld in
                defer { isHeld = false }
                return isHeld
            }
            guard isMine else { return }
            // Before the next one may begin: its crash would find this one settled or not, as it
            // happens.
            try? await lane.broker.clearSuspect(delivery, of: lane.worker)
            if isAlone { lane.leave() }
        }
    }

    /// Lets a message with this many deaths run as soon as the rules allow; nil when it could not be
    /// recorded.
    func pass(for delivery: Delivery, deaths: Int) async -> Pass? {
        let isAlone = deaths >= maximumDeaths - 1
        if isAlone { await enter() }
        do throws(BrokerError) {
            try await broker.markSuspect(delivery, of: worker)
        } catch {
            if isAlone { leave() }
            return nil
        }
        return Pass(self, delivery, isAlone: isAlone)
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
