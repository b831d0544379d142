import JobModel
import Redis

/// Messages that wait for their time: putting them aside, and putting them on their lists.
extension RedisBroker {
    /// Messages put aside in one script, and their bytes, the last one excepted: 2 to 4 ms of the
    /// server's time.
    private static let asideEachCall = 250
    private static let asideBytesEachCall = 512 * 1024
    /// The most messages moved in one script: about 2 ms of the server's time.
    static let promotedEachCall = 250
    /// Bytes of messages after which a script stops.
    private static let promotedBytesEachCall = 1024 * 1024
    /// How long a turn lasts after its owner asked for the last time: how late a message may become
    /// when a promoter dies.
    private static let turn = Duration.seconds(1)
    /// After how long a message is tried again that could not be put on its list.
    private static let stuckPause = Duration.seconds(10)

    /// Puts messages aside until their time.
    func putAside(_ messages: [EncodedMessage]) async throws(BrokerError) {
        guard !messages.isEmpty else { return }
        var calls: [RedisScriptCall] = []
        var (count, bytes) = (0, 0)
        for message in messages {
            if calls.isEmpty || count == Self.asideEachCall || bytes >= Self.asideBytesEachCall {
                calls.append(
                    RedisScriptCall(scripts.schedule, keys: [keys.delayed, keys.delayedMessages]))
                (count, bytes) = (0, 0)
            }
            calls[calls.count - 1].append(message.member)
            calls[calls.count - 1].append(message.due)
            calls[calls.count - 1].append(message.list)
            calls[calls.count - 1].append(message.bytes)
            count += 1
            bytes += message.bytes.count
        }
        for reply in try await pipeline(calls) {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
    }

    package func promoteDue(
        limit: Int, takingTurns: Bool
    ) async throws(BrokerError) -> Promotion {
        var call = RedisScriptCall(
            scripts.promote, keys: [keys.delayed, keys.delayedMessages, keys.promoterTurn])
        call.append(min(limit, Self.promotedEachCall))
        call.append(Self.promotedBytesEachCall)
        call.append(takingTurns ? promoterName : "")
        call.append(Int(Self.turn.inMilliseconds))
        call.append(Int(Self.stuckPause.inMilliseconds))
        let answer = (try await run(call).array ?? []).map(\.int)
        switch answer.count {
        case 2:
            guard answer[0] == -1, let left = answer[1] else { break }
            return Promotion(count: 0, untilNext: nil, untilTurn: .milliseconds(left))
        case 3:
            guard let count = answer[0], let wait = answer[1], let stuck = answer[2] else { break }
            return Promotion(
                count: Int(count), untilNext: wait < 0 ? nil : .milliseconds(wait),
                stuck: Int(stuck))
        default: break
        }
        throw BrokerError.unexpected("promote")
    }
}
