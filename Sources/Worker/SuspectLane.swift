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

    /// Runs `body` under the rules for a message with this many deaths; nil when it could not be
    /// recorded.
    func run<Value: Sendable>(
        _ delivery: Delivery, deaths: Int, _ body: () async -> Value
    ) async -> Value? {
        let isAlone = deaths >= maximumDeaths - 1
        if isAlone { await enter() }
        defer { if isAlone { leave() } }
        do throws(BrokerError) {
            try await broker.markSuspect(delivery, of: worker)
        } catch { return nil }
        let value = await body()
        // Before the next one may begin: its crash would find this one settled or not, as it happens.
        try? await broker.clearSuspect(delivery, of: worker)
        return value
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
