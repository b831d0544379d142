import Foundation
package import JobModel
import Logging
import Redis

/// Publications: in one step when they are small, and else staged before that step and moved after.
extension RedisBroker {
    package func publish(_ publication: Publication) async throws(BrokerError) {
        guard !publication.isEmpty else { return }
        var aftermath = Aftermath()
        aftermath.publication = publication
        let effects: Effects
        switch try await self.effects(of: aftermath) {
        case .success(let found): effects = found
        case .failure(let error): throw error.brokerError
        }
        var call = RedisScriptCall(scripts.publish, keys: Effects.keys(keys))
        effects.append(to: &call, self)
        guard try await run(call).array?.first?.int == 1 else {
            throw BrokerError(
                code: .server,
                message: "Redis dropped staged messages before they were sent; nothing was sent")
        }
        guard let staged = effects.staged else { return }
        // It is sent, whatever becomes of us: who maintains the queues moves it if we cannot.
        try? await unstage(staged)
    }

    /// Encodes what follows from a job, and stages its messages when they are too many for one step.
    func effects(
        of aftermath: Aftermath
    ) async throws(BrokerError) -> Result<Effects, OversizedMessage> {
        var effects = Effects(aftermath, origin: options.origin)
        let (messages, now) = (aftermath.publication.messages, time.now)
        let limits = options.staging
        do throws(OversizedMessage) {
            if messages.count <= limits.maximumMessages {
                for message in messages {
                    effects.messages.append(
                        try EncodedMessage(message, broker: self, now: now))
                }
                if effects.bytes <= limits.maximumBytes { return .success(effects) }
            }
        } catch { return .failure(error) }
        let list = keys.staged(UUID().uuidString.lowercased())
        var chunk: [EncodedMessage] = []
        var bytes = 0
        for (index, message) in messages.enumerated() {
            do throws(OversizedMessage) {
                // Few of them may be encoded already.
                let encoded =
                    effects.messages.isEmpty
                    ? try EncodedMessage(message, broker: self, now: now) : effects.messages[index]
                chunk.append(encoded)
                bytes += encoded.bytes.count
            } catch { return .failure(error) }
            guard
                chunk.count == limits.chunkMessages || bytes >= limits.chunkBytes
                    || index == messages.count - 1
            else { continue }
            try await stage(chunk, in: list)
            (chunk, bytes) = ([], 0)
        }
        effects.messages = []
        effects.staged = list
        return .success(effects)
    }

    private func stage(_ chunk: [EncodedMessage], in list: String) async throws(BrokerError) {
        var call = RedisScriptCall(
            scripts.stage, keys: [list],
            reserving: chunk.reduce(0) { $0 + $1.bytes.count + 256 })
        call.append(Int(options.staging.kept.inSeconds))
        for message in chunk { call.append(message.staged) }
        _ = try await run(call)
    }

    /// Moves what was staged and is to be sent, chunk by chunk.
    func unstage(_ list: String) async throws(BrokerError) {
        var left = 1
        while left > 0 {
            var call = RedisScriptCall(
                scripts.unstage,
                keys: [keys.delayed, keys.delayedMessages, keys.staging, list])
            call.append(options.staging.chunkMessages)
            call.append(options.staging.chunkBytes)
            guard let answer = try await run(call).int else { throw .unexpected("unstage") }
            left = answer
        }
    }

    /// Moves what somebody said is to be sent and then did not move; returns how many lists.
    func unstageAbandoned(limit: Int) async throws(BrokerError) -> Int {
        let oldest =
            try await serverMilliseconds() - options.staging.grace.inMilliseconds
        let reply = try await send(
            RedisCommand("ZRANGEBYSCORE", keys.staging, "-inf", oldest, "LIMIT", 0, limit))
        let lists = (reply.array ?? []).compactMap(\.string)
        for list in lists { try await unstageIfPossible(list) }
        return lists.count
    }

    /// Moves what was staged, unless Redis refuses just that; then it is tried again and again.
    func unstageIfPossible(_ list: String) async throws(BrokerError) {
        do throws(BrokerError) {
            try await unstage(list)
        } catch {
            guard error.code == .server else { throw error }
            logger.error(
                "Redis refused to send staged messages; they are tried again",
                metadata: [LogKey.errorMessage: "\(error)"])
        }
    }
}
