import Foundation
import JobModel
import Mailbox
import Redis

/// Settlings from which something follows: one script call for each.
extension RedisBroker {
    /// Bytes of such calls that are sent in one write, the last of them excepted.
    private static let bytesEachWrite = 8 * 1024 * 1024

    /// Settles a batch of which at least one has an aftermath.
    func conclude(_ batch: [Settling]) async throws(BrokerError) -> [Settlement] {
        var settlements = [Settlement](repeating: .refused, count: batch.count)
        let plain = batch.indices.filter { !batch[$0].hasAftermath }
        let calls = SettleCalls(plain.map { batch[$0] }, broker: self)
        let answers = try calls.settlements(from: try await pipeline(calls.calls))
        for (position, answer) in zip(plain, answers) { settlements[position] = answer }
        var write = ConcludingWrite()
        do throws(BrokerError) {
            for position in batch.indices where batch[position].hasAftermath {
                write.append(try await conclusion(of: batch[position]), at: position)
                if write.bytes >= Self.bytesEachWrite { try await carryOut(&write, &settlements) }
            }
            try await carryOut(&write, &settlements)
        } catch {
            // What earlier writes claimed is ours all the same.
            unfinished.withLock { [write] in $0.add(write.claims, write.staged) }
            throw error
        }
        unfinished.withLock { [staged = write.staged] in $0.add([], staged) }
        await endAtOnce(write.claims)
        return settlements
    }

    private func carryOut(
        _ write: inout ConcludingWrite, _ settlements: inout [Settlement]
    ) async throws(BrokerError) {
        guard !write.calls.isEmpty else { return }
        let replies = try await pipeline(write.calls.map(\.call))
        for (concluded, reply) in zip(write.calls, replies) {
            // An error is no answer: it stays refused.
            guard let answers = reply.array, let held = answers.first?.int else { continue }
            switch held {
            case 1: settlements[concluded.position] = .settled
            case 0: settlements[concluded.position] = .leaseLost
            default: continue  // What was staged is gone: it is staged again.
            }
            guard held == 1 else { continue }
            remember(concluded.effects.records)
            write.claims += concluded.effects.claims(answers.dropFirst())
            if let staged = concluded.effects.staged { write.staged.append(staged) }
        }
        write.reset()
    }

    /// The call that carries out a settling; one whose messages are too large becomes a failure.
    private func conclusion(
        of settling: Settling
    ) async throws(BrokerError) -> ConcludeCall {
        let settling = settling
        switch try await effects(of: settling.aftermath ?? Aftermath()) {
        case .success(let effects):
            return ConcludeCall(settling, effects, broker: self)
        case .failure(let error):
            let failed = Condemnation(
                FailureReport(
                    code: "canvas.too_large", type: "CanvasError", message: error.description),
                of: settling.delivery, ran: true, options: options, at: time.now
            ).settling(in: .dead)
            let effects = try await effects(of: failed.aftermath ?? Aftermath())
            // When even the failure cannot be told, at least the job is not lost.
            return ConcludeCall(
                failed, (try? effects.get()) ?? Effects(only: failed.aftermath?.endedTick),
                broker: self)
        }
    }

    /// Takes a message away from a worker that died holding it, with all that follows from its
    /// failure; whether it was still there.
    func condemn(
        _ settling: Settling, of worker: WorkerID
    ) async throws(BrokerError) -> Bool {
        let effects = try await effects(of: settling.aftermath ?? Aftermath())
        let call = ConcludeCall(
            settling, (try? effects.get()) ?? Effects(only: settling.aftermath?.endedTick),
            after: worker, broker: self)
        // An error is a value here: what one message meets must not keep the others waiting.
        let reply = try await pipeline([call.call])[0]
        guard let answers = reply.array, answers.first?.int == 1 else { return false }
        remember([settling])
        remember(call.effects.records)
        unfinished.withLock { $0.add([], call.effects.staged.map { [$0] } ?? []) }
        await endAtOnce(call.effects.claims(answers.dropFirst()))
        return true
    }
}

/// Conclusions on their way.
private struct ConcludingWrite {
    var calls: [(call: RedisScriptCall, effects: Effects, position: Int)] = []
    var bytes = 0
    var claims: [ChordClaim] = []
    var staged: [String] = []

    mutating func append(_ concluded: ConcludeCall, at position: Int) {
        calls.append((concluded.call, concluded.effects, position))
        bytes += concluded.effects.bytes
    }

    mutating func reset() {
        calls = []
        bytes = 0
    }
}

/// One call of `conclude.lua`.
struct ConcludeCall: Sendable {
    private(set) var call: RedisScriptCall
    private(set) var effects: Effects

    init(
        _ settling: Settling, _ effects: Effects, after death: WorkerID? = nil,
        broker: RedisBroker
    ) {
        self.effects = effects
        let (keys, options) = (broker.keys, broker.options)
        var buried: (grave: Grave, record: BuriedMessage)?
        switch settling.transition {
        case .bury(let grave, let record): buried = (grave, record)
        case .retry(let message, let date):
            self.effects.messages.append(
                EncodedMessage(
                    again: message, at: date, list: keys.list(of: settling.delivery),
                    tag: settling.delivery.lease.tag))
        case .acknowledge, .release: break
        }
        let grave = buried?.grave ?? .dead
        call = RedisScriptCall(
            broker.scripts.conclude,
            keys: Effects.keys(keys) + [
                keys.unacked, keys.unackedIndex, keys.workers, keys.graveOrder(grave),
                keys.graveEntries(grave), keys.counters,
            ], reserving: effects.bytes + 4096)
        call.append(settling.delivery.lease.tag)
        call.append(death?.text ?? "")
        call.append(settling.result.map { keys.result(of: $0.id) } ?? "")
        call.append(settling.result?.encoded() ?? [])
        call.append(buried?.record.entry ?? "")
        call.append(buried?.record.buriedAt.milliseconds ?? 0)
        call.append(buried?.record.encoded() ?? [])
        call.append(options.maximum(grave))
        call.append(GraveCounter.dropped(grave).name)
        self.effects.append(to: &call, broker, state: settling.result?.state)
    }
}
